"""Features with several deps, with deps that may be missing, and with filtered deps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


@pytest.mark.parametrize("number", [3, 4, pytest.param(7, marks=pytest.mark.slow)])
def test_a_feature_may_have_any_number_of_deps(project: Project, number: int) -> None:
    roots = [project.feature(f"root{n}", columns={f"c{n}": int}) for n in range(number)]
    joined = project.feature("joined", deps=roots)
    for n, root in enumerate(roots):
        samples = project.samples(v1="a", v2="a").with_columns(pl.lit(n).alias(f"c{n}"))
        project.store.write(root, samples)

    columns = {f"c{n}": n for n in range(number)}
    new = project.store.resolve_update(joined).new
    assert project.rows(new) == [{"id": "v1", **columns}, {"id": "v2", **columns}]
    project.process(joined)

    for n in (0, number - 1):
        moved = project.samples(v2=f"b{n}").with_columns(pl.lit(n).alias(f"c{n}"))
        project.store.write(roots[n], moved)
        assert project.process(joined) == mx.Counts(stale=1)
    assert not project.counts(joined)


def test_a_diamond_of_two_dep_features(project: Project) -> None:
    left, right = project.feature("left"), project.feature("right")
    first = project.feature("first", deps=[left, right])
    second = project.feature("second", deps=[right, left])
    bottom = project.feature("bottom", deps=[first, second])
    for root in (left, right):
        project.store.write(root, project.samples(v1="a", v2="a"))
    for feature in (first, second, bottom):
        assert project.process(feature) == mx.Counts(new=2)

    project.store.write(left, project.samples(v1="b"))

    assert not project.counts(bottom)
    assert project.process(first) == mx.Counts(stale=1)
    assert project.process(bottom) == mx.Counts(stale=1)
    assert project.process(second) == mx.Counts(stale=1)
    assert project.process(bottom) == mx.Counts(stale=1)
    assert not project.counts(bottom)


def test_an_optional_feature_that_was_never_written_is_empty(
    project: Project, video: FeatureClass, both: FeatureClass
) -> None:
    project.store.write(video, project.samples(v1="a"))
    increment = project.store.resolve_update(both)
    assert increment.counts == mx.Counts(new=1)
    assert project.rows(increment.new) == [{"id": "v1", "name": None}]
    project.store.write(both, increment.new)
    assert not project.counts(both)


@pytest.mark.parametrize("override", ["", "-"])
def test_an_optional_record_that_appears_with_an_empty_data_version_is_a_change_too(
    project: Project, video: FeatureClass, label: FeatureClass, both: FeatureClass, override: str
) -> None:
    project.store.write(video, project.samples(v1="a"))
    project.process(both)
    data_version = pl.struct(default=pl.lit(override))
    sample = project.labels(v1="l").with_columns(metaxy_data_version_by_field=data_version)
    project.store.write(label, sample)
    assert project.counts(both) == mx.Counts(stale=1)


def test_a_filter_is_applied_after_the_latest_row_is_chosen(project: Project) -> None:
    video = project.feature("video", columns={"size": int})
    small = mx.FeatureDep(feature=video, filter="size = 1")
    copy = project.feature("copy", deps=[small])
    for size in (1, 2):
        project.store.write(video, project.samples(v1="a").with_columns(size=pl.lit(size)))
    assert project.records(video, filters="size = 1") == []
    assert not project.counts(copy)
