"""A filter finds in ClickHouse what it finds in DuckDB."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import metaxy_core as mx
from tests.servers import clickhouse_in

pytestmark = pytest.mark.slow

SECOND = "1960-01-01T12:00:00.000005"
ROWS = pl.DataFrame(
    {
        "id": ["v1", "v2", "v3", "v4", "v5", "v6"],
        "path": ["a.mp4", "b.mov", "A.MP4", None, "100%_x'y", "\\ü"],
        "size": [1, 2, -3, None, 0, 7],
        "big": pl.Series([1, 2, 3, None, 0, 2**63 - 1], dtype=pl.UInt64),
        "score": [0.5, 1.5, -0.25, 0.1, None, 1e300],
        "ok": [True, False, None, True, False, True],
        "price": pl.Series(
            [Decimal("1.50"), Decimal("-2.25"), None, Decimal("0.00"), Decimal(3), Decimal("9.99")],
            dtype=pl.Decimal(20, 2),
        ),
        "day": [
            date(2026, 1, 1),
            date(1960, 1, 2),
            date(1, 1, 3),
            date(9999, 12, 31),
            None,
            date(1970, 1, 1),
        ],
        "seen": ["2026-01-01T12:00:00", SECOND, "0001-01-01T00:00:00", None, None, None],
        "zoned": [SECOND, None, None, None, None, "2026-01-01T00:00:00"],
    }
).with_columns(
    seen=pl.col("seen").str.to_datetime(time_unit="us"),
    zoned=pl.col("zoned").str.to_datetime(time_unit="us").dt.replace_time_zone("UTC"),
)
CONDITIONS = [
    "day < '1970-01-01'", "day > '1960-01-01'", "day = '1960-01-02'", "day = '0001-01-03'",
    "day IN ('1960-01-02', '9999-12-31')", "day NOT IN ('1960-01-02')",
    "seen < '1970-01-01'", "seen = '1960-01-01 12:00:00.000005'", "seen < '1900-01-01'",
    "seen BETWEEN '1950-01-01' AND '1980-01-01'", "zoned = '1960-01-01T12:00:00.000005Z'",
    "zoned > '2020-01-01'",
    "price = 1.5", "price > 1.49", "price + 1 = 2.5", "price IN (1.5, 3)", "price = 9.99",
    "price < 9.990000000000000001", "price / 2 = 0.75",
    "score IN (0.5, -0.25)", "score NOT IN (0.5, -0.25)", "score = 0.1", "score + 0.2 = 0.7",
    "NOT score > 0", "score IS NULL",
    "size / 0 = 1", "size % 2 = -1", "size / 2 = -1.5", "size > -1.5", "size IN (1, NULL)",
    "size NOT IN (1, NULL)", "size = NULL", "(size = 1) = (score = 0.5)",
    "big = 9223372036854775807", "big > 5",
    "path LIKE '\\%'", "path LIKE '%\\_x%'", "path LIKE '%ü'", "path = '\\ü'", "path > 'b'",
    "path LIKE '100\\%%'", "path LIKE '%''%'", "path NOT LIKE 'a%'",
    "ok", "NOT ok", "ok IS NOT TRUE", "ok = (size = 1)",
]  # fmt: skip


def test_conditions_find_the_same_records(graph: mx.FeatureGraph, tmp_path: Path) -> None:
    fields = [mx.FieldSpec(key="default", version_from=["id"])]

    class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip", id_columns=["id"], fields=fields)):
        pass

    def found(store: mx.MetadataStore, condition: str) -> list[str]:
        rows = store.read(Clip, columns=["id"], filters=condition)
        return rows.to_polars()["id"].sort().to_list()

    with ExitStack() as stack:
        duckdb = stack.enter_context(mx.DuckDBMetadataStore(":memory:"))
        clickhouse = stack.enter_context(clickhouse_in(tmp_path))
        for store in (duckdb, clickhouse):
            store.write(Clip, ROWS)
        expected = {each: found(duckdb, each) for each in CONDITIONS}
        assert {each: found(clickhouse, each) for each in CONDITIONS} == expected
