"""Ids: of which types they may be, and what is refused before it can do harm."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

import metaxy_core as mx
from metaxy_core.errors import DuplicateIds, MissingColumn, NullId, WrongColumnType

if TYPE_CHECKING:
    from tests.conftest import Project

VERSION = pl.struct(default=pl.lit("a")).alias("metaxy_provenance_by_field")
CLIPS = pl.DataFrame({"show": ["s1", "s1", "s2"], "number": [1, 2, 1]}).with_columns(VERSION)


def identified(values: list[Any], dtype: Any = None) -> pl.DataFrame:
    return pl.DataFrame({"id": pl.Series(values, dtype=dtype)}).with_columns(VERSION)


@pytest.mark.parametrize(
    "values",
    [
        ["v1", "V1", "v1 ", "", "ä", "a'b\"c|d\\e", "1"],
        [1, -2, 2**40, 0],
        [True, False],
        [date(2026, 1, 1), date(1969, 7, 20)],
        [
            datetime.fromisoformat("2026-01-01T00:00:00.000001"),
            datetime.fromisoformat("2026-01-01"),
        ],
        [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)],
        [Decimal("1.50"), Decimal("-2.25")],
        [b"", b"\x00\x01", b"\xff"],
    ],
    ids=lambda values: type(values[0]).__name__,
)
def test_ids_of_every_exact_type_identify_records(project: Project, values: list[Any]) -> None:
    video = project.feature("video")
    copy = project.feature("copy", deps=[video])
    project.store.write(video, identified(values))
    assert not project.counts(video, identified(values))
    assert project.process(copy) == mx.Counts(new=len(values))
    stored = project.store.read(copy).to_polars()["id"]
    assert sorted(stored) == sorted(values)

    project.store.delete(video, identified(values[:1]))

    orphaned = project.store.resolve_update(copy).orphaned
    assert orphaned["id"].to_list() == values[:1]


def test_integers_of_another_width_are_the_same_ids(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, identified([1, 2], pl.Int64))
    assert not project.counts(video, identified([1, 2], pl.Int32))
    project.store.write(video, identified([2, 3], pl.UInt8))
    assert project.store.count(video) == 3


def test_ids_of_several_columns_identify_together(project: Project) -> None:
    clip = project.feature("clip", ids=["show", "number"])
    copy = project.feature("copy", ids=["number", "show"], deps=[clip])
    project.store.write(clip, CLIPS)
    assert project.process(copy) == mx.Counts(new=3)
    moved = CLIPS.head(1).with_columns(
        pl.struct(default=pl.lit("b")).alias(VERSION.meta.output_name())
    )
    project.store.write(clip, moved)
    stale = project.store.resolve_update(copy).stale
    assert project.rows(stale) == [
        {"number": 1, "show": "s1", "metaxy_changed_fields": ["default"]}
    ]


def test_sample_uid_is_the_id_where_none_is_declared(
    graph: mx.FeatureGraph, project: Project
) -> None:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video")):
        pass

    samples = project.samples(v1="a").rename({"id": "sample_uid"})
    project.store.write(Video, samples)
    assert not project.counts(Video, samples)


def test_many_duplicate_ids_are_counted_and_some_are_named(project: Project) -> None:
    video = project.feature("video")
    ids = [f"v{n:02}" for n in range(20)]
    with project.refuses(DuplicateIds, "20 id(s)", "v00, v01, v02, v03, v04"):
        project.store.write(video, identified(ids * 2))


def test_duplicate_ids_of_several_columns_are_named_as_pairs(project: Project) -> None:
    clip = project.feature("clip", ids=["show", "number"])
    with project.refuses(DuplicateIds, "'clip'", "1 id(s)", "('s1', 1)"):
        project.store.write(clip, pl.concat([CLIPS, CLIPS.head(1)]))


def test_ids_that_agree_in_one_column_only_are_no_duplicates(project: Project) -> None:
    clip = project.feature("clip", ids=["show", "number"])
    commit = project.store.write(clip, CLIPS)
    assert commit is not None
    assert commit.rows == 3


def test_a_null_id_is_refused_in_the_samples(project: Project) -> None:
    video = project.feature("video")
    with project.refuses(NullId, "'id'", "'video'", "row 0", "Drop these rows"):
        project.store.resolve_update(video, identified([None, "v1"]))


def test_a_null_in_one_of_several_id_columns_is_refused(project: Project) -> None:
    clip = project.feature("clip", ids=["show", "number"])
    holed = CLIPS.with_columns(number=pl.Series([1, None, 1]))
    with project.refuses(NullId, "'number'", "'clip'", "row 1"):
        project.store.write(clip, holed)


def test_ids_that_are_all_null_are_refused(project: Project) -> None:
    video = project.feature("video")
    with project.refuses(NullId, "'id'", "'video'"):
        project.store.write(video, identified([None, None]))


def test_a_missing_id_column_is_refused_and_the_columns_there_are_are_named(
    project: Project,
) -> None:
    video = project.feature("video")
    nameless = identified(["v1"]).rename({"id": "video_id"})
    with project.refuses(MissingColumn, "'video'", "'id'", "video_id", "Add the column"):
        project.store.write(video, nameless)
    with project.refuses(MissingColumn, "'video'", "'id'", "video_id", "Add the column"):
        project.store.resolve_update(video, nameless)


@pytest.mark.parametrize("values", [[1.5], [float("nan")], [["a"]], [{"a": 1}]], ids=str)
def test_ids_that_cannot_be_compared_exactly_are_refused(
    project: Project, values: list[Any]
) -> None:
    video = project.feature("video")
    with project.refuses(WrongColumnType, "'id'", "'video'", "it is an id column", "Cast it"):
        project.store.write(video, identified(values))
    with project.refuses(WrongColumnType, "'id'", "'video'", "it is an id column", "Cast it"):
        project.store.resolve_update(video, identified(values))


def test_ids_of_another_type_than_the_stored_ones_are_refused(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, identified(["1"]))
    with project.refuses(WrongColumnType, "'id'", "'video'", "int64", "string", "Cast it"):
        project.store.write(video, identified([1]))
    with project.refuses(WrongColumnType, "'id'", "'video'", "int64", "string", "samples"):
        project.store.resolve_update(video, identified([1]))


def test_ids_of_another_type_than_the_declared_one_are_refused(project: Project) -> None:
    video = project.feature("video", columns={"id": str})
    with project.refuses(WrongColumnType, "'id'", "'video'", "int64", "string", "Cast it"):
        project.store.write(video, identified([1]))


def test_deps_whose_ids_are_of_different_types_are_refused(project: Project) -> None:
    video, label = project.feature("video"), project.feature("label")
    both = project.feature("both", deps=[video, label])
    project.store.write(video, identified(["1"]))
    project.store.write(label, identified([1]))
    with project.refuses(WrongColumnType, "'id'", "'both'", "'label'", "int64", "string"):
        project.store.resolve_update(both)


def test_ids_come_to_have_the_type_that_they_have_upstream(project: Project) -> None:
    """Frame libraries know no times in seconds, so that an increment's ids come back as others."""
    video = project.feature("video")
    ids = pa.array([1, 2], pa.timestamp("s"))
    versions = pa.array([{"default": "a"}] * 2)
    project.store.write(video, pa.table({"id": ids, "metaxy_provenance_by_field": versions}))
    copy = project.feature("copy", deps=[video])
    assert project.process(copy) == mx.Counts(new=2)
    assert not project.counts(copy)


def test_ids_of_another_type_than_upstream_are_refused(project: Project) -> None:
    video = project.feature("video")
    project.process(video, project.samples(v1="a"))
    copy = project.feature("copy", deps=[video])
    rows = project.store.resolve_update(copy).new.with_columns(id=pl.lit(date(2026, 1, 1)))
    with pytest.raises(WrongColumnType, match="id"):
        project.store.write(copy, rows)
