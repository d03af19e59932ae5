"""Filter text means what it means in SQL: the rows are those that a database finds with it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project

ROWS = pl.DataFrame(
    {
        "id": ["v1", "v2", "v3", "v4", "v5"],
        "path": ["a.mp4", "b.mov", "A.MP4", None, "100%_x'y"],
        "size": [1, 2, -3, None, 0],
        "score": [0.5, 1.5, -0.25, 0.1, None],
        "ok": [True, False, None, True, False],
        "day": [date(2026, 1, d) for d in (1, 2, 3, 4, 5)],
        "seen": [datetime.fromisoformat(f"2026-01-0{d}T12:00:00") for d in (1, 2, 3, 4, 5)],
    }
)

CONDITIONS = [
    # comparisons
    "size = 1", "size <> 1", "size != 1", "size < 1", "size <= 1", "size > 1", "size >= 1",
    "1 < size", "size = -3", "score = 0.5", "score > -0.25", "score < 1e0", "size > 0.5",
    "path = 'a.mp4'", "path > 'a'", "path = ''", "path = '100%_x''y'", "size = score * 2",
    "id = path", '"size" = 1', "day > '2026-01-02'", "seen >= '2026-01-02 12:00:00'",
    "day = '2026-01-03'",
    # arithmetic
    "size + 1 = 2", "size - 1 = 0", "size * size = 9", "size / 2 = 0.5", "size % 2 = 1",
    "size + 2 * 3 = 7", "(size + 2) * 3 = 9", "size - 1 - 1 = 0", "1 - (size - 1) = 1", "-3 = size",
    "score + score = 1",
    # like
    "path LIKE 'a%'", "path NOT LIKE 'a%'", "NOT path LIKE 'a%'", "path LIKE '%.m__'",
    "path LIKE 'a.mp4'", "path LIKE '%''%'", "path LIKE '100%'", "path LIKE ''",
    "path NOT LIKE '%'",
    # null
    "path IS NULL", "path IS NOT NULL", "NOT path IS NULL", "size IS NULL OR score IS NULL",
    # lists and ranges
    "size IN (1, 2)", "size NOT IN (1, 2)", "NOT size IN (1)", "path IN ('b.mov', 'x')",
    "size BETWEEN 0 AND 1", "size NOT BETWEEN 0 AND 1", "score BETWEEN -1 AND 0.5",
    "size BETWEEN 1 AND 0", "path BETWEEN 'a' AND 'b'", "size IN (-3)", "score IN (0.5)",
    # truth
    "ok", "NOT ok", "ok = true", "ok = FALSE", "ok IS TRUE", "ok IS FALSE", "ok IS NOT TRUE",
    "ok IS NOT FALSE", "true", "false", "NOT false", "ok AND size = 1", "ok OR size = 2",
    # precedence
    "size = 1 OR size = 2 AND score > 1", "(size = 1 OR size = 2) AND score > 1",
    "NOT size = 1 AND ok", "NOT (size = 1 AND ok)", "NOT (size = 1 OR path IS NULL)",
    "NOT NOT ok", "size = 1 OR NOT ok AND size = 0", "size BETWEEN 0 AND 1 AND ok",
    # letters and space
    "size=1", "  size\n=\t1  ", "size in (1)", "path like 'a%' and not ok is null",
    "size = 1 -- the first", "size = 1;",
]  # fmt: skip


@pytest.fixture
def clip(project: Project) -> type[mx.Feature]:
    columns: dict[str, Any] = {
        "path": str | None, "size": int | None, "score": float | None, "ok": bool | None,
        "day": date, "seen": datetime,
    }  # fmt: skip
    version = mx.FieldSpec(key="default", version_from=["id"])
    clip = project.feature("clip", fields=[version], columns=columns)
    project.store.write(clip, ROWS)
    return clip


def found_by_sql(condition: str) -> list[str]:
    with duckdb.connect() as connection:
        connection.register("clip", ROWS.to_arrow())
        rows = connection.execute(f"SELECT id FROM clip WHERE {condition}\n").fetchall()
    return sorted(name for (name,) in rows)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_filter_finds_what_sql_finds(
    project: Project, clip: type[mx.Feature], condition: str
) -> None:
    found = project.store.read(clip, columns=["id"], filters=condition).to_polars()["id"]
    assert sorted(found) == found_by_sql(condition)


@pytest.mark.parametrize("condition", ["path NOT LIKE 'a%'", "size NOT IN (1, 2)", "NOT ok"])
def test_a_delete_removes_what_sql_finds(
    project: Project, clip: type[mx.Feature], condition: str
) -> None:
    project.store.delete(clip, filters=condition)
    left = [row["id"] for row in project.records(clip)]
    assert left == sorted(set(ROWS["id"]) - set(found_by_sql(condition)))


@pytest.mark.parametrize("condition", ["path NOT LIKE 'a%'", "size > 0", "ok IS NOT TRUE"])
def test_a_dep_s_filter_passes_what_sql_finds(
    project: Project, clip: type[mx.Feature], condition: str
) -> None:
    copy = project.feature("copy", deps=[mx.FeatureDep(feature=clip, filter=condition)])
    new = project.store.resolve_update(copy).new
    assert sorted(new["id"]) == found_by_sql(condition)
