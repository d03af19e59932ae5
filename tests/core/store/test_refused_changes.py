"""Writes that would lose something are refused, and leave the store as it was."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidFilter, InvalidWrite, MetaxyError, WrongColumnType

if TYPE_CHECKING:
    from tests.conftest import Project


def test_a_feature_given_twice_to_one_write_is_refused(project: Project) -> None:
    video = project.feature("video")
    with project.refuses(InvalidWrite, "'video'", "twice"):
        project.store.write_all({video: project.samples(v1="a"), "video": project.samples(v2="a")})


@pytest.mark.parametrize(
    ("first", "second"),
    [({"a": 1}, {"a": 1, "b": 2}), ([{"a": 1}], [{"a": 1, "b": 2}]), ({"a": 1}, {"z": 2})],
    ids=str,
)
def test_a_struct_with_further_members_is_refused_and_not_cut(
    project: Project, first: Any, second: Any
) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a").with_columns(box=pl.Series([first])))
    with project.refuses(WrongColumnType, "'box'", "'video'"):
        project.store.write(video, project.samples(v2="a").with_columns(box=pl.Series([second])))


@pytest.mark.parametrize(
    "values",
    [pl.Series([[timedelta(1)]]), pl.Series([{"for": timedelta(1)}])],
    ids=["list", "struct"],
)
def test_a_type_that_could_not_be_read_back_is_refused(project: Project, values: pl.Series) -> None:
    video = project.feature("video")
    with project.refuses(WrongColumnType, "'odd'", "'video'"):
        project.store.write(video, project.samples(v1="a").with_columns(odd=values))


def test_a_column_named_like_an_id_of_a_join_does_no_harm(project: Project) -> None:
    video = project.feature("video")
    for version in ("a", "b"):
        samples = project.samples(v1=version).with_columns(id_right=pl.lit(version))
        project.store.write(video, samples)
    (row,) = project.records(video)
    assert row == {"id": "v1", "id_right": "b"}


def test_one_missing_number_in_a_pandas_frame_leaves_the_other_samples_alone(
    project: Project,
) -> None:
    with mx.FeatureGraph().use():
        spec = mx.FeatureSpec(
            key="clip", id_columns=["id"], fields=[mx.FieldSpec(key="x", version_from=["size"])]
        )
        clip = type("Clip", (mx.Feature,), {"__annotations__": {"size": int | None}}, spec=spec)
        samples = pl.DataFrame({"id": ["a", "b"], "size": [1, 2]})
        project.store.write(clip, samples)
        more = pl.DataFrame({"id": ["a", "b", "c"], "size": [1, 2, None]}).to_pandas()
        assert project.store.resolve_update(clip, more).counts == mx.Counts(new=1)


def test_true_is_not_one_whatever_was_asked_before(project: Project) -> None:
    video = project.feature("video", columns={"flag": bool})
    project.store.write(video, project.samples(v1="a").with_columns(flag=pl.lit(value=True)))
    copy = project.feature("copy", deps=[video])
    assert project.store.resolve_update(copy, filters="flag = TRUE").counts.new == 1
    with pytest.raises(InvalidFilter, match="flag"):
        project.store.resolve_update(copy, filters="flag = 1")


@pytest.mark.parametrize("text", ["day > 'yesterday'", "path = 'a\0b'", "day > path"])
def test_a_value_that_no_column_can_have_is_refused(project: Project, text: str) -> None:
    video = project.feature("video", columns={"n": int, "path": str})
    samples = project.samples(v1="a").with_columns(n=pl.lit(1), path=pl.lit("p"))
    project.store.write(video, samples)
    with pytest.raises(MetaxyError):
        project.store.read(video, filters=text).to_polars()


@pytest.mark.parametrize("limit", ["1", 1.5, 0, True], ids=repr)
def test_a_limit_that_is_no_number_of_records_is_refused(project: Project, limit: Any) -> None:
    video = project.feature("video")
    with project.refuses(InvalidWrite, "limit", repr(limit), "whole number"):
        project.store.resolve_update(video, project.samples(v1="a"), limit=limit)


def test_batches_of_no_size_are_refused(project: Project) -> None:
    video = project.feature("video")
    increment = project.store.resolve_update(video, project.samples(v1="a"))
    with pytest.raises(InvalidWrite, match="size is 0"):
        next(increment.batches(0))


def test_an_expansion_may_begin_with_parents_that_have_no_child(project: Project) -> None:
    video = project.feature("video")
    with mx.FeatureGraph.active().use():
        spec = mx.FeatureSpec(
            key="chunk",
            id_columns=["chunk"],
            deps=[mx.FeatureDep(feature=video, lineage=mx.expansion())],
        )
        chunk = type("Chunk", (mx.Feature,), {}, spec=spec)
    project.store.write(video, project.samples(v1="a", v2="a"))
    increment = project.store.resolve_update(chunk)
    none = increment.new.with_columns(chunk=pl.lit("c")).head(0)
    project.store.write(chunk, none, processed=increment.new.filter(pl.col("id") == "v1"))

    left = project.store.resolve_update(chunk)
    assert left.new["id"].to_list() == ["v2"]
    project.store.write(chunk, left.new.with_columns(chunk=pl.lit("c")))
    assert not project.store.resolve_update(chunk).counts
    assert project.store.count(chunk) == 1
