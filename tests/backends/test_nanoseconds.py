"""Nested values keep their nanoseconds, and what cannot be kept is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest

import metaxy_core as mx
from metaxy_core.errors import ValueOutOfRange
from tests.backends.conftest import STORES, Store

NUMBERS: Final = [1, 2**60 + 1, -5]
KINDS: Final = {"at": pa.timestamp("ns"), "zoned": pa.timestamp("ns", "UTC")}


KEPT_AS_TEXT: Final = [kind for kind in STORES if kind.name in {"sqlite", "postgres", "clickhouse"}]


@pytest.mark.parametrize("store_kind", KEPT_AS_TEXT, ids=lambda kind: kind.name)
def test_nested_nanoseconds_come_back(
    store_kind: Store, sample: type[mx.Feature], tmp_path: Path
) -> None:
    members = {name: pa.array(NUMBERS).cast(kind) for name, kind in KINDS.items()}
    struct = pa.StructArray.from_arrays(list(members.values()), list(members))
    nested = pa.ListArray.from_arrays([0, 1, 2, 3], struct)
    with store_kind.opened_at(tmp_path) as store:
        store.write(sample, pa.table({"id": list("abc"), "etag": NUMBERS, "nested": nested}))
        found = store.read(sample).to_arrow().sort_by("id")["nested"].combine_chunks().flatten()
    for name in KINDS:
        assert found.field(name).cast(pa.int64()).to_pylist() == NUMBERS


def test_a_date_that_sqlite_cannot_give_back_is_refused(
    sample: type[mx.Feature], tmp_path: Path
) -> None:
    days = pa.array([3_000_000], pa.date32())
    with mx.SQLiteMetadataStore(tmp_path / "metadata.sqlite") as store:
        with pytest.raises(ValueOutOfRange, match="column 'day'"):
            store.write(sample, pa.table({"id": ["a"], "etag": ["1"], "day": days}))
        assert store.count(sample) == 0
