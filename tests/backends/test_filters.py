"""A filter finds in every kind of store what it finds in DuckDB, or is refused."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidFilter

from .conftest import EVERY, Store

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
            dtype=pl.Decimal(12, 2),
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
TOOK = [time(10, 30), time(12), None, time(23, 59, 59, 5), time(0), time(11)]
FRAME = ROWS.to_arrow().append_column("took", pa.array(TOOK, pa.time64("us")))

REFUSED: dict[str, set[str]] = {}
"""What a kind of store cannot compare, and says so."""

CONDITIONS = [
    "took > '11:00:00'", "took = '12:00:00'", "took IN ('10:30:00')", "path LIKE 'A%'",
    "price > 9.7", "price BETWEEN 2 AND 11", "price > score", "price = size", "day > seen",
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [kind.param(repeats=True) for kind in EVERY if kind.name != "duckdb"]
)
def test_conditions_find_the_same_records(kind: Store, tmp_path: Path) -> None:
    fields = [mx.FieldSpec(key="default", version_from=["id"])]

    class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip", id_columns=["id"], fields=fields)):
        pass

    def found(store: mx.MetadataStore, condition: str) -> list[str] | str:
        try:
            rows = store.read(Clip, columns=["id"], filters=condition).to_polars()
        except InvalidFilter:
            return "refused"
        return rows["id"].sort().to_list()

    with ExitStack() as stack:
        duckdb = stack.enter_context(mx.DuckDBMetadataStore(":memory:", settings={"threads": 1}))
        other = stack.enter_context(kind.opened_at(tmp_path))
        for store in (duckdb, other):
            store.write(Clip, FRAME)
        expected = {each: found(duckdb, each) for each in CONDITIONS}
        told = {each: found(other, each) for each in CONDITIONS}
    refused = {each for each, rows in told.items() if rows == "refused"}
    assert told == expected | dict.fromkeys(refused, "refused")
    assert refused <= REFUSED.get(kind.name.partition("-")[0], set())
