"""A filter finds the same records in every kind of store, however the store keeps the values."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pytest

import metaxy_core as mx

DAYS: Final = [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 0, 0, 0, 1)]  # noqa: DTZ001
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
        "t": [dt.time(1, 2), dt.time(12), dt.time(23, 59)],
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
    "n + 0.5 > 7": "ac",
    "n / 2 = 3.5": "a",
    "f > 1 AND f < 9": "a",
    "f <> 1.5": "bc",
    "f IN (1.5)": "a",
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
}


@pytest.fixture
def sample() -> type[mx.Feature]:
    """A feature whose records have a column of each type."""
    field = mx.FieldSpec(key="default", version_from=["etag"])
    spec = mx.FeatureSpec(key="sample", id_columns=["id"], fields=[field])

    class Sample(mx.Feature, spec=spec):
        pass

    return Sample


def test_a_filter_finds_the_same_records(
    speaking_store: mx.MetadataStore, sample: type[mx.Feature]
) -> None:
    speaking_store.write(sample, FRAME)
    found = {
        text: "".join(
            sorted(speaking_store.read(sample, filters=text).to_arrow()["id"].to_pylist())
        )
        for text in FOUND
    }
    assert found == FOUND


def test_a_deletion_takes_what_its_filter_finds(
    speaking_store: mx.MetadataStore, sample: type[mx.Feature]
) -> None:
    speaking_store.write(sample, FRAME)
    speaking_store.delete(sample, filters="name LIKE 'a%' AND price = 9.5")
    assert sorted(speaking_store.read(sample).to_arrow()["id"].to_pylist()) == ["a", "c"]
