"""Attempts that failed: kept, shown, left out, and tried again once something changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidWrite

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


@pytest.fixture
def video(project: Project) -> FeatureClass:
    return project.feature("video")


@pytest.fixture
def crop(project: Project, video: FeatureClass) -> FeatureClass:
    made = project.feature("crop", deps=[video])
    project.store.write(video, project.samples(v1="a", v2="a", v3="a"))
    return made


def fail(project: Project, feature: FeatureClass, *ids: str, error: str = "out of memory") -> None:
    rows = project.store.resolve_update(feature).new
    project.store.record_failure(feature, rows.filter(pl.col("id").is_in(ids)), error)


def ids(frame: pl.DataFrame) -> list[str]:
    return sorted(frame["id"].to_list())


def test_a_record_that_failed_too_often_is_left_out(project: Project, crop: FeatureClass) -> None:
    fail(project, crop, "v1", "v2")
    fail(project, crop, "v1")
    found = project.store.resolve_update(crop, max_attempts=2)
    assert ids(found.new) == ["v2", "v3"]
    assert (found.counts, found.failed) == (mx.Counts(new=2), 1)
    assert sorted(row for batch in found.batches() for row in batch["id"]) == ["v2", "v3"]
    found = project.store.resolve_update(crop, max_attempts=1)
    assert (ids(found.new), found.failed) == (["v3"], 2)
    found = project.store.resolve_update(crop)
    assert (ids(found.new), found.failed) == (["v1", "v2", "v3"], 0)


def test_a_new_upstream_version_makes_it_eligible_again(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    fail(project, crop, "v1", "v2")
    project.store.write(video, project.samples(v1="b"))
    found = project.store.resolve_update(crop, max_attempts=1)
    assert (ids(found.new), found.failed) == (["v1", "v3"], 1)
    project.store.write(video, project.samples(v1="a"))
    assert ids(project.store.resolve_update(crop, max_attempts=1).new) == ["v3"]


def test_a_bump_of_the_code_makes_it_eligible_again(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    fail(project, crop, "v1")
    crop = project.feature("crop", fields={"default": "2"}, deps=[video])
    assert ids(project.store.resolve_update(crop, max_attempts=1).new) == ["v1", "v2", "v3"]


def test_a_stale_record_that_fails_is_left_out_too(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    project.process(crop)
    project.store.write(video, project.samples(v1="b", v2="b"))
    stale = project.store.resolve_update(crop).stale
    project.store.record_failure(crop, stale.filter(id="v2"), ValueError("no frames"))
    found = project.store.resolve_update(crop, max_attempts=1)
    assert (ids(found.stale), found.failed) == (["v1"], 1)


def test_a_limited_run_walks_past_what_fails(project: Project, crop: FeatureClass) -> None:
    fail(project, crop, "v1")
    found = project.store.resolve_update(crop, limit=2, max_attempts=1)
    assert ids(found.new) == ["v2", "v3"]


def test_failures_are_shown_until_the_record_is_done(project: Project, crop: FeatureClass) -> None:
    fail(project, crop, "v1", "v2", error="first")
    project.store.record_failure(
        crop,
        project.store.resolve_update(crop).new.filter(id="v1"),
        RuntimeError("second"),
        materialization_id="run 7",
    )
    shown = project.store.failures(crop).to_polars()
    assert shown.drop("metaxy_failed_at").to_dicts() == [
        {
            "id": "v1",
            "metaxy_attempts": 2,
            "metaxy_error": "RuntimeError: second",
            "metaxy_materialization_id": "run 7",
        },
        {
            "id": "v2",
            "metaxy_attempts": 1,
            "metaxy_error": "first",
            "metaxy_materialization_id": None,
        },
    ]
    project.process(crop)
    assert project.store.failures(crop).to_polars().columns == shown.columns
    assert project.store.failures(crop).to_polars().height == 0


def test_without_failures_there_is_an_empty_frame(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    assert project.store.failures(crop).to_polars().schema["id"] == pl.String
    assert project.store.resolve_update(crop, max_attempts=1).counts.new == 3


def test_ids_alone_are_enough_below_a_root(project: Project, crop: FeatureClass) -> None:
    assert project.store.record_failure(crop, ["v1", "v3"], "broken") == 2
    assert project.store.record_failure(crop, pl.DataFrame({"id": ["v3"]}), "broken") == 1
    assert project.store.record_failure(crop, [], "broken") == 0
    assert ids(project.store.resolve_update(crop, max_attempts=2).new) == ["v1", "v2"]


def test_a_root_fails_by_rows_of_its_increment(project: Project, video: FeatureClass) -> None:
    samples = project.samples(v1="a", v2="a")
    rows = project.store.resolve_update(video, samples).new
    project.store.record_failure(video, rows.filter(id="v1"), "broken")
    assert ids(project.store.resolve_update(video, samples, max_attempts=1).new) == ["v2"]
    changed = project.samples(v1="b", v2="a")
    assert ids(project.store.resolve_update(video, changed, max_attempts=1).new) == ["v1", "v2"]
    with project.refuses(InvalidWrite, "'video' is a root feature", "resolve_update"):
        project.store.record_failure(video, ["v1"], "broken")
    with project.refuses(InvalidWrite, "'video' is a root feature"):
        project.store.record_failure(video, samples, "broken")


def test_a_parent_of_an_expansion_fails_as_a_whole(project: Project, video: FeatureClass) -> None:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    scene = project.feature("scene", ids=["scene"], deps=[dep])
    project.store.write(video, project.samples(v1="a", v2="a"))
    fail(project, scene, "v2")
    found = project.store.resolve_update(scene, max_attempts=1)
    assert (ids(found.new), found.failed) == (["v1"], 1)
    children = found.new.with_columns(scene=pl.lit("v1.0"))
    project.store.write(scene, children, processed=found.new)
    assert project.store.failures(scene).to_polars()["id"].to_list() == ["v2"]


def test_a_field_added_later_makes_everything_eligible(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    fail(project, crop, "v1")
    crop = project.feature("crop", fields=["default", "mask"], deps=[video])
    assert project.store.resolve_update(crop, max_attempts=1).counts.new == 3
    fail(project, crop, "v1")
    assert project.store.resolve_update(crop, max_attempts=1).failed == 1


@pytest.mark.parametrize(
    ("failed", "error", "said"),
    [
        (["v9"], "broken", ["calls for no record v9", "ids of its increment"]),
        ([("v1", 2)], "broken", ["has the columns id", "tuple of 1"]),
        (["v1", 2], "broken", ["no common type"]),
        (["v1"], 7, ["error is 7", "text"]),
    ],
)
def test_what_cannot_have_failed_is_refused(
    project: Project, crop: FeatureClass, failed: list[object], error: str, said: list[str]
) -> None:
    with project.refuses(InvalidWrite, *said):
        project.store.record_failure(crop, failed, error)
    assert project.store.failures(crop).to_polars().height == 0


@pytest.mark.parametrize("maximum", [0, -1, 1.5, True, "2"])
def test_max_attempts_is_a_whole_number(project: Project, crop: FeatureClass, maximum: int) -> None:
    with project.refuses(InvalidWrite, "max_attempts", "a whole number from 1"):
        project.store.resolve_update(crop, max_attempts=maximum)


def test_a_failure_counts_whatever_the_order_of_the_fields(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    crop = project.feature("crop", fields=["a"], deps=[video])
    fail(project, crop, "v1")
    crop = project.feature("crop", fields=["b", "a"], deps=[video])
    assert project.store.resolve_update(crop, max_attempts=1).counts.new == 3
    fail(project, crop, "v1")
    found = project.store.resolve_update(crop, max_attempts=1)
    assert (found.counts.new, found.failed) == (2, 1)
    assert project.store.progress(crop).failing == 1


def test_success_ends_a_count_of_failures(project: Project, crop: FeatureClass) -> None:
    fail(project, crop, "v1")
    project.process(crop)
    forced = project.store.resolve_update(crop, stale_if="id = 'v1'", max_attempts=1)
    assert (ids(forced.stale), forced.failed) == (["v1"], 0)
    project.store.record_failure(crop, forced.stale, "again")
    assert project.store.failures(crop).to_polars()["id"].to_list() == ["v1"]
    forced = project.store.resolve_update(crop, stale_if="id = 'v1'", max_attempts=1)
    assert (forced.counts.stale, forced.failed) == (0, 1)


def test_a_failure_before_an_upstream_change_is_over_once_the_record_is_done(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    fail(project, crop, "v1")
    project.store.write(video, project.samples(v1="b"))
    project.process(crop)
    assert project.store.failures(crop).to_polars().height == 0


def test_one_id_given_twice_fails_once(project: Project, crop: FeatureClass) -> None:
    assert project.store.record_failure(crop, ["v1", "v1"], "broken") == 1
