"""The store is a resource: from a path, an environment variable or a DuckDB resource."""

import dagster as dg
import pytest
from dagster_duckdb import DuckDBResource

import metaxy_core as mx
import metaxy_dagster as mxd


def test_the_store_opens_at_the_database(lab, media):
    with lab.store.open() as store:
        assert isinstance(store, mx.DuckDBMetadataStore)
        assert store.address == lab.store.database


def test_the_store_is_closed_after_the_block(lab, media):
    with lab.store.open() as store:
        pass

    with pytest.raises(mx.MetaxyError, match="closed"):
        store.count(media.Video)


def test_a_duckdb_resource_lends_its_database_and_settings(lab, media, tmp_path):
    path = str(tmp_path / "warehouse.duckdb")
    duckdb = DuckDBResource(database=path, connection_config={"threads": 1})
    lab.store = mxd.MetaxyStoreResource.from_duckdb(duckdb, lock_timeout=5)

    lab.run(lab.video(media))

    assert (lab.store.settings, lab.store.lock_timeout) == ({"threads": 1}, 5)
    with duckdb.get_connection() as connection:
        rows = connection.execute("SELECT video_id FROM example__video ORDER BY 1").fetchall()
    assert rows == [("a",), ("b",)]


def test_the_database_may_come_from_the_environment(lab, media, tmp_path, monkeypatch):
    monkeypatch.setenv("METAXY_TEST_DATABASE", str(tmp_path / "named.duckdb"))
    duckdb = DuckDBResource(database=dg.EnvVar("METAXY_TEST_DATABASE"))
    store = mxd.MetaxyStoreResource.from_duckdb(duckdb)
    resources = {"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)}

    lab.run(*lab.assets(media), resources=resources)

    assert (tmp_path / "named.duckdb").exists()


def test_the_path_may_be_given_at_launch(lab, media, tmp_path):
    store = mxd.MetaxyStoreResource.configure_at_launch()
    resources = {"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)}
    path = str(tmp_path / "launched.duckdb")
    config = {"resources": {"metaxy_store": {"config": {"database": path}}}}

    lab.run(*lab.assets(media), resources=resources, run_config=config)

    assert (tmp_path / "launched.duckdb").exists()


def test_a_read_only_store_refuses_to_write(lab, media):
    lab.run(lab.video(media))
    lab.samples["c"] = ("1", "1")
    lab.store = mxd.MetaxyStoreResource(database=lab.store.database, read_only=True)

    with pytest.raises(mx.MetaxyError, match="read_only"):
        lab.run(lab.video(media))


def test_an_in_memory_store_is_refused(lab, media):
    lab.store = mxd.MetaxyStoreResource(database=":memory:")

    with pytest.raises(mx.MetaxyError, match="give the path of a file"):
        lab.run(lab.video(media))


def test_two_stores_in_one_asset_are_refused(lab, media, tmp_path):
    other = mxd.MetaxyStoreResource(database=str(tmp_path / "other.duckdb"))

    with pytest.raises(mx.MetaxyError, match=r"other\.duckdb.*same MetaxyStoreResource"):
        lab.run(lab.video(media), resources={"metaxy_io_manager": mxd.MetaxyIOManager(store=other)})

    assert lab.records(media.Video) == []


def test_other_resource_keys_are_used_where_given(lab, media):
    keys = {"store_key": "records", "io_manager_key": "frames"}
    resources = {"records": lab.store, "frames": mxd.MetaxyIOManager(store=lab.store)}

    dg.materialize(
        [lab.video(media, **keys), lab.transcript(media, **keys)],
        instance=lab.instance,
        resources=resources,
    )

    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_every_option_is_described():
    described = {n: f.description for n, f in mxd.MetaxyStoreResource.model_fields.items()}

    ours = {"database", "type", "options", "read_only", "lock_timeout", "settings", "hash"}
    assert set(described) == ours
    assert all(described.values())
