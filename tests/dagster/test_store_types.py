"""The store resource opens stores of every kind, and shows no secret of theirs."""

import json
from pathlib import Path

import dagster as dg
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_core.config import Config, StoreConfig
from metaxy_dagster.components.stores import Store
from tests.servers import postgres_uri, schema_of

SECRET = "hunter2"


def postgres(folder: Path) -> mxd.MetaxyStoreResource:
    return mxd.MetaxyStoreResource(
        type="postgres",
        database=postgres_uri(),
        options={"schema": schema_of(folder), "parameters": {"application_name": "films"}},
    )


def in_folder(kind: str):
    """A resource over a lake, or over a file."""

    def resource(folder: Path) -> mxd.MetaxyStoreResource:
        settings = {} if kind == "sqlite" else {"threads": 1}
        return mxd.MetaxyStoreResource(type=kind, database=str(folder / kind), settings=settings)

    return resource


KINDS = {
    "sqlite": in_folder("sqlite"),
    "postgres": postgres,
    "delta": in_folder("delta"),
    "iceberg": in_folder("iceberg"),
    "lance": in_folder("lance"),
}
REPEATED = {"sqlite", "delta", "iceberg", "lance"}


@pytest.fixture(
    params=[
        pytest.param(kind, marks=[pytest.mark.slow] if kind in REPEATED else []) for kind in KINDS
    ]
)
def other(request, lab, tmp_path):
    """The lab, with a store of another kind than DuckDB."""
    lab.store = KINDS[request.param](tmp_path)
    return lab


def test_each_run_handles_what_changed(other, media):
    video, transcript = other.video(media), other.transcript(media)
    other.run(video, transcript)
    other.samples["a"] = ("2", "1")
    other.samples["b"] = ("1", "2")
    other.samples["c"] = ("1", "1")
    other.run(video, transcript)

    assert other.processed == [["a", "b"], ["a", "c"]]
    assert other.records(media.Transcript) == other.texts("a", "b", "c")


@pytest.mark.slow
def test_chunks_are_committed_one_by_one(other, media):
    other.samples["c"] = ("1", "1")
    other.run(other.video(media), other.transcript(media, chunk_size=1))

    assert other.commits(media.Transcript) == [["a"], ["b"], ["c"]]


def test_a_sensor_asks_for_a_run_after_a_change(other, media):
    video, transcript = other.video(media), other.transcript(media)
    sensor = mxd.upstream_change_sensor(video, target=[transcript], name="changes")
    other.run(video, transcript)

    cursor = None

    def tick():
        nonlocal cursor
        context = dg.build_sensor_context(
            instance=other.instance, cursor=cursor, resources={"metaxy_store": other.store}
        )
        data = sensor.evaluate_tick(context)
        cursor = data.cursor
        return len(data.run_requests)

    tick()
    assert tick() == 0
    other.samples["a"] = ("2", "1")
    other.run(video)
    assert (tick(), tick()) == (1, 0)


# ------------------------------------------------------------------ configuration


def test_an_unknown_type_is_refused(lab, media):
    lab.store = mxd.MetaxyStoreResource(type="oracle", database="x")
    with pytest.raises(mx.MetaxyError, match=r"type='oracle'; give one of duckdb, sqlite,"):
        lab.run(lab.video(media))


def test_options_of_another_type_are_refused_without_their_values(lab, media):
    options = {"parameters": {"password": SECRET}}
    lab.store = mxd.MetaxyStoreResource(type="sqlite", database="x.sqlite", options=options)
    with pytest.raises(mx.MetaxyError, match="'sqlite' has no parameters") as error:
        lab.run(lab.video(media))
    assert SECRET not in str(error.value)


def test_a_store_of_the_configuration_keeps_its_type_and_options(tmp_path):
    store = StoreConfig(type="delta", path="lake", settings={"threads": 1})
    config = Config(stores={"default": store})
    found = mxd.MetaxyStoreResource.from_config(config)
    assert (found.type, found.settings, found.options) == ("delta", {"threads": 1}, {})
    assert found.database == str(store.address(config.root))


def test_variables_of_secrets_are_read_when_the_store_is_opened(tmp_path, monkeypatch):
    dsn = "postgresql://me:${METAXY_TEST_SECRET}@db.invalid:1/films"
    parameters = {"connect_timeout": 1, "sslpassword": "${METAXY_TEST_SECRET}"}
    store = StoreConfig(type="postgres", dsn=dsn, parameters=parameters)
    monkeypatch.setenv("METAXY_TEST_SECRET", SECRET)
    found = mxd.MetaxyStoreResource.from_config(Config(stores={"default": store}))
    assert found.database == dsn
    assert SECRET not in json.dumps(found.model_dump())
    with found.open() as opened, pytest.raises(mx.MetaxyError) as error:
        opened.snapshots()
    assert SECRET not in str(error.value)
    monkeypatch.delenv("METAXY_TEST_SECRET")
    with pytest.raises(mx.MetaxyError, match="METAXY_TEST_SECRET, which is not set"), found.open():
        pass


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"type": "postgres", "dsn": f"postgresql://me:{SECRET}@host/films"}, "dsn"),
        ({"type": "postgres", "dsn": f"host=here password={SECRET}"}, "dsn"),
        (
            {"type": "postgres", "dsn": "host=here", "parameters": {"password": SECRET}},
            "parameters.password",
        ),
        (
            {"type": "delta", "path": "s3://b", "storage_options": {"AWS_SECRET_KEY": SECRET}},
            "storage_options.AWS_SECRET_KEY",
        ),
        ({"type": "postgres", "dsn": "postgresql://u:${A}@h/d?sslpassword=hunter2"}, "dsn"),
        ({"type": "postgres", "dsn": "postgresql://me:hun/ter2@host/films"}, "dsn"),
        ({"type": "postgres", "dsn": "postgresql://:hunter2@host/films"}, "dsn"),
        ({"type": "delta", "path": "s3://b/x?sig=hunter2"}, "path"),
        (
            {"type": "delta", "path": "az://b", "storage_options": {"sas": SECRET}},
            "storage_options.sas",
        ),
        (
            {"type": "delta", "path": "az://b", "storage_options": {"CONNECTION_STRING": SECRET}},
            "storage_options.CONNECTION_STRING",
        ),
        (
            {"path": "x.duckdb", "settings": {"s3_secret_access_key": SECRET}},
            "settings.s3_secret_access_key",
        ),
    ],
)
def test_a_secret_that_dagster_would_show_is_refused(settings, name, tmp_path):
    said = dict(settings)
    database = said.pop("dsn", None) or said.pop("path")
    kind, given = said.pop("type", "duckdb"), said.pop("settings", None)
    with pytest.raises(mxd.AssetError, match=f"store with a secret in '{name}") as error:
        Store(database, type=kind, settings=given, options=said).resource(tmp_path)
    assert SECRET not in str(error.value)
    config = Config(stores={"default": StoreConfig(**settings)})
    with pytest.raises(mxd.AssetError, match=f"has a secret in {name}, .*environment") as error:
        mxd.MetaxyStoreResource.from_config(config)
    assert SECRET not in str(error.value)


def test_what_is_no_secret_may_be_shown(tmp_path):
    parameters = {"sslmode": "verify-full", "sslkey": "films.key", "application_name": "films"}
    options = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_KEY": "${KEY}"}
    stores = {
        "server": StoreConfig(
            type="postgres", dsn="postgresql://me:${PW}@h:5432/films", parameters=parameters
        ),
        "lake": StoreConfig(type="delta", path="s3://films/x", storage_options=options),
    }
    config = Config(stores=stores)
    server = mxd.MetaxyStoreResource.from_config(config, "server")
    lake = mxd.MetaxyStoreResource.from_config(config, "lake")
    assert server.options == {"parameters": parameters}
    assert lake.options == {"storage_options": options}


def test_a_component_says_the_type(tmp_path):
    said = Store("lake", type="delta", options={"storage_options": {"AWS_REGION": "eu-west-1"}})
    found = said.resource(tmp_path)
    assert (found.type, found.database) == ("delta", str(tmp_path / "lake"))
    assert found.options == {"storage_options": {"AWS_REGION": "eu-west-1"}}
