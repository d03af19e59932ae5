"""A DuckLake is whole whatever happens to its writers, wherever its catalog is."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from pathlib import Path

import duckdb
import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    InvalidSetting,
    NotAStore,
    ReadOnlyStore,
    StoreLocked,
    StoreUnreachable,
    ValueOutOfRange,
    WrongColumnType,
)
from metaxy_core.store.backends.duckdb_extensions import load_extension
from metaxy_core.store.backends.ducklake_session import storable
from tests.core.store.ducklake.kinds import KINDS, opened

CATALOGS = [
    pytest.param(kind, marks=[] if kind == "duckdb" else pytest.mark.slow) for kind in KINDS
]


@pytest.fixture(autouse=True)
def features(graph: mx.FeatureGraph) -> tuple[type[mx.Feature], ...]:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    class Label(mx.Feature, spec=mx.FeatureSpec(key="label", id_columns=["id"])):
        pass

    return Video, Label


def frame(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"id": ids, "metaxy_provenance_by_field": [{"default": "a"}] * len(ids)})


@pytest.mark.parametrize("kind", CATALOGS)
def test_one_writer_at_a_time_and_readers_of_what_is_there(kind, tmp_path):
    with opened(kind, tmp_path) as one, opened(kind, tmp_path, lock_timeout=0.0) as two:
        assert two.count("video") == 0
        one.write("video", frame("a"))
        with one.backend.transaction(), pytest.raises(StoreLocked):
            two.write("video", frame("b"))
        two.write("video", frame("b"))
        assert [commit.id for commit in one.commits("video")] in ([1, 2], [2, 1])
        with opened(kind, tmp_path, read_only=True) as reader:
            assert reader.count("video") == 2
            with pytest.raises(ReadOnlyStore):
                reader.write("video", frame("c"))


def test_catalog_and_data_may_be_moved_together(tmp_path):
    with opened("sqlite", tmp_path / "old") as store:
        store.write("video", frame("a", "b"))
    shutil.move(tmp_path / "old", tmp_path / "new")
    with opened("sqlite", tmp_path / "new") as store:
        assert store.count("video") == 2


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("ENUM('a', 'it''s')[]", "VARCHAR[]"),
        ("INTEGER[2][]", "INTEGER[][]"),
        ("STRUCT(a TIME_NS, b BIT)", "STRUCT(a TIME, b VARCHAR)"),
        ("HUGEINT", "DECIMAL(38,0)"),
        ("MAP(VARCHAR, DOUBLE)", "MAP(VARCHAR, DOUBLE)"),
    ],
)
def test_a_type_that_there_is_not_has_a_substitute(kind, stored):
    assert storable(kind) == stored


def filled_and_failed(store: mx.MetadataStore) -> None:
    """What is taken back: a table that was filled already, by a second one that cannot be."""
    with store.backend.transaction() as transaction:
        transaction.replace("again", "SELECT 4::BIGINT AS n, 'c' AS t")
        transaction.replace("again", "SELECT t::BIGINT AS n, t FROM (VALUES ('c')) AS v(t)")


@pytest.mark.parametrize("kind", CATALOGS)
def test_a_table_that_is_filled_anew_stays_the_one_it_was(kind, tmp_path):
    with opened(kind, tmp_path) as store:
        for sql in (
            "SELECT range AS n, 'a' AS t FROM range(5)",
            "SELECT n + 5 AS n, t FROM metaxy_store.main.again",
            "SELECT 3::BIGINT AS n, 'b' AS t",
        ):
            with store.backend.transaction() as transaction:
                transaction.replace("again", sql)
        with pytest.raises(ValueOutOfRange):
            filled_and_failed(store)
        tables = "SELECT * FROM __ducklake_metadata_metaxy_store.ducklake_table"
        with store.backend.snapshot() as snapshot:
            rows = snapshot.fetch("SELECT * FROM metaxy_store.main.again").to_pylist()
            assert rows == [{"n": 3, "t": "b"}]
            assert snapshot.fetch(tables).num_rows == 1
        with store.backend.transaction() as transaction:
            transaction.replace("again", "SELECT 'other' AS u")
        with store.backend.snapshot() as snapshot:
            assert snapshot.table("again").columns == ("u",)


def test_a_file_of_others_is_refused_and_left_alone(tmp_path):
    with mx.DuckDBMetadataStore(tmp_path / "own.duckdb") as store:
        store.write("video", frame("a"))
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE t (a)")
    other.close()
    for name in ("own.duckdb", "other.sqlite"):
        before = (tmp_path / name).read_bytes()
        address = f"sqlite:{tmp_path / name}" if name.endswith("sqlite") else tmp_path / name
        with mx.DuckLakeMetadataStore(address, tmp_path / "data") as store:
            with pytest.raises(NotAStore, match="holds no DuckLake catalog"):
                store.write("video", frame("b"))
            with pytest.raises(NotAStore, match="holds no DuckLake catalog"):
                store.count("video")
        assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("catalog", ["catalog.ducklake", "sqlite:{}/catalog.sqlite"])
def test_a_folder_that_is_not_there_is_not_made(catalog, tmp_path):
    folder = tmp_path / "none"
    address = catalog.format(folder) if "{}" in catalog else folder / catalog
    with mx.DuckLakeMetadataStore(address, tmp_path / "data") as store:
        with pytest.raises(StoreUnreachable, match="check that its folder exists"):
            store.write("video", frame("a"))
        assert not folder.exists()


@pytest.mark.parametrize("kind", CATALOGS)
def test_data_that_are_elsewhere_are_missed_before_anything_is_written(kind, tmp_path):
    with opened(kind, tmp_path) as store:
        store.write("video", frame("a"))
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    with opened(kind, tmp_path) as store, pytest.raises(StoreUnreachable, match="with data in"):
        store.write("video", frame("b"))
    assert not (tmp_path / "data").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "data")
    with opened(kind, tmp_path) as store:
        assert store.read("video").to_polars()["id"].to_list() == ["a"]


@pytest.mark.parametrize("kind", ["duckdb", pytest.param("postgres", marks=pytest.mark.slow)])
def test_data_in_a_bucket(kind, bucket, tmp_path):
    url, options = bucket
    with opened(kind, tmp_path, data_path=url, storage_options=options) as store:
        store.write("video", frame("a", "b"))
        store.delete("video", pl.DataFrame({"id": ["a"]}), hard=True)
        with opened(kind, tmp_path, data_path=url, storage_options=options) as other:
            assert other.read("video").to_polars()["id"].to_list() == ["b"]
        assert "hush" not in f"{store!r}{store.backend!r}{store.address}"
    assert not (tmp_path / "data").exists()
    wrong = {**options, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with opened(kind, tmp_path, data_path=url, storage_options=wrong) as store:
        with pytest.raises(StoreUnreachable, match="with data in s3://") as caught:
            store.read("video").to_polars()
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("data_path", "options", "said"),
    [
        ("gs://bucket/store", {}, "s3://bucket/prefix"),
        ("s3://me:hush@bucket/store", {}, "storage_options"),
        ("s3://bucket/store", {"AWS_THING": "hush"}, "AWS_THING"),
        ("s3://bucket/store", {"AWS_ENDPOINT_URL": "http://me:hush@host"}, "AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_bucket_that_cannot_be_opened_is_refused(data_path, options, said, tmp_path):
    with pytest.raises(StoreUnreachable, match=said) as caught:
        mx.DuckLakeMetadataStore(tmp_path / "catalog", data_path, storage_options=options)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "catalog", ["POSTGRESQL://me:hush@h/x", "postgresql:/me:hush@h/x", "mysql:password=hush"]
)
def test_an_address_that_is_none_is_not_shown(catalog):
    with pytest.raises((InvalidSetting, StoreUnreachable)) as caught:
        mx.DuckLakeMetadataStore(catalog, "data")
    assert "hush" not in str(caught.value)


def test_a_schema_is_no_longer_than_postgresql_keeps_it():
    for schema in ("x" * 64, "ü" * 32):
        with pytest.raises(InvalidSetting, match="63 bytes"):
            mx.DuckLakeMetadataStore("postgresql://h/x", "data", schema=schema)


def test_no_password_is_told():
    uri = "postgresql://me:hush-hush@127.0.0.1:1/films"
    with mx.DuckLakeMetadataStore(uri, "data", lock_timeout=1) as store:
        assert "hush" not in f"{store!r}{store.backend!r}{store.address}"
        for call in (lambda: store.count("video"), lambda: store.write("video", frame("a"))):
            with pytest.raises(StoreUnreachable, match="check the address") as caught:
                call()
            assert "hush" not in str(caught.value)
            assert caught.value.__cause__ is None


@pytest.mark.parametrize("kind", CATALOGS)
def test_values_of_types_that_there_are_not_are_kept_as_their_substitutes(kind, tmp_path):
    values = (
        "SELECT TIME_NS '23:59:59.999999999' AS clock, [1, 2]::TINYINT[2] AS pair, "
        "'a'::ENUM('a', 'b') AS word, 7::HUGEINT AS number, INTERVAL 90 SECONDS AS lasting, "
        "'101'::BIT AS bits"
    )
    with opened(kind, tmp_path) as store:
        for _ in range(2):
            with store.backend.transaction() as transaction:
                transaction.append("t", values)
        with store.backend.snapshot() as snapshot:
            sql = store.backend.sql(lambda: snapshot.table("t"))
            assert snapshot.fetch(sql).to_pylist() == 2 * [
                {
                    "clock": dt.time(23, 59, 59, 999_999),
                    "pair": [1, 2],
                    "word": "a",
                    "number": 7,
                    "lasting": dt.timedelta(seconds=90),
                    "bits": "101",
                }
            ]
        with (
            store.backend.transaction() as transaction,
            pytest.raises(WrongColumnType, match="durations only as columns of their own"),
        ):
            transaction.append("nested", "SELECT [INTERVAL 1 SECOND] AS lasting")


@pytest.mark.parametrize("kind", CATALOGS[:2])
def test_maintenance_makes_few_files_and_erases_what_was_erased(kind, tmp_path):
    path = {"duckdb": "catalog.ducklake", "sqlite": "catalog.sqlite"}[kind]
    prefix = "sqlite:" if kind == "sqlite" else ""
    with opened(kind, tmp_path) as store, duckdb.connect() as other:
        for number in range(4):
            store.write("video", frame(f"kept{number}", f"erased{number}"))
        store.delete("video", filters="id = 'erased2'", hard=True)
        assert holding(tmp_path, "erased2")
        files = len(list(tmp_path.rglob("*.parquet")))
        for name in ("ducklake", "sqlite_scanner"):
            load_extension(other, name)
        source = f"ducklake:{prefix}{tmp_path / path}"
        other.execute(f"ATTACH '{source}' AS films (DATA_PATH '{tmp_path / 'data'}/')")
        other.execute("CALL ducklake_rewrite_data_files('films', delete_threshold => 0)")
        other.execute("CALL ducklake_merge_adjacent_files('films')")
        other.execute("CALL ducklake_expire_snapshots('films', older_than => now())")
        other.execute("CALL ducklake_cleanup_old_files('films', cleanup_all => true)")
        other.execute("DETACH films")
        assert not holding(tmp_path, "erased2")
        assert len(list(tmp_path.rglob("*.parquet"))) < files
        store.write("video", frame("later"))
        assert store.count("video") == 8
        assert store.integrity("video")


def holding(folder: Path, value: str) -> list[Path]:
    """The data files in which a value stands."""
    found = "SELECT count(*) FROM '{}' AS t WHERE t::VARCHAR LIKE '%{}%'"
    files = folder.rglob("*.parquet")
    return [each for each in files if duckdb.sql(found.format(each, value)).fetchone() != (0,)]
