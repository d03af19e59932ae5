"""A filter finds the same records in every kind of store, however the store keeps the values."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidFilter, ValueOutOfRange
from tests.backends.conftest import EVERY, SPEAKING, STORES, Store
from tests.servers import postgres_in

DAYS: Final = [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 0, 0, 0, 1)]  # noqa: DTZ001
SECOND: Final = 1_577_836_800_000_000_000
TIMES: Final = [dt.time(1, 2), dt.time(12), dt.time(23, 59)]
FRAME: Final = pa.table(
    {
        "id": ["a", "b", "c"],
        "etag": ["1", "2", "3"],
        "name": ["Al*pha", "alpha", "ä[b"],
        "price": pa.array(list(map(Decimal, ["10.00", "9.50", "-2.00"])), pa.decimal128(10, 2)),
        "n": [7, -7, 10],
        "f": [1.5, math.nan, -0.0],
        "day": [dt.date(2020, 1, 1), dt.date(1, 1, 1), dt.date(2021, 12, 31)],
        "ts": pa.array([*DAYS, None], pa.timestamp("us")),
        "zoned": pa.array([*DAYS, None], pa.timestamp("us", "UTC")),
        "t": TIMES,
        "ns": pa.array([SECOND, SECOND + 1, None], pa.timestamp("ns")),
        "tn": pa.array(TIMES, pa.time64("us")).cast(pa.time64("ns")),
        "t32": pa.array(TIMES, pa.time32("s")),
        "n8": pa.array([100, -128, 5], pa.int8()),
        "n64": [2**53 + 1, -(2**63), 5],
        "u64": pa.array([2**63 - 1, 2**53, 5], pa.uint64()),
        "f32": pa.array([0.1, 2**24, -2.0], pa.float32()),
        "ok": [True, False, None],
        "lasted": pa.array([1, -1, None], pa.duration("us")),
        "blob": [b"a", b"", None],
        "tags": [["x"], [], None],
    }
)

FOUND: Final = {
    "price > 9.7": "a",
    "price = 9.5": "b",
    "price <> 9.5": "ac",
    "price < 0": "c",
    "price BETWEEN 9 AND 11": "ab",
    "price IN (10, 9.5)": "ab",
    "price > n": "ab",
    "price * 2 > 18.99": "ab",
    "price + 0.1 = 9.6": "b",
    "price / 2 = 4.75": "b",
    "price / 3 > 3.33": "a",
    "price / n < 1.4": "bc",
    "price - 0.005 > 9.495": "a",
    "n = 7.0": "a",
    "n IN (7.0, 7.5)": "a",
    "n + 0.5 > 7": "ac",
    "n / 2 = 3.5": "a",
    "f > 1 AND f < 9": "a",
    "f <> 1.5": "bc",
    "f IN (1.5)": "a",
    "f IN (0, 1)": "c",
    "f NOT IN (0, 1.5)": "b",
    "f32 IN (0, -2)": "c",
    "price IN (9.5, 123456789012)": "b",
    "u64 % 2 = 0": "b",
    "name LIKE 'a%'": "b",
    "name LIKE '%*%'": "a",
    "name LIKE '_[b'": "c",
    "name NOT LIKE 'A_*ph%'": "bc",
    "day >= '2020-01-01'": "ac",
    "ts = '2020-01-01'": "a",
    "ts > '2020-01-01 00:00:00'": "b",
    "ts > day": "b",
    "zoned = '2020-01-01'": "a",
    "t > '11:00:00'": "bc",
    "t = '12:00:00'": "b",
    "ts = '2020-01-01T02:00:00+02:00'": "a",
    "zoned > '2020-01-01T01:59:59.999999+02:00'": "ab",
    "zoned = '2020-01-01T00:00:00.000001000Z'": "b",
    "ts > '0001-01-01'": "ab",
    "ts < '2500-01-01'": "ab",
    "day < '2020-01-01 12:00:00'": "ab",
    "day = '2020-W01-3'": "a",
    "ns > '2019-12-31'": "ab",
    "ns = '2020-01-01'": "a",
    "ns = '2020-01-01 00:00:00.000000001'": "b",
    "ns IN ('2020-01-01', '1970-01-01')": "a",
    "ns BETWEEN '2020-01-01T00:00:00.000000001' AND '2021-01-01'": "b",
    "NOT ns > '2020-01-01'": "a",
    "tn > '11:00:00'": "bc",
    "tn IN ('12:00', '01:02:00.000000')": "ab",
    "tn BETWEEN '01:02' AND '12:00'": "ab",
    "tn = t": "abc",
    "t32 > '11:59:59.5'": "bc",
    "t32 = '12:00:00.5'": "",
    "price = -2": "c",
    "price > -2.5": "abc",
    "price IN (-2, 9.5)": "bc",
    "price > 9.333": "ab",
    "price IN (9.5, 0.333)": "b",
    "price < 12345678901.5": "abc",
    "n8 > 4.5 AND n8 + 1.5 = 6.5": "c",
    "n8 + 100 = 200": "a",
    "n8 * n8 > 10000": "b",
    "n8 % 3 = -2": "b",
    "n8 / (n - 7) IS NULL": "a",
    "n8 + NULL > 1": "",
    "n64 = 9007199254740993": "a",
    "n64 = 9007199254740993.0": "a",
    "n64 % 2 = 1": "ac",
    "n64 < -9223372036854775807": "b",
    "n64 = -9223372036854775808": "b",
    "n64 < 99999999999999999999": "abc",
    "n8 IN (5, 0.5)": "c",
    "n64 IN (9007199254740992, 5)": "c",
    "u64 > 9223372036854775806": "a",
    "u64 < 9223372036854775808": "abc",
    "u64 > -1": "abc",
    "u64 IN (9223372036854775807, -5)": "a",
    "f32 = 0.1": "a",
    "f32 < 0.1": "c",
    "f32 IN (0.1, -2)": "ac",
    "f32 NOT IN (0.1)": "bc",
    "f32 = 16777217": "b",
    "f32 * 2 = -4": "c",
    "ok = (n8 > 0)": "ab",
    "ok IN (TRUE, NULL)": "a",
    "ok < TRUE": "b",
    "lasted = lasted": "ab",
    "blob = blob": "ab",
    "tags IS NULL": "c",
}

REFUSED: Final = [
    "tags = 'x'",
    "tags IN ('x')",
    "tags LIKE 'x'",
    "blob = 'a'",
    "lasted > 5",
    "lasted > '1 day'",
    "t > '2020-01-01'",
    "t > '24:00:00'",
    "t > '11:00:00+02:00'",
    "t > '11:00:00.0000001'",
    "t > day",
    "ts > '11:00:00'",
    "ts > '2020-02-30'",
    "ts > '10000-01-01'",
    "ts > '2020-01-01 00:00:00.0000001'",
    "zoned > '0001-01-01T00:00:00+14:00'",
    "day > '0000-01-01'",
    "day = '2020-01-01T00:00:00Z'",
    "ns > '1500-01-01'",
    "ns > zoned",
    "ok = 1",
    "n8 IN ('1')",
]

NAN_IS_GREATEST: Final = [
    kind.param(repeats=kind.name not in SPEAKING)
    for kind in EVERY
    if kind.name not in {"clickhouse", "bigquery"}
]
OF_64_BITS: Final = [kind for kind in STORES if kind.name in SPEAKING]


def test_a_filter_finds_the_same_records(
    speaking_store: mx.MetadataStore, sample: type[mx.Feature]
) -> None:
    speaking_store.write(sample, FRAME)
    found = {}
    for text in FOUND:
        rows = speaking_store.read(sample, columns=["id"], filters=text).to_arrow()
        found[text] = "".join(sorted(rows["id"].to_pylist()))
    assert found == FOUND


def test_a_deletion_takes_what_its_filter_finds(
    speaking_store: mx.MetadataStore, sample: type[mx.Feature]
) -> None:
    speaking_store.write(sample, FRAME)
    speaking_store.delete(sample, filters="name LIKE 'a%' AND price = 9.5")
    assert sorted(speaking_store.read(sample).to_arrow()["id"].to_pylist()) == ["a", "c"]


def test_what_does_not_compare_is_refused(
    speaking_store: mx.MetadataStore, sample: type[mx.Feature]
) -> None:
    speaking_store.write(sample, FRAME)
    for condition in REFUSED:
        with pytest.raises(InvalidFilter):
            speaking_store.read(sample, filters=condition).to_arrow()


@pytest.mark.parametrize("kind", OF_64_BITS, ids=lambda kind: kind.name)
def test_a_whole_number_of_more_than_64_bits_is_refused(
    kind: Store, sample: type[mx.Feature], tmp_path: Path
) -> None:
    with kind.opened_at(tmp_path) as store:
        store.write(sample, FRAME)
        with pytest.raises(ValueOutOfRange):
            store.read(sample, filters="n64 * n64 > 5").to_arrow()
        found = store.read(sample, filters="u64 * 4 > 1 AND u64 - 6 = -1").to_arrow()
    assert found["id"].to_pylist() == ["c"]


def test_remainders_of_decimals_are_exact_or_refused(
    speaking_store: mx.MetadataStore, sample: type[mx.Feature]
) -> None:
    speaking_store.write(sample, FRAME)
    records = speaking_store.read(sample, filters="price % 3 = 1")
    if speaking_store.kind == "clickhouse":
        with pytest.raises(InvalidFilter, match="remainder"):
            records.to_arrow()
    else:
        assert records.to_arrow()["id"].to_pylist() == ["a"]


@pytest.mark.parametrize("kind", NAN_IS_GREATEST)
def test_samples_are_filtered_as_records_are(
    kind: Store, sample: type[mx.Feature], tmp_path: Path
) -> None:
    conditions = ["f > 1", "NOT f > 1", "f <= 9", "f IN (1.5)", "f32 = 0.1", "tn > '11:00'"]
    with kind.opened_at(tmp_path) as store:
        found = {
            each: sorted(store.resolve_update(sample, FRAME, filters=each).new["id"])
            for each in conditions
        }
        store.write(sample, FRAME)
        stored = {
            each: sorted(store.read(sample, filters=each).to_arrow()["id"].to_pylist())
            for each in conditions
        }
    assert found == stored
    assert found["f > 1"] == ["a", "b"]


def test_a_session_in_another_zone_reads_timestamps_alike(
    sample: type[mx.Feature], tmp_path: Path
) -> None:
    with postgres_in(tmp_path, parameters={"options": "-c timezone=Asia/Tokyo"}) as store:
        store.write(sample, FRAME)
        for condition in ("ts = zoned", "zoned < '2020-01-01 00:00:01'", "zoned >= day"):
            found = store.read(sample, filters=condition).to_arrow()["id"].to_pylist()
            assert sorted(found) == ["a", "b"]
