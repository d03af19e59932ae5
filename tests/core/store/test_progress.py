"""Progress: the share of the expected records that are up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidSamples
from metaxy_core.store.progress import Progress

if TYPE_CHECKING:
    from tests.conftest import Project


def progress(feature: str, **counts: int) -> Progress:
    kinds = ("expected", "up_to_date", "new", "stale", "blocked", "failing", "orphaned")
    return Progress(mx.FeatureKey(feature), **{**dict.fromkeys(kinds, 0), **counts})


def test_progress_counts_what_is_expected_and_what_of_it_is_done(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", deps=[video])
    project.store.write(video, project.samples(v1="a", v2="a", v3="a", v4="a"))
    assert project.store.progress(crop) == progress("crop", expected=4, new=4)
    project.process(crop)
    project.store.write(video, project.samples(v1="b", v5="b"))
    project.store.delete(video, filters="id = 'v2'")
    found = project.store.progress(crop)
    assert found == progress("crop", expected=4, up_to_date=2, new=1, stale=1, orphaned=1)
    assert found.share == 0.5
    project.process(crop)
    assert project.store.progress(crop).share == 1.0


def test_a_root_is_measured_against_its_samples(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a", v2="a"))
    found = project.store.progress(video, project.samples(v1="a", v3="a"))
    assert found == progress("video", expected=2, up_to_date=1, new=1, orphaned=1)
    with pytest.raises(InvalidSamples, match="'video' is a root feature"):
        project.store.progress(video)


def test_blocked_records_are_expected_and_not_done(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", deps=[video])
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.process(crop)
    project.feature("video", fields={"default": "2"})
    assert project.store.progress(crop) == progress("crop", expected=2, blocked=2)


def test_failing_records_are_among_those_to_do(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", deps=[video])
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.store.record_failure(crop, ["v1"], "broken")
    assert project.store.progress(crop) == progress("crop", expected=2, new=2, failing=1)
    project.process(crop)
    assert project.store.progress(crop) == progress("crop", expected=2, up_to_date=2)


def test_an_expansion_is_measured_in_parents(project: Project) -> None:
    video = project.feature("video")
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    scene = project.feature("scene", ids=["scene"], deps=[dep])
    project.store.write(video, project.samples(v1="a", v2="a"))
    work = project.store.resolve_update(scene).new.filter(id="v1")
    children = work.join(pl.DataFrame({"scene": ["1", "2", "3"]}), how="cross")
    project.store.write(scene, children, processed=work)
    assert project.store.progress(scene) == progress("scene", expected=2, up_to_date=1, new=1)


def test_nothing_expected_is_all_done(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", deps=[video])
    assert project.store.progress(crop).share == 1.0
