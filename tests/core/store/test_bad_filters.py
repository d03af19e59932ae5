"""Filter text is refused unless it is one condition over columns; nothing in it ever runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidFilter, MetaxyError, UnknownColumn

if TYPE_CHECKING:
    from tests.conftest import Project

NO_CONDITION = [
    "",
    "   ",
    "1",
    "'x'",
    "NULL",
    "size + 1",
    "size = 1,",
    "size = ",
    "= 1",
    "(size = 1",
    "size = 1; DROP TABLE video",
    "size = 1; SELECT 1",
    "1 = 1) OR (1 = 1; --",
    "size = 1 -- comment\n; DELETE FROM video",
    "SELECT * FROM video",
    "DROP TABLE video",
    "size = (SELECT max(size) FROM video)",
    "EXISTS (SELECT 1)",
    "id IN (SELECT id FROM video)",
    "size IN ()",
    "read_text('/etc/passwd') = 'x'",
    "getenv('HOME') = 'x'",
    "lower(path) = 'a'",
    "CASE WHEN true THEN true END",
    "CAST(path AS INTEGER) = 1",
    "path::int = 1",
    "size = ?",
    "size = :x",
    "* = 1",
    "path || 'x' = 'ax'",
    "path SIMILAR TO 'a'",
    "path ~ 'a'",
    "path GLOB 'a'",
    "size = 1 UNION SELECT 1",
    "size & 1 = 1",
    "[1, 2] = size",
    "{'a': 1} = size",
    "size = ANY(ARRAY[1])",
    "row_number() OVER () = 1",
    "size = 1 ORDER BY size",
    "size := 1",
    "@@version = 1",
    "PRAGMA version",
    "ATTACH 'other.duckdb'",
    "COPY video TO 'out.csv'",
    "INSTALL httpfs",
    "size = 1\x00",
    "path LIKE size",
    "path LIKE 5",
    "size IN (1, size)",
]

WRONG_TYPES = [
    "path",
    "size",
    "size = 'large'",
    "size > 'large'",
    "path = 5",
    "path > 5",
    "path + 1 = 2",
    "size LIKE '1%'",
    "path IN (1, 2)",
    "size IN ('a')",
    "path BETWEEN 1 AND 2",
    "path AND size = 1",
    "NOT path",
    "path OR true",
    "path IS TRUE",
    "size = true",
]


@pytest.fixture
def video(project: Project) -> type[mx.Feature]:
    video = project.feature("video", columns={"path": str, "size": int})
    samples = project.samples(v1="a", v2="a")
    project.store.write(video, samples.with_columns(path=pl.lit("a"), size=pl.Series([1, 2])))
    return video


@pytest.mark.parametrize("text", NO_CONDITION)
def test_what_is_no_condition_is_refused_before_the_store_is_asked(
    project: Project, video: type[mx.Feature], text: str
) -> None:
    with project.refuses(InvalidFilter, repr(text), "Allowed are columns, literals, comparisons"):
        project.store.delete(video, filters=text)
    with project.refuses(InvalidFilter, repr(text)):
        project.store.read(video, filters=text).to_polars()
    with project.refuses(MetaxyError, repr(text)):
        mx.FeatureDep(feature=video, filter=text)


@pytest.mark.parametrize("text", WRONG_TYPES)
def test_a_comparison_of_types_that_do_not_compare_is_refused(
    project: Project, video: type[mx.Feature], text: str
) -> None:
    with project.refuses(MetaxyError, text, "'video'"):
        project.store.delete(video, filters=text)
    with project.refuses(MetaxyError, text, "'video'"):
        project.store.read(video, filters=text).to_polars()


def test_an_unknown_column_in_a_dep_s_filter_is_refused_when_the_graph_is_built(
    project: Project, video: type[mx.Feature]
) -> None:
    dep = mx.FeatureDep(feature=video, filter="siez > 1")
    with project.refuses(UnknownColumn, "'copy'", "'siez'", "'video'", "did you mean 'size'?"):
        project.feature("copy", deps=[dep])
    assert "copy" not in mx.FeatureGraph.active()


def test_a_division_by_zero_matches_nothing(project: Project, video: type[mx.Feature]) -> None:
    assert project.records(video, filters="size / 0 > 1 AND size % 0 = 1") == []


def test_a_very_deep_filter_is_refused_or_answered(
    project: Project, video: type[mx.Feature]
) -> None:
    text = "(" * 2_000 + "size = 1" + ")" * 2_000
    try:
        found = project.records(video, filters=text)
    except InvalidFilter:
        return
    assert [row["id"] for row in found] == ["v1"]


def test_a_long_list_of_values_is_answered(project: Project, video: type[mx.Feature]) -> None:
    values = ", ".join(str(n) for n in range(2, 2_000))
    found = project.records(video, filters=f"size IN ({values})")
    assert [row["id"] for row in found] == ["v2"]


def test_null_in_a_list_of_values_matches_nothing_more(
    project: Project, video: type[mx.Feature]
) -> None:
    found = project.records(video, filters="size IN (1, NULL)")
    assert [row["id"] for row in found] == ["v1"]


@pytest.mark.parametrize(
    "text", ["note = NULL", "note <> NULL", "NOT (note = NULL)", "note IN (NULL)", "NULL = NULL"]
)
def test_a_comparison_with_null_matches_nothing(project: Project, text: str) -> None:
    video = project.feature("video", columns={"note": str | None})
    samples = project.samples(v1="a", v2="a").with_columns(note=pl.Series(["n", None]))
    project.store.write(video, samples)
    assert project.records(video, filters=text) == []
    assert project.store.delete(video, filters=text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ok", ["v1"]), ("NOT ok", ["v2"]), ("ok IS TRUE", ["v1"]), ("ok IS NOT TRUE", ["v2", "v3"])],
)
def test_a_column_of_truth_values_is_a_condition(
    project: Project, text: str, expected: list[str]
) -> None:
    video = project.feature("video", columns={"ok": bool | None})
    truths = pl.Series("ok", [True, False, None])
    project.store.write(video, project.samples(v1="a", v2="a", v3="a").with_columns(truths))
    assert [row["id"] for row in project.records(video, filters=text)] == expected
