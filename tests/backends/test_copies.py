"""Records move from any kind of store to any other, with their history, values and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from tests.backends.test_values import FRAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Opened


@pytest.fixture
def lived() -> Iterator[tuple[mx.MetadataStore, list[str]]]:
    """A DuckDB store with values of every type, a change, a deletion, and stale records."""
    fields = [
        mx.FieldSpec(key=name, version_from=[name, "etag"]) for name in FRAME.column_names[2:]
    ]

    class Sample(mx.Feature, spec=mx.FeatureSpec(key="sample", id_columns=["id"], fields=fields)):
        pass

    class Copy(mx.Feature, spec=mx.FeatureSpec(key="copy", id_columns=["id"], deps=[Sample])):
        pass

    with mx.DuckDBMetadataStore(":memory:", settings={"threads": 1}) as store:
        store.write(Sample, store.resolve_update(Sample, samples=FRAME).new)
        store.write(Copy, store.resolve_update(Copy).new)
        changed = pl.DataFrame(FRAME).with_columns(etag=pl.lit("2")).head(2)
        store.write(Sample, changed)
        store.delete(Sample, filters="id = 'd'")
        yield store, ["sample", "copy"]


def state(store: mx.MetadataStore, feature: str) -> list[dict[str, Any]]:
    """All rows, but for the ids of commits; as text, which tells NaN and the sign of zero."""
    rows = store.read(feature, history=True, include_deleted=True).to_polars()
    told = rows.drop("metaxy_commit").sort("id", "metaxy_created_at").to_dicts()
    return [{name: repr(value) for name, value in row.items()} for row in told]


def test_a_history_goes_there_and_back(
    lived: tuple[mx.MetadataStore, list[str]], opened: Opened
) -> None:
    source, features = lived
    there = opened()
    with mx.DuckDBMetadataStore(":memory:", settings={"threads": 1}) as back:
        there.copy_from(source)
        back.copy_from(there)
        assert [copied.commits for copied in there.copy_from(source)] == [0, 0]
        for store in (there, back):
            for feature in features:
                assert state(store, feature) == state(source, feature)
            counts = [each.resolve_update("copy").counts for each in (store, source)]
            assert counts[0] == counts[1]
            assert counts[0].stale == 2


def test_nothing_is_stale_after_a_copy_of_what_is_up_to_date(
    lived: tuple[mx.MetadataStore, list[str]], opened: Opened
) -> None:
    source, features = lived
    there = opened()
    there.copy_from(source, features)
    source.write("copy", source.resolve_update("copy").stale)
    source.delete("copy", filters="id = 'd'")
    there.copy_from(source, features)
    for store in (source, there):
        assert store.resolve_update("copy").counts == mx.Counts()
