"""A store in BigQuery, on an emulator: its log of heads, large frames, copies, and costs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from google.cloud.bigquery import Dataset

import metaxy_core as mx
from metaxy_core.errors import InvalidSetting, StoreUnreachable, WriteOvertaken
from metaxy_core.store.backends.bigquery_heads import HeadTables
from metaxy_core.store.backends.heads.log import Heads
from metaxy_core.store.backends.sql import pinned_session
from tests.bigquery_service import bigquery_in, missing_emulator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.emulated,
    pytest.mark.skipif(bool(missing_emulator()), reason=missing_emulator()),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[mx.BigQueryMetadataStore]:
    """An empty store."""
    with bigquery_in(tmp_path) as store:
        yield store


@pytest.fixture
def heads(store: mx.BigQueryMetadataStore) -> HeadTables:
    """The place of its heads."""
    backend = store._database
    backend.make_place()
    return HeadTables(backend.connection)


@pytest.fixture
def features(graph: mx.FeatureGraph) -> tuple[type[mx.Feature], type[mx.Feature]]:
    """A root, and a feature of it."""

    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    class Copy(mx.Feature, spec=mx.FeatureSpec(key="copy", id_columns=["id"], deps=[Video])):
        pass

    return Video, Copy


def samples(count: int, version: str = "1") -> pl.DataFrame:
    versions = [{"default": version}] * count
    return pl.DataFrame(
        {"id": [f"v{n}" for n in range(count)], "metaxy_provenance_by_field": versions}
    )


# ------------------------------------------------------------------ heads


def test_a_number_is_taken_once(heads: HeadTables) -> None:
    assert heads.put(1, "first") is not None
    assert heads.put(1, "second") is None
    assert heads.get(1) == "first"
    assert heads.get(2) is None


def test_a_head_may_be_longer_than_a_description(heads: HeadTables) -> None:
    text = "".join(f"{number}ü'\"\\\n" for number in range(10_000))
    heads.put(1, text)
    assert heads.get(1) == text


def test_heads_are_found_from_any_number_on(heads: HeadTables) -> None:
    assert heads.after(-1) == []
    for number in range(1, 7):
        heads.put(number, "")
    heads.delete(1)
    heads.delete(1)
    for known in (-1, 1, 2, 5, 6, 7):
        found = [entry.number for entry in heads.after(known)]
        assert sorted(found) == [n for n in range(2, 7) if n > known]


def test_who_was_overtaken_is_refused(heads: HeadTables) -> None:
    slow, quick = Heads(heads, "here", lease=0.0), Heads(heads, "here", lease=0.0)
    begun = slow.begin(0.0)
    quick.commit(quick.begin(0.0), {})
    with pytest.raises(WriteOvertaken):
        slow.commit(begun, {})


def test_who_was_overtaken_so_long_ago_that_its_head_is_gone_is_refused(heads: HeadTables) -> None:
    slow, quick = Heads(heads, "here", lease=0.0), Heads(heads, "here", lease=0.0)
    begun = slow.begin(0.0)
    for _ in range(4):
        quick.commit(quick.begin(0.0), {})
    for number in range(1, 7):
        heads.delete(number)
    with pytest.raises(WriteOvertaken):
        slow.commit(begun, {})


# ------------------------------------------------------------------ the dataset


def test_a_dataset_whose_tables_expire_is_refused(
    store: mx.BigQueryMetadataStore, features: tuple[type[mx.Feature], ...]
) -> None:
    client = store._database.connection.client
    dataset = Dataset(f"{client.project}.{store._database.connection.dataset}")
    dataset.default_table_expiration_ms = 86_400_000
    client.create_dataset(dataset)
    with pytest.raises(InvalidSetting, match="expire by default"):
        store.write(features[0], samples(1))


def test_who_may_only_read_makes_no_dataset(
    tmp_path: Path, features: tuple[type[mx.Feature], ...]
) -> None:
    with bigquery_in(tmp_path, read_only=True) as store:
        assert store.read(features[0]).to_polars().is_empty()
        with pytest.raises(StoreUnreachable, match="there is no dataset"):
            store.resolve_update(features[0], samples(1))


# ------------------------------------------------------------------ frames, copies and costs


def test_a_large_frame_is_loaded_and_rows_are_erased_in_a_copy(
    store: mx.BigQueryMetadataStore,
    features: tuple[type[mx.Feature], ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pinned_session, "_WORTH_A_CLONE", 10)
    video, _ = features
    store.write(video, samples(200))
    store.delete(video, filters="id >= 'v2'", hard=True)
    expected = sorted(f"v{n}" for n in range(200) if f"v{n}" < "v2")
    assert sorted(store.read(video).to_polars()["id"]) == expected


def test_the_cost_of_an_increment_is_told_and_nothing_is_done(
    store: mx.BigQueryMetadataStore, features: tuple[type[mx.Feature], ...]
) -> None:
    video, copy = features
    store.write(video, samples(3))
    before = store._database.connection.tables()
    assert store.bytes_scanned(copy) >= 0  # the emulator says 0 of everything
    after = store._database.connection.tables()
    assert [table.table_id for table in after] == [table.table_id for table in before]
    assert store.resolve_update(copy).counts == mx.Counts(new=3)
    assert not store.backend.read_only


def test_each_statement_tells_what_it_was_billed(
    store: mx.BigQueryMetadataStore,
    features: tuple[type[mx.Feature], ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "metaxy_core.store.backends.bigquery_client"):
        store.write(features[0], samples(1))
    assert any("INSERT: 0 bytes billed" in text for text in caplog.messages)
    assert not any("v0" in text for text in caplog.messages)
