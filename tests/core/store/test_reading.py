"""Reading: the columns that were asked for, of the latest state, in the library of choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import metaxy_core as mx
from metaxy_core.errors import UnknownColumn

if TYPE_CHECKING:
    from tests.conftest import Project

SYSTEM = [
    "metaxy_provenance_by_field",
    "metaxy_data_version_by_field",
    "metaxy_provenance",
    "metaxy_data_version",
    "metaxy_feature_version",
    "metaxy_commit",
    "metaxy_created_at",
    "metaxy_deleted_at",
    "metaxy_materialization_id",
]


@pytest.fixture
def video(project: Project) -> type[mx.Feature]:
    video = project.feature("video", columns={"path": str, "size": int})
    project.store.write(video, rows(project, ("v1", "a", 1), ("v2", "b", 2)))
    project.store.write(video, rows(project, ("v1", "c", 3)))
    return video


def rows(project: Project, *values: tuple[str, str, int]) -> pl.DataFrame:
    frame = pl.DataFrame(list(values), ["id", "path", "size"], orient="row")
    return frame.join(project.samples(**{name: str(size) for name, _, size in values}), on="id")


def test_everything_is_read_when_nothing_is_said(project: Project, video: type[mx.Feature]) -> None:
    frame = project.store.read(video).to_polars()
    assert frame.columns == ["id", "path", "size", *SYSTEM]
    assert project.rows(frame) == [
        {"id": "v1", "path": "c", "size": 3},
        {"id": "v2", "path": "b", "size": 2},
    ]


def test_a_feature_that_was_never_written_reads_as_an_empty_table(project: Project) -> None:
    video = project.feature("video", columns={"path": str, "size": int})
    before = project.store.read(video).to_polars()
    assert before.height == 0
    project.store.write(video, rows(project, ("v1", "a", 1)))
    assert project.store.read(video).to_polars().schema == before.schema


@pytest.mark.parametrize(
    "columns",
    [["size"], ["path", "id"], ["metaxy_provenance"], ["metaxy_commit", "path"], ["id", *SYSTEM]],
    ids=repr,
)
def test_the_columns_asked_for_are_what_comes(
    project: Project, video: type[mx.Feature], columns: list[str]
) -> None:
    everything = project.store.read(video).to_polars()
    chosen = project.store.read(video, columns=columns).to_polars()
    assert chosen.columns == columns
    assert chosen.sort(columns).equals(everything.select(columns).sort(columns))


def test_filters_see_columns_that_are_not_asked_for(
    project: Project, video: type[mx.Feature]
) -> None:
    frame = project.store.read(video, columns=["path"], filters="size = 3").to_polars()
    assert frame.to_dicts() == [{"path": "c"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size > 2", ["v1"]),
        ("size = 1", []),
        ("path = 'a'", []),
        ("NOT (size = 3)", ["v2"]),
        ("size IN (2, 3) AND path <> 'b'", ["v1"]),
        ("size BETWEEN 1 AND 2 OR path LIKE 'c%'", ["v1", "v2"]),
        ("path IS NULL", []),
        ("path IS NOT NULL", ["v1", "v2"]),
        ("size * 2 - 1 = 3", ["v2"]),
        ("size > -1.5", ["v1", "v2"]),
        ("id = 'it''s'", []),
    ],
)
def test_filters_choose_among_the_latest_rows(
    project: Project, video: type[mx.Feature], text: str, expected: list[str]
) -> None:
    found = project.store.read(video, columns=["id"], filters=text).to_polars()["id"]
    assert sorted(found) == expected


def test_filters_apply_to_every_row_of_a_history(project: Project, video: type[mx.Feature]) -> None:
    assert project.records(video, history=True, filters="id = 'v1'") == [
        {"id": "v1", "path": "a", "size": 1},
        {"id": "v1", "path": "c", "size": 3},
    ]


def test_a_value_of_a_filter_is_a_value_and_never_sql(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    nasty = "x' OR 1=1; DROP TABLE video; --"
    project.store.write(video, project.samples(v1="a").with_columns(path=pl.lit(nasty)))
    quoted = nasty.replace("'", "''")
    assert project.records(video, filters=f"path = '{quoted}'") == [{"id": "v1", "path": nasty}]
    assert project.records(video, filters="path = 'x'") == []


def test_a_result_is_read_each_time_it_is_asked_for(
    project: Project, video: type[mx.Feature]
) -> None:
    records = project.store.read(video, columns=["id"])
    assert records.to_polars().height == 2
    project.store.write(video, rows(project, ("v3", "d", 4)))
    assert records.to_polars().height == 3


def test_every_library_reads_the_same(project: Project, video: type[mx.Feature]) -> None:
    records = project.store.read(video)
    frame = records.to_polars()
    assert isinstance(frame, pl.DataFrame)
    arrow = records.to_arrow()
    assert isinstance(arrow, pa.Table)
    assert pl.DataFrame(arrow).equals(frame)
    pandas = records.to_pandas()
    assert isinstance(pandas, pd.DataFrame)
    assert pandas["metaxy_provenance"].to_list() == frame["metaxy_provenance"].to_list()
    assert pandas["metaxy_provenance_by_field"].to_list() == [
        dict(row) for row in frame["metaxy_provenance_by_field"]
    ]
    assert pl.DataFrame(records.to_ibis().to_pyarrow()).sort("id").equals(frame.sort("id"))


def test_versions_are_sixteen_hex_digits(project: Project, video: type[mx.Feature]) -> None:
    frame = project.store.read(video).to_polars()
    for name in ("metaxy_provenance", "metaxy_data_version", "metaxy_feature_version"):
        assert frame[name].str.contains("^[0-9a-f]{16}$").all()
    by_field = frame["metaxy_provenance_by_field"].struct.field("default")
    assert by_field.str.contains("^[0-7][0-9a-f]{15}$").all()


def test_an_unknown_column_is_refused_with_its_neighbour(
    project: Project, video: type[mx.Feature]
) -> None:
    with project.refuses(UnknownColumn, "'paht'", "'video'", "did you mean 'path'?"):
        project.store.read(video, columns=["paht"]).to_polars()


def test_an_unknown_column_in_a_filter_is_refused_with_its_neighbour(
    project: Project, video: type[mx.Feature]
) -> None:
    with project.refuses(UnknownColumn, "'siez'", "'video'", "did you mean 'size'?"):
        project.store.read(video, filters="siez > 1").to_polars()


@pytest.mark.parametrize("columns", [[], ["id", "id"], "path"], ids=repr)
def test_columns_that_are_no_list_of_names_are_refused(
    project: Project, video: type[mx.Feature], columns: list[str]
) -> None:
    with project.refuses(UnknownColumn, f"columns={columns!r}", "'video'", "id, path, size"):
        project.store.read(video, columns=columns).to_polars()


def test_other_id_columns_read_by_their_own_rule(project: Project) -> None:
    features = {}
    for ids in (["a"], ["a", "b"]):
        features[len(ids)] = project.feature("video", ids=ids, columns={"a": str, "b": str})
        frame = pl.DataFrame(
            {"a": ["1", "1"][: len(ids)], "b": ["1", "2"][: len(ids)]}
        ).with_columns(metaxy_provenance_by_field=pl.struct(default=pl.lit("x")))
        project.store.write("video", frame)
        project.store.write("video", frame)
        assert project.store.read("video").to_polars().height == len(ids)
        assert project.store.count("video") == len(ids)
