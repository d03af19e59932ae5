"""Which columns of a frame are stored, under which name and type, and which are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    InvalidSpec,
    MissingColumn,
    NullValue,
    UnexpectedColumn,
    WrongColumnType,
)

if TYPE_CHECKING:
    from tests.conftest import Project


def sample(project: Project, **columns: Any) -> pl.DataFrame:
    return project.samples(v1="a").with_columns(**{k: pl.lit(v) for k, v in columns.items()})


def test_a_declared_column_that_is_there_later_can_be_used_downstream_before(
    project: Project,
) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, sample(project, path="p"))
    project.feature("video", columns={"path": str, "size": int})
    copy = project.feature("copy", deps=[video])
    new = project.store.resolve_update(copy).new
    assert project.rows(new) == [{"id": "v1", "path": "p", "size": None}]


def test_a_column_no_longer_declared_keeps_its_old_values(project: Project) -> None:
    video = project.feature("video", columns={"path": str, "size": int})
    project.store.write(video, sample(project, path="p", size=1))
    project.feature("video", columns={"path": str})
    second = project.samples(v2="a").with_columns(path=pl.lit("q"))
    project.store.write(video, second)
    assert project.records(video) == [
        {"id": "v1", "path": "p", "size": 1},
        {"id": "v2", "path": "q", "size": None},
    ]


def test_undeclared_columns_are_dropped_by_default(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, sample(project, path="p", scratch=1))
    assert project.records(video) == [{"id": "v1", "path": "p"}]


def test_undeclared_columns_are_stored_where_extra_columns_are_allowed(project: Project) -> None:
    video = project.feature("video", columns={"path": str}, extra="allow")
    project.store.write(video, sample(project, path="p", scratch=1))
    assert project.records(video) == [{"id": "v1", "path": "p", "scratch": 1}]


def test_undeclared_columns_are_refused_where_extra_columns_are_forbidden(
    project: Project,
) -> None:
    video = project.feature("video", columns={"path": str}, extra="forbid")
    project.store.write(video, sample(project, path="p"))
    with project.refuses(UnexpectedColumn, "'video'", "['scratch']", "extra='forbid'", "drop them"):
        project.store.write(video, sample(project, path="p", scratch=1))


def test_the_columns_of_an_increment_fit_a_class_that_forbids_extra_columns(
    project: Project,
) -> None:
    video = project.feature("video", fields=["default"], extra="forbid")
    copy = project.feature("copy", deps=[video], extra="forbid")
    samples = project.samples(v1="a")
    assert project.process(video, samples) == mx.Counts(new=1)
    assert project.process(copy) == mx.Counts(new=1)
    project.store.write(copy, project.store.read(copy).to_polars())
    assert not project.counts(copy)


def test_a_class_without_columns_takes_them_from_what_is_written(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, sample(project, path="p"))
    second = project.samples(v2="a").with_columns(size=pl.lit(2), path=pl.lit("q"))
    project.store.write(video, second)
    assert project.records(video) == [
        {"id": "v1", "path": "p", "size": None},
        {"id": "v2", "path": "q", "size": 2},
    ]


def test_a_column_that_was_taken_over_keeps_its_type(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, sample(project, size=1))
    with project.refuses(WrongColumnType, "'size'", "'video'", "string", "int32", "Cast it"):
        project.store.write(video, sample(project, size="large"))


@pytest.mark.parametrize(
    ("kind", "value", "found", "expected"),
    [
        (int, "1", "string", "int64"),
        (int, 1.5, "double", "int64"),
        (str, 1, "int", "string"),
        (bool, 1, "int", "bool"),
        (float, "1.5", "string", "double"),
        (list[int], ["a"], "list", "list<item: int64>"),
        (list[str], "a", "string", "list<item: string>"),
        (bytes, "a", "string", "binary"),
    ],
)
def test_a_column_of_another_type_than_the_declared_one_is_refused(
    project: Project, kind: Any, value: Any, found: str, expected: str
) -> None:
    video = project.feature("video", columns={"value": kind})
    frame = project.samples(v1="a").with_columns(value=pl.Series([value]))
    with project.refuses(WrongColumnType, "'value'", "'video'", found, expected, "Cast it"):
        project.store.write(video, frame)


def test_an_integer_too_large_for_its_column_is_refused(project: Project) -> None:
    video = project.feature("video", columns={"size": int})
    frame = project.samples(v1="a").with_columns(size=pl.Series([2**63], dtype=pl.UInt64))
    with project.refuses(WrongColumnType, "'size'", "'video'", "uint64", "int64"):
        project.store.write(video, frame)


def test_a_whole_number_is_a_float_where_a_float_is_declared(project: Project) -> None:
    video = project.feature("video", columns={"duration": float})
    project.store.write(video, sample(project, duration=3))
    assert project.records(video) == [{"id": "v1", "duration": 3.0}]


def test_a_required_column_that_is_missing_is_refused(project: Project) -> None:
    video = project.feature("video", columns={"path": str, "size": int})
    with project.refuses(MissingColumn, "'video'", "'size'", "declared by its class", "id, path"):
        project.store.write(video, sample(project, path="p"))


def test_a_column_with_a_default_may_be_missing(project: Project) -> None:
    columns = {
        "note": (str, "none"), "score": (float, 0), "size": (int | None, None), "ok": (bool, True)
    }  # fmt: skip
    video = project.feature("video", columns=columns)
    project.store.write(video, project.samples(v1="a"))
    assert project.records(video) == [
        {"id": "v1", "note": "none", "score": 0.0, "size": None, "ok": True}
    ]


def test_a_value_that_is_given_goes_before_the_default(project: Project) -> None:
    video = project.feature("video", columns={"note": (str, "none")})
    project.store.write(video, sample(project, note="mine"))
    assert project.records(video) == [{"id": "v1", "note": "mine"}]


def test_null_in_a_column_that_does_not_admit_it_is_refused(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    paths = pl.Series("path", ["p", None, None])
    frame = project.samples(v1="a", v2="a", v3="a").with_columns(paths)
    with project.refuses(NullValue, "'path'", "'video'", "2 record(s)", "v2, v3", "`str | None`"):
        project.store.write(video, frame)


@pytest.mark.parametrize("dtype", [pl.String, pl.Null])
def test_null_in_a_column_that_admits_it_is_stored(
    project: Project, dtype: type[pl.DataType]
) -> None:
    video = project.feature("video", columns={"path": str | None})
    frame = project.samples(v1="a").with_columns(path=pl.lit(None, dtype=dtype))
    project.store.write(video, frame)
    project.store.write(video, project.samples(v2="a").with_columns(path=pl.lit("p")))
    assert project.records(video) == [{"id": "v1", "path": None}, {"id": "v2", "path": "p"}]


def test_an_undeclared_column_of_nothing_but_null_waits_for_its_type(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, sample(project, size=None))
    project.store.write(video, project.samples(v2="a").with_columns(size=pl.lit(2)))
    project.store.write(video, project.samples(v3="a").with_columns(size=pl.lit(None)))
    assert [row["size"] for row in project.records(video)] == [None, 2, None]


def test_unusual_names_of_columns_are_names(project: Project) -> None:
    columns = {'a "quoted" one': 1, "with space": 2, "select": 3, "größe": 4, "a.b": 5, "x'y": 6}
    video = project.feature("video")
    copy = project.feature("copy", deps=[video])
    project.store.write(video, sample(project, **columns))
    assert project.records(video) == [{"id": "v1", **columns}]
    assert project.rows(project.store.resolve_update(copy).new) == [{"id": "v1", **columns}]


@pytest.mark.parametrize("name", ["metaxy_mine", "METAXY_mine", "metaxy_sample__default"])
def test_a_column_with_a_reserved_name_is_refused(project: Project, name: str) -> None:
    video = project.feature("video")
    samples = project.samples(v1="a")
    reserved = samples.with_columns(pl.lit(1).alias(name))
    with project.refuses(UnexpectedColumn, f"'{name}'", "'video'", "begins with 'metaxy_'"):
        project.store.write(video, reserved)
    with project.refuses(UnexpectedColumn, f"'{name}'", "'video'", "begins with 'metaxy_'"):
        project.store.resolve_update(video, reserved)


def test_declaring_a_column_with_a_reserved_name_is_refused(project: Project) -> None:
    with pytest.raises(InvalidSpec, match=r"'metaxy_mine' of 'video' .* rename it"):
        project.feature("video", columns={"metaxy_mine": int})
    assert len(mx.FeatureGraph.active()) == 0


def test_columns_that_differ_only_in_case_are_refused(project: Project) -> None:
    video = project.feature("video")
    with project.refuses(UnexpectedColumn, "'video'", "'Path' and 'path'", "rename or drop"):
        project.store.write(video, sample(project, Path="p", path="q"))


def test_a_column_that_differs_from_a_known_one_only_in_case_is_refused(project: Project) -> None:
    free = project.feature("free")
    declared = project.feature("declared", columns={"path": (str, "none")}, extra="allow")
    project.store.write(free, sample(project, path="p"))
    for feature in (free, declared):
        name = f"'{feature.spec.key}'"
        with project.refuses(UnexpectedColumn, name, "'Path'", "'path'", "rename it"):
            project.store.write(feature, sample(project, Path="P"))


@pytest.mark.parametrize("name", ["", "a\0b", "__filename", "__fragment_index"])
def test_a_column_that_cannot_be_kept_is_refused(project: Project, name: str) -> None:
    video = project.feature("video")
    samples = project.samples(v1="a").to_arrow().append_column(name, pa.array(["x"]))
    for call in (project.store.write, project.store.resolve_update):
        with project.refuses(UnexpectedColumn, "'video'", "cannot be kept", "rename it"):
            call(video, samples)


def test_two_columns_of_one_name_are_refused(project: Project) -> None:
    video = project.feature("video")
    arrow = project.samples(v1="a").to_arrow()
    doubled = arrow.append_column("path", pa.array(["p"])).append_column("path", pa.array(["q"]))
    pandas = sample(project, path="p", other="q").to_pandas().rename(columns={"other": "path"})
    for frame in (doubled, pandas):
        with project.refuses(UnexpectedColumn, "'video'", "'path' and 'path'", "rename or drop"):
            project.store.write(video, frame)
        with project.refuses(UnexpectedColumn, "'video'", "'path' and 'path'", "rename or drop"):
            project.store.resolve_update(video, frame)
