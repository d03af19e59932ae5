"""metaxy.toml and METAXY_* variables: what is found, what wins, and what is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    ConfigError,
    ConfigUnreadable,
    EntrypointFailed,
    FeatureCycle,
    InvalidSetting,
    ReadOnlyStore,
    UnknownSetting,
    UnknownStore,
)

VIDEO, CROP = (
    f"""
import metaxy_core as mx

class {name}(mx.Feature, spec=mx.FeatureSpec(key="{name.lower()}", id_columns=["id"])):
    id: str
"""
    for name in ("Video", "Crop")
)

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, no METAXY_* variables, and what is imported forgotten afterwards."""
    for name in [name for name in os.environ if name.startswith("METAXY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        module = sys.modules[name]
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        if any(str(place).startswith(str(tmp_path)) for place in places):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def graph() -> Iterator[mx.FeatureGraph]:
    with mx.FeatureGraph().use() as own:
        yield own


@pytest.fixture
def write(here: Path) -> Write:
    """Write a file below the current folder."""

    def write(name: str, text: str = "") -> Path:
        file = here / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return write


def keys(graph: mx.FeatureGraph) -> list[str]:
    return sorted(str(definition.key) for definition in graph)


# ------------------------------------------------------------------ where the file is


def test_without_a_file_the_configuration_is_empty(here):
    config = mx.Config.load()
    assert (config.project, config.entrypoints, config.store, config.stores) == (
        "",
        (),
        "default",
        {},
    )
    assert (config.file, config.root) == (None, here)


def test_the_file_is_found_in_the_current_folder(write):
    file = write("metaxy.toml", "project = 'clips'")
    config = mx.Config.load()
    assert (config.project, config.file) == ("clips", file)


def test_the_file_is_found_in_a_folder_above(write, here, monkeypatch):
    write("metaxy.toml", "project = 'clips'")
    write("deep/below/x.txt")
    monkeypatch.chdir(here / "deep" / "below")
    config = mx.Config.load()
    assert (config.project, config.root) == ("clips", here)


def test_the_nearest_file_wins(write, here, monkeypatch):
    write("metaxy.toml", "project = 'outer'")
    write("inner/metaxy.toml", "project = 'inner'")
    monkeypatch.chdir(here / "inner")
    assert mx.Config.load().project == "inner"


def test_a_variable_names_the_file(write, monkeypatch):
    write("metaxy.toml", "project = 'here'")
    monkeypatch.setenv("METAXY_CONFIG", str(write("other/production.toml", "project = 'there'")))
    assert mx.Config.load().project == "there"


def test_a_named_file_wins_over_the_variable(write, monkeypatch):
    monkeypatch.setenv("METAXY_CONFIG", str(write("a.toml", "project = 'a'")))
    assert mx.Config.load(write("b.toml", "project = 'b'")).project == "b"


def test_a_named_file_that_is_missing_is_an_error():
    with pytest.raises(ConfigUnreadable, match=r"nowhere\.toml' is no file"):
        mx.Config.load("nowhere.toml")


def test_a_missing_file_that_the_variable_names_is_an_error(monkeypatch):
    monkeypatch.setenv("METAXY_CONFIG", "nowhere.toml")
    with pytest.raises(ConfigUnreadable, match=r"nowhere\.toml', which METAXY_CONFIG names"):
        mx.Config.load()


def test_a_file_that_is_no_toml_is_an_error_with_the_place(write):
    write("metaxy.toml", "project = clips")
    with pytest.raises(ConfigUnreadable, match=r"metaxy\.toml' cannot be read.*line 1"):
        mx.Config.load()


# ------------------------------------------------------------------ settings


def test_a_variable_wins_over_the_file(write, monkeypatch):
    write("metaxy.toml", "project = 'clips'\nstore = 'local'")
    monkeypatch.setenv("METAXY_STORE", "production")
    config = mx.Config.load()
    assert (config.project, config.store) == ("clips", "production")


def test_a_nested_variable_changes_one_setting_of_a_store(write, monkeypatch):
    write("metaxy.toml", "[stores.default]\npath = 'a.duckdb'\nlock_timeout = 5")
    monkeypatch.setenv("METAXY_STORES__DEFAULT__PATH", "b.duckdb")
    store = mx.Config.load().stores["default"]
    assert (store.path, store.lock_timeout) == ("b.duckdb", 5)


def test_variables_alone_make_a_store(monkeypatch):
    monkeypatch.setenv("METAXY_STORES__DEFAULT__PATH", ":memory:")
    with mx.Config.load().open_store() as store:
        assert store.address == ":memory:"


def test_a_variable_separates_entrypoints_with_commas(monkeypatch):
    monkeypatch.setenv("METAXY_ENTRYPOINTS", "clips.features, more.py")
    assert mx.Config.load().entrypoints == ("clips.features", "more.py")


def test_an_empty_variable_is_no_setting(write, monkeypatch):
    write("metaxy.toml", "project = 'clips'")
    monkeypatch.setenv("METAXY_PROJECT", "")
    assert mx.Config.load().project == "clips"


def test_an_unknown_setting_is_refused_with_the_nearest(write):
    file = write("metaxy.toml", "entrypoint = ['features']")
    with pytest.raises(UnknownSetting) as caught:
        mx.Config.load()
    assert str(caught.value) == (
        f"Setting 'entrypoint' in {file} does not exist; did you mean 'entrypoints'?"
    )


def test_an_unknown_setting_of_a_store_is_refused_with_the_nearest(write):
    write("metaxy.toml", "[stores.default]\npath = 'a.duckdb'\nlock_timeuot = 5")
    message = r"'stores\.default\.lock_timeuot' .* did you mean 'lock_timeout'\?"
    with pytest.raises(UnknownSetting, match=message):
        mx.Config.load()


def test_an_unknown_setting_in_a_nested_variable_is_refused_by_its_name(write, monkeypatch):
    write("metaxy.toml", "[stores.default]\npath = 'a.duckdb'")
    monkeypatch.setenv("METAXY_STORES__DEFAULT__PAHT", "b.duckdb")
    message = "'METAXY_STORES__DEFAULT__PAHT' in the environment does not exist; .* 'path'"
    with pytest.raises(UnknownSetting, match=message):
        mx.Config.load()


def test_a_store_without_a_path_is_refused(write):
    write("metaxy.toml", "[stores.default]\ntype = 'duckdb'")
    with pytest.raises(InvalidSetting, match=r"'stores\.default' in .* 'duckdb' needs path\."):
        mx.Config.load()


def test_a_store_of_an_unknown_type_is_refused(write):
    write("metaxy.toml", "[stores.default]\ntype = 'access'\npath = 'a.mdb'")
    with pytest.raises(InvalidSetting, match=r"'stores\.default\.type' .* 'duckdb'"):
        mx.Config.load()


def test_a_value_of_the_wrong_type_is_refused_where_it_stands(write, monkeypatch):
    write("metaxy.toml", "[stores.default]\npath = 'a.duckdb'\nlock_timeout = 5")
    monkeypatch.setenv("METAXY_STORES__DEFAULT__LOCK_TIMEOUT", "soon")
    message = "'METAXY_STORES__DEFAULT__LOCK_TIMEOUT' in the environment cannot be used: .* number"
    with pytest.raises(InvalidSetting, match=message):
        mx.Config.load()


def test_a_variable_that_is_no_json_where_it_has_to_be_is_refused(monkeypatch):
    monkeypatch.setenv("METAXY_STORES", "{")
    with pytest.raises(InvalidSetting, match="METAXY_"):
        mx.Config.load()


def test_engine_settings_are_not_printed(write):
    write("metaxy.toml", "[stores.default]\npath = 'a'\n[stores.default.settings]\ns3_key = 'hush'")
    assert "hush" not in repr(mx.Config.load())


# ------------------------------------------------------------------ stores


def test_a_relative_path_starts_at_the_file(write, here, monkeypatch):
    write("metaxy.toml", "[stores.default]\npath = 'metadata.duckdb'")
    write("below/x.txt")
    monkeypatch.chdir(here / "below")
    with mx.Config.load().open_store() as store:
        assert store.address == str(here / "metadata.duckdb")


def test_an_absolute_path_stays_as_it_is(write, here):
    write("metaxy.toml", f"[stores.default]\npath = '{here / 'x' / 'm.duckdb'}'")
    with mx.Config.load().open_store() as store:
        assert store.address == str(here / "x" / "m.duckdb")


def test_the_default_store_is_the_one_that_store_names(write):
    write("metaxy.toml", "store='b'\n[stores.a]\npath='a.duckdb'\n[stores.b]\npath='b.duckdb'")
    config = mx.Config.load()
    with config.open_store() as default, config.open_store("a") as named:
        assert (Path(default.address).name, Path(named.address).name) == ("b.duckdb", "a.duckdb")


def test_an_unknown_store_is_refused_with_the_nearest(write):
    file = write("metaxy.toml", "[stores.production]\npath = 'p.duckdb'")
    with pytest.raises(UnknownStore) as caught:
        mx.Config.load().open_store("prodution")
    assert f"'prodution' is not configured in {file}" in str(caught.value)
    assert "did you mean 'production'?" in str(caught.value)


def test_a_missing_store_tells_the_table_to_add():
    with pytest.raises(UnknownStore, match=r"add a table \[stores\.default\] with path"):
        mx.Config.load().open_store()


def test_a_read_only_store_refuses_writes(write, here):
    with mx.DuckDBMetadataStore(here / "m.duckdb") as store:
        store.snapshots()
    write("metaxy.toml", "[stores.default]\npath = 'm.duckdb'\nread_only = true")
    with mx.Config.load().open_store() as store, pytest.raises(ReadOnlyStore):
        store.push()


def test_engine_settings_reach_the_engine(write):
    write(
        "metaxy.toml", "[stores.default]\npath=':memory:'\n[stores.default.settings]\nthreads = 1"
    )
    with mx.Config.load().open_store() as store:
        threads = store._parts.backend.fetch("SELECT current_setting('threads') AS threads")
    assert pl.DataFrame(threads).item() == 1


# ------------------------------------------------------------------ entrypoints


def test_init_imports_modules_beside_the_file(write, graph):
    write("metaxy.toml", "entrypoints = ['clips.features']")
    write("clips/features.py", VIDEO)
    assert mx.init().entrypoints == ("clips.features",)
    assert keys(graph) == ["video"]


def test_init_imports_files_relative_to_the_configuration(write, graph, here, monkeypatch):
    file = write("metaxy.toml", "entrypoints = ['definitions/features.py']")
    write("definitions/features.py", VIDEO)
    monkeypatch.chdir(here.parent)
    mx.init(file)
    assert keys(graph) == ["video"]


def test_init_may_be_called_again(write, graph):
    write("metaxy.toml", "entrypoints = ['features.py']")
    write("features.py", VIDEO)
    assert mx.init() == mx.init()
    assert keys(graph) == ["video"]


def test_init_without_a_file_gives_an_empty_configuration(graph):
    assert mx.init().file is None
    assert keys(graph) == []


def test_a_file_has_the_name_by_which_other_modules_import_it(write, graph):
    write("metaxy.toml", "entrypoints = ['src/clips/video.py', 'src/clips/crop.py']")
    write("src/clips/__init__.py")
    write("src/clips/video.py", VIDEO)
    write("src/clips/crop.py", f"from clips.video import Video\n{CROP}")
    mx.init()
    assert [definition.origin for definition in graph] == ["clips.video:Video", "clips.crop:Crop"]


def test_files_of_one_name_do_not_meet(write, graph):
    write("metaxy.toml", "entrypoints = ['a/features.py', 'b/features.py']")
    write("a/features.py", VIDEO)
    write("b/features.py", CROP)
    mx.init()
    mx.init()
    assert keys(graph) == ["crop", "video"]


def test_a_file_named_like_a_module_of_python_is_imported_all_the_same(write, graph):
    write("metaxy.toml", "entrypoints = ['platform.py', 'my-features.v2.py']")
    write("platform.py", VIDEO)
    write("my-features.v2.py", CROP)
    mx.init()
    assert keys(graph) == ["crop", "video"]


def test_a_module_that_is_not_there_is_named_with_the_file(write):
    file = write("metaxy.toml", "entrypoints = ['nowhere.features']")
    with pytest.raises(EntrypointFailed) as caught:
        mx.init()
    assert str(caught.value) == (
        f"Entrypoint 'nowhere.features' (from {file}) cannot be imported: "
        f"ModuleNotFoundError: No module named 'nowhere'. Correct it, or its name."
    )


def test_a_file_that_is_not_there_is_named(write, here):
    write("metaxy.toml", "entrypoints = ['nowhere.py']")
    with pytest.raises(EntrypointFailed, match=f"there is no file '{here / 'nowhere.py'}'"):
        mx.init()


def test_a_module_that_fails_is_named_with_the_line(write):
    write("metaxy.toml", "entrypoints = ['features.py']")
    file = write("features.py", "x = 1\n1 / 0\n")
    with pytest.raises(EntrypointFailed, match=f"ZeroDivisionError: .*{file}, line 2"):
        mx.init()


def test_a_module_that_failed_is_imported_again_once_it_is_mended(write, graph):
    write("metaxy.toml", "entrypoints = ['platform.py']")
    write("platform.py", "1 / 0")
    with pytest.raises(EntrypointFailed):
        mx.init()
    write("platform.py", VIDEO)
    mx.init()
    assert keys(graph) == ["video"]


def test_a_wrong_definition_keeps_its_own_error(write):
    write("metaxy.toml", "entrypoints = ['features.py']")
    spec = 'class {0}(mx.Feature, spec=mx.FeatureSpec(key="{0}", deps=["{1}"])): pass\n'
    write(
        "features.py", "import metaxy_core as mx\n" + spec.format("A", "B") + spec.format("B", "A")
    )
    with pytest.raises(FeatureCycle):
        mx.init()


def test_every_error_is_a_config_error():
    errors = (ConfigUnreadable, EntrypointFailed, InvalidSetting, UnknownSetting, UnknownStore)
    assert all(issubclass(error, ConfigError) for error in errors)
