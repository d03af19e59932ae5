"""A store that is closed leaves nothing behind for the next one that is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.store.backends.duckdb import DuckDBBackend

if TYPE_CHECKING:
    import duckdb


def connection_of(store: mx.MetadataStore) -> duckdb.DuckDBPyConnection:
    assert isinstance(store.backend, DuckDBBackend)
    return store.backend.connection


@pytest.fixture
def video() -> type[mx.Feature]:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    return Video


def frame(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"id": ids, "metaxy_provenance_by_field": [{"default": "a"}] * len(ids)})


@pytest.mark.parametrize("name", [":memory:", "a.duckdb"])
def test_the_next_store_in_memory_is_empty(
    name: str, video: type[mx.Feature], tmp_path: Path
) -> None:
    path = name if name == ":memory:" else tmp_path / name
    with mx.DuckDBMetadataStore(path, settings={"threads": 1}) as store:
        store.write(video, frame("v1", "v2"))
        left = store.resolve_update(video, frame("v3"))
        used = connection_of(store)
    assert left.counts == mx.Counts(new=1, orphaned=2)
    with mx.DuckDBMetadataStore(":memory:", settings={"threads": 1}) as store:
        assert connection_of(store) is used
        tables = used.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        views = used.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        assert (tables, views) == ([], [])
        assert store.count(video) == 0
        with pytest.raises(mx.errors.StoreClosed):
            left.new.is_empty()


def test_other_settings_are_another_instance(video: type[mx.Feature]) -> None:
    with mx.DuckDBMetadataStore(":memory:", settings={"threads": 1}) as store:
        used = connection_of(store)
    with mx.DuckDBMetadataStore(":memory:", settings={"threads": 2}) as store:
        assert connection_of(store) is not used
        assert store.count(video) == 0


def test_two_stores_at_once_never_share_an_instance(video: type[mx.Feature]) -> None:
    with mx.DuckDBMetadataStore(":memory:") as first, mx.DuckDBMetadataStore(":memory:") as second:
        first.write(video, frame("v1"))
        assert second.count(video) == 0


def test_a_store_after_one_of_another_hash_has_its_own(
    video: type[mx.Feature], tmp_path: Path
) -> None:
    def version(name: str, algorithm: str | None) -> str:
        with mx.DuckDBMetadataStore(tmp_path / name, hash=algorithm) as store:
            store.write(video, frame("v1"))
            return str(store.read(video).to_polars()["metaxy_provenance"][0])

    md5, xxh64, again = version("a", "md5"), version("b", "xxh64"), version("c", None)
    assert md5 == again != xxh64


def test_optimizers_that_a_user_disabled_stay_so() -> None:
    settings = {"disabled_optimizers": "filter_pushdown"}
    with mx.DuckDBMetadataStore(":memory:", settings=settings) as store:
        sql = "SELECT current_setting('disabled_optimizers') AS disabled"
        (row,) = store.backend.fetch(sql).to_pylist()
    assert set(row["disabled"].split(",")) == {"filter_pushdown", "join_filter_pushdown"}
