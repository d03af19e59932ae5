"""What metaxy.toml says of stores: fallbacks, a hash, and values that stand in the environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    ConfigError,
    FallbackCircle,
    InvalidSetting,
    MissingVariable,
    StoreUnreachable,
    UnknownSetting,
    UnknownStore,
)

Load = Callable[[str], mx.Config]
CHAIN = """
store = "dev"
[stores.production]
path = "prod.duckdb"
[stores.staging]
path = "staging.duckdb"
fallback = "production"
[stores.dev]
path = "dev.duckdb"
fallback = ["staging", "production"]
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a metaxy.toml and read it."""

    def load(text: str) -> mx.Config:
        (tmp_path / "metaxy.toml").write_text(text)
        return mx.Config.load(tmp_path / "metaxy.toml")

    return load


# ------------------------------------------------------------------ fallbacks


def test_a_store_is_opened_over_its_fallbacks(load, graph, tmp_path):
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        id: str

    frame = pl.DataFrame({"id": ["a"], "metaxy_provenance_by_field": [{"default": "1"}]})
    config = load(CHAIN)
    with config.open_store("production") as production:
        production.write(Video, frame)
    with config.open_store() as dev:
        files = [Path(store.address).name for store in (dev, *dev.fallbacks)]
        assert files == ["dev.duckdb", "staging.duckdb", "prod.duckdb"]
        assert dev.count(Video) == 1
    assert [each.name for each in tmp_path.glob("*.duckdb")] == ["prod.duckdb"]


def test_fallbacks_that_the_configuration_opened_are_closed_with_the_store(load):
    with load(CHAIN).open_store() as dev:
        below = dev.fallbacks
    for store in below:
        with pytest.raises(mx.MetaxyError, match="is closed"):
            store.snapshots()


def test_a_variable_names_fallbacks_with_commas(load, monkeypatch):
    monkeypatch.setenv("METAXY_STORES__DEV__FALLBACK", "production, staging")
    assert load(CHAIN).stores["dev"].fallback == ("production", "staging")


def test_an_unknown_fallback_is_refused_with_the_nearest(load):
    config = load("[stores.production]\npath='p'\n[stores.dev]\npath='d'\nfallback='prodution'")
    with pytest.raises(UnknownStore) as caught:
        config.open_store("dev")
    said = str(caught.value)
    assert "stores.dev.fallback" in said
    assert "'prodution'" in said
    assert "did you mean 'production'?" in said
    assert "metaxy.toml" in said


@pytest.mark.parametrize(
    ("fallbacks", "circle"),
    [
        ({"a": "a"}, "'a' -> 'a'"),
        ({"a": "b", "b": "a"}, "'a' -> 'b' -> 'a'"),
        ({"a": "b", "b": "c", "c": "b"}, "'b' -> 'c' -> 'b'"),
    ],
)
def test_a_circle_of_fallbacks_is_refused_and_told(load, fallbacks, circle):
    tables = [f"[stores.{n}]\npath='{n}'\nfallback='{to}'" for n, to in fallbacks.items()]
    with pytest.raises(FallbackCircle) as caught:
        load("\n".join(tables)).open_store("a")
    assert circle in str(caught.value)


def test_a_fallback_misspelled_as_a_setting_is_refused_with_the_nearest(load):
    with pytest.raises(UnknownSetting, match="did you mean 'fallback'"):
        load("[stores.dev]\npath='d'\nfalback='production'")


# ------------------------------------------------------------------ hash


def test_a_store_has_the_hash_that_the_configuration_says(load):
    config = load("[stores.default]\npath=':memory:'\nhash='xxh64'")
    with config.open_store() as store:
        store.push()
        rows = store.backend.fetch("SELECT metaxy_hash('abc') AS h").to_pylist()
    assert rows == [{"h": 0x44BC2CF5AD770999}]


def test_an_unknown_hash_names_the_known_ones(load):
    with pytest.raises(InvalidSetting) as caught:
        load("[stores.default]\npath='a'\nhash='xxh32'")
    assert "stores.default.hash" in str(caught.value)
    assert "'md5' or 'xxh64'" in str(caught.value)


# ------------------------------------------------------------------ values in the environment


def test_a_setting_is_given_by_a_variable_alone(load, monkeypatch):
    monkeypatch.setenv("METAXY_STORES__DEFAULT__SETTINGS__THREADS", "1")
    config = load("[stores.default]\npath=':memory:'\nsettings = {memory_limit = '1GB'}")
    assert config.stores["default"].settings == {"memory_limit": "1GB", "threads": "1"}
    with config.open_store() as store:
        rows = store.backend.fetch("SELECT current_setting('threads') AS n").to_pylist()
    assert rows == [{"n": 1}]


def test_a_text_takes_its_value_from_the_variable_it_names(load, monkeypatch, tmp_path):
    monkeypatch.setenv("THREADS", "1")
    monkeypatch.setenv("DATA", str(tmp_path / "data"))
    config = load("[stores.default]\npath='${DATA}/m.duckdb'\nsettings={threads='${THREADS}'}")
    with config.open_store() as store:
        assert store.address == str(tmp_path / "data" / "m.duckdb")
        rows = store.backend.fetch("SELECT current_setting('threads') AS n").to_pylist()
    assert rows == [{"n": 1}]


@pytest.mark.parametrize("where", ["path='${NOT_SET}'", "path='a'\nsettings={s3='x${NOT_SET}'}"])
def test_a_variable_that_is_not_set_is_named_with_the_setting(load, where):
    config = load(f"[stores.default]\n{where}\n[stores.other]\npath=':memory:'")
    with pytest.raises(MissingVariable) as caught:
        config.open_store()
    assert "NOT_SET, which is not set" in str(caught.value)
    assert ("stores.default.path" in str(caught.value)) == where.startswith("path='$")
    config.open_store("other").close()


@pytest.mark.parametrize("name", ["", "A-B", "1", "A B"])
def test_what_is_no_name_of_a_variable_is_refused(load, name):
    config = load(f"[stores.default]\npath='${{{name}}}'")
    with pytest.raises(InvalidSetting, match="is no name"):
        config.open_store()


def test_a_missing_variable_of_a_fallback_closes_what_was_opened(load):
    config = load(
        "[stores.a]\npath=':memory:'\nfallback=['b', 'c']\n"
        "[stores.b]\npath=':memory:'\n[stores.c]\npath='${NOT_SET}'"
    )
    with pytest.raises(MissingVariable, match=r"stores\.c\.path"):
        config.open_store("a")


# ------------------------------------------------------------------ secrets


def chain_of(error: BaseException) -> list[BaseException]:
    """An error with those that a traceback prints before it."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return [error, *(chain_of(before) if before else [])]


@pytest.mark.parametrize(
    "settings",
    [
        "{s3_secret_kee = '${SECRET}'}",
        "{threads = '${SECRET}'}",
        "{memory_limit = '${SECRET}'}",
        "{threads = 'x${SECRET}'}",
    ],
)
def test_a_value_that_the_engine_refuses_is_not_printed(load, monkeypatch, settings):
    monkeypatch.setenv("SECRET", "hush-Hush-42")
    config = load(f"[stores.default]\npath=':memory:'\nsettings={settings}")
    with pytest.raises(ConfigError) as caught:
        config.open_store()
    name = settings[1:].split(" ")[0]
    assert name in str(caught.value)
    for error in chain_of(caught.value):
        assert "hush" not in f"{error!r} {error}".lower()


def test_values_are_in_no_text_of_the_configuration(load, monkeypatch):
    monkeypatch.setenv("SECRET", "hush")
    monkeypatch.setenv("METAXY_STORES__DEFAULT__SETTINGS__S3_KEY", "hush")
    config = load("[stores.default]\npath=':memory:'\nsettings={threads='1', other='${SECRET}'}")
    for text in (repr(config), str(config), repr(config.stores["default"])):
        assert "hush" not in text


@pytest.mark.parametrize("settings", ["{s3_key = ['hush']}", "{s3_key = {a = 'hush'}}", "'hush'"])
def test_values_of_the_wrong_type_are_not_printed(load, settings):
    with pytest.raises(InvalidSetting) as caught:
        load(f"[stores.default]\npath='a'\nsettings={settings}")
    assert "stores.default.settings" in str(caught.value)
    for error in chain_of(caught.value):
        assert "hush" not in f"{error!r} {error}"


# ------------------------------------------------------------------ types


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("type = 'postgres'", "type 'postgres' needs dsn"),
        ("type = 'sqlite'", "type 'sqlite' needs path"),
        ("type = 'sqlite'\npath = 'a'\nschema = 'b'", "has no schema; it has path"),
        ("type = 'postgres'\ndsn = 'a'\nengine = 'b'", "has no engine; it has dsn"),
        ("type = 'postgres'\ndsn = 'a'\npath = 'b'", "no path; it has dsn, schema, parameters"),
    ],
)
def test_a_store_has_the_settings_of_its_type(load, lines, problem):
    with pytest.raises(InvalidSetting, match=problem):
        load(f"[stores.default]\n{lines}")


def test_a_store_in_sqlite_is_opened_from_its_path(load, tmp_path):
    config = load("[stores.default]\ntype = 'sqlite'\npath = 'metadata.sqlite'")
    with config.open_store() as store:
        assert (store.kind, store.address) == ("sqlite", str(tmp_path / "metadata.sqlite"))


def test_the_password_of_a_dsn_is_never_shown(load, monkeypatch):
    dsn = "postgresql://ann:${PASSWORD_OF_ANN}@localhost:1/films"
    config = load(f"[stores.default]\ntype = 'postgres'\ndsn = '{dsn}'\nschema = 'mine'")
    monkeypatch.setenv("PASSWORD_OF_ANN", "s3cret")
    with config.open_store() as store:
        assert store.address == "postgresql://localhost:1/films schema mine"
        with pytest.raises(StoreUnreachable) as refused:
            store.commits("a")
        said = f"{config!r} {store!r} {refused.value} {refused.value.__cause__!r}"
    assert "s3cret" not in said
    assert "refused" in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "store", "package"),
    [
        ("postgres", "PostgresMetadataStore", "adbc_driver_postgresql"),
        ("delta", "DeltaMetadataStore", "deltalake"),
    ],
)
def test_a_store_whose_driver_is_not_installed_says_what_to_install(
    load, monkeypatch, kind, store, package
):
    for module in (kind, f"{kind}_connection"):
        name = f"metaxy_core.store.backends.{module}"
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    place = "dsn = 'postgresql://h/db'" if kind == "postgres" else "path = 'films'"
    told = f"needs the package '{package}'.*pip install 'metaxy-dagster\\[{kind}\\]'"
    with pytest.raises(ConfigError, match=told):
        load(f"[stores.default]\ntype = '{kind}'\n{place}").open_store()
    with pytest.raises(ModuleNotFoundError, match=told) as caught:
        getattr(mx, store)
    assert caught.value.name == package
