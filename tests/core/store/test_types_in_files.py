from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

import metaxy_core as mx
from metaxy_core.store.backends.base import Backend
from tests.core.store.files import KINDS, opened


def moment(*parts: int) -> dt.datetime:
    """A time of no zone."""
    return dt.datetime(*parts)  # noqa: DTZ001 - as asked


NAN, DAY, MOMENT = float("nan"), dt.date(2026, 2, 28), moment(2026, 2, 28, 23, 59, 59, 999_999)
VALUES = {
    "bool": (pa.bool_(), [True, False]),
    "int8": (pa.int8(), [-128, 127]),
    "int16": (pa.int16(), [-(2**15), 2**15 - 1]),
    "int32": (pa.int32(), [-(2**31), 2**31 - 1]),
    "int64": (pa.int64(), [-(2**63), 2**63 - 1]),
    "uint8": (pa.uint8(), [0, 255]),
    "uint16": (pa.uint16(), [0, 2**16 - 1]),
    "uint32": (pa.uint32(), [0, 2**32 - 1]),
    "uint64": (pa.uint64(), [0, 2**64 - 1]),
    "float": (pa.float32(), [NAN, -0.0, 0.0, float("inf"), -float("inf"), 1.5, 100.0]),
    "double": (pa.float64(), [NAN, -0.0, 0.0, float("inf"), -float("inf"), 1.5, 100.0]),
    "decimal": (pa.decimal128(38, 18), [Decimal("1.000000000000000001"), Decimal(-1)]),
    "short decimal": (pa.decimal128(4, 2), [Decimal("12.34")]),
    "text": (pa.string(), ["", "größe", "a'b\"c", "z" * 10_000]),
    "bytes": (pa.binary(), [b"", b"\x00\xff"]),
    "date": (pa.date32(), [DAY, dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
    "time": (pa.time64("us"), [dt.time(0), dt.time(23, 59, 59, 999_999)]),
    "time in ns": (pa.time64("ns"), [1, 86_399_999_999_999]),
    "timestamp": (pa.timestamp("us"), [MOMENT, moment(1, 1, 1), moment(9999, 1, 1)]),
    "timestamp in s": (pa.timestamp("s"), [moment(2026, 1, 1)]),
    "timestamp in ms": (pa.timestamp("ms"), [moment(1969, 1, 1, 0, 0, 0, 1000)]),
    "timestamp in ns": (pa.timestamp("ns"), [1, -1, 2**62, 2**63 - 1]),
    "moment": (pa.timestamp("us", "UTC"), [MOMENT.replace(tzinfo=dt.UTC)]),
    "duration": (pa.duration("us"), [dt.timedelta(days=40, microseconds=1), dt.timedelta(-1)]),
    "list": (pa.list_(pa.uint64()), [[], [2**64 - 1, None]]),
    "fixed list": (pa.list_(pa.float32(), 2), [[1.5, None]]),
    "struct": (
        pa.struct({"a b": pa.time64("us"), "x": pa.list_(pa.struct({"y": pa.float64()}))}),
        [{"a b": dt.time(1), "x": [{"y": NAN}, None]}, {"a b": None, "x": None}],
    ),
    "map": (pa.map_(pa.string(), pa.uint8()), [[("k", 255), ("l", None)], []]),
    "map of maps": (
        pa.map_(pa.int64(), pa.map_(pa.string(), pa.timestamp("ns"))),
        [[(1, [("k", 1)])]],
    ),
}
SLOW = ("iceberg", "lance", "ducklake-sqlite", "ducklake-postgres")
SUBSTITUTED = {"ducklake": ("time in ns", "fixed list")}  # microseconds, and lists of any length
COLUMN = 'a "long", näme; ' * 20


@pytest.fixture
def backend(store: mx.MetadataStore) -> Backend:
    return store.backend


@pytest.fixture(
    params=[pytest.param(kind, marks=[pytest.mark.slow] if kind in SLOW else []) for kind in KINDS]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[mx.MetadataStore]:
    with opened(request.param, tmp_path / "store") as store:
        yield store


def skip_if_substituted(backend: Backend, kind: str) -> None:
    if kind in SUBSTITUTED.get(backend.kind, ()):
        pytest.skip(f"{backend.kind} has no such type")


def staged(backend: Backend, frame: pa.Table) -> str:
    table = backend.stage("staged", frame)
    return backend.sql(lambda: table)


def shown(backend: Backend, name: str, where: str = "TRUE", what: str = "*") -> pa.Table:
    with backend.snapshot() as snapshot:
        table = snapshot.table(name)
        sql = backend.sql(lambda: table)
        return snapshot.fetch(f"SELECT {what} FROM ({sql}) WHERE {where}")


@pytest.mark.parametrize("kind", VALUES)
def test_what_is_written_is_read(backend, kind):
    skip_if_substituted(backend, kind)
    arrow, values = VALUES[kind]
    rows = [*values, None]
    frame = pa.table({"n": pa.array(range(len(rows))), COLUMN: pa.array(rows, arrow)})
    sql = staged(backend, frame)
    expected = backend.fetch(sql)
    with backend.transaction() as transaction:
        assert transaction.append("t", sql) == len(rows)
        assert transaction.append("t", f"SELECT n FROM ({sql})") == len(rows)
    with backend.snapshot() as snapshot:
        known = snapshot.table("t").schema().to_pyarrow()
    found = shown(backend, "t")
    assert found.schema == expected.schema
    assert known.names == expected.schema.names
    wanted = expected.sort_by("n").to_pydict()
    given = found.slice(0).to_pydict()
    pairs = [(n, repr(value)) for n, value in zip(given["n"], given[COLUMN], strict=True)]
    both = [(n, repr(value)) for n, value in zip(wanted["n"], wanted[COLUMN], strict=True)]
    assert sorted(pairs) == sorted([*both, *((n, "None") for n in range(len(rows)))])


@pytest.mark.slow
@pytest.mark.parametrize("kind", VALUES)
def test_comparisons_are_those_of_duckdb(backend, kind):
    skip_if_substituted(backend, kind)
    arrow, values = VALUES[kind]
    rows = [*values, None]
    frame = pa.table({"n": pa.array(range(len(rows))), "value": pa.array(rows, arrow)})
    sql = staged(backend, frame)
    with backend.transaction() as transaction:
        transaction.append("t", sql)
    with backend.snapshot() as snapshot:
        kept = snapshot.keep(sql)
    kept_sql = backend.sql(lambda: kept)
    for n in range(len(values)):
        literal = f"(SELECT value FROM ({kept_sql}) WHERE n = {n})"
        value = backend.fetch(f"SELECT {literal}::VARCHAR AS v").to_pylist()[0]["v"]
        told = backend.fetch(f"SELECT typeof({literal}) AS t").to_pylist()[0]["t"]
        constant = "'" + value.replace("'", "''") + f"'::{told}"
        if kind in {"bytes", "map", "map of maps", "struct", "list", "fixed list"}:
            constant = literal
        for sign in ("=", "<>", "<", "<=", ">", ">="):
            where = f"value {sign} {constant}"
            expected = backend.fetch(f"SELECT n FROM ({kept_sql}) WHERE {where}")
            found = shown(backend, "t", where, "n")
            assert sorted(found["n"].to_pylist()) == sorted(expected["n"].to_pylist()), where


def test_rows_are_removed_by_values_of_every_type(backend):
    for kind in ("uint64", "time", "timestamp in ns", "moment", "text", "bytes", "date", "decimal"):
        arrow, values = VALUES[kind]
        frame = pa.table({"value": pa.array([*values, None], arrow)})
        table = f"of {kind}"
        with backend.transaction() as transaction:
            transaction.append(table, staged(backend, frame))
        gone = backend.stage("gone", frame.slice(0, 1))
        with backend.transaction() as transaction:
            assert transaction.remove(table, gone, ["value"]) == 1
            assert transaction.remove(table, gone, ["value"]) == 0
        assert shown(backend, table).num_rows == len(values), kind


def test_dates_that_python_does_not_know_survive(backend):
    far = "SELECT DATE '290000-01-01' AS d, TIMESTAMP '290000-01-01' AS t, 1 AS metaxy_commit"
    with backend.transaction() as transaction:
        transaction.append("far", far)
    assert shown(backend, "far", what="d::VARCHAR AS d, t::VARCHAR AS t").to_pylist() == [
        {"d": "290000-01-01", "t": "290000-01-01 00:00:00"}
    ]
