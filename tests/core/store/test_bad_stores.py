"""Files that are no store, or not ours to write: refused by name, and left as they are."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    ConfigError,
    MetaxyError,
    NotAStore,
    ReadOnlyStore,
    StoreClosed,
    StoreError,
    StoreFormatMismatch,
    StoreUnreachable,
)

if TYPE_CHECKING:
    import polars as pl

    from tests.conftest import Project

FeatureClass = type[mx.Feature]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metadata.duckdb"


@pytest.fixture
def video(project: Project, path: Path) -> FeatureClass:
    """A feature with one record in the file."""
    video = project.feature("video")
    with mx.DuckDBMetadataStore(path) as store:
        store.write(video, project.samples(v1="a"))
    return video


def says(error: pytest.ExceptionInfo[MetaxyError], *parts: str) -> None:
    missing = [part for part in parts if part not in str(error.value)]
    assert not missing, f"{missing} not in: {error.value}"


def refused_everywhere(
    store: mx.MetadataStore, feature: FeatureClass, samples: pl.DataFrame, error: type[MetaxyError]
) -> pytest.ExceptionInfo[MetaxyError]:
    for call in (
        lambda: store.read(feature).to_polars(),
        lambda: store.resolve_update(feature, samples),
        lambda: store.history(feature),
        lambda: store.write(feature, samples),
    ):
        with pytest.raises(error) as caught:
            call()
    return caught


def test_a_store_that_is_opened_read_only_refuses_writes(
    project: Project, path: Path, video: FeatureClass
) -> None:
    before = path.read_bytes()
    with mx.DuckDBMetadataStore(path, read_only=True) as store:
        for change in (
            lambda: store.write(video, project.samples(v2="a")),
            lambda: store.delete(video, filters="id = 'v1'"),
            store.push,
        ):
            with pytest.raises(ReadOnlyStore) as caught:
                change()
            says(caught, str(path), "read_only=True", "open it without to write")
        assert store.count(video) == 1
        assert store.resolve_update(video, project.samples(v1="a", v2="a")).counts.new == 1
    assert path.read_bytes() == before


def test_a_store_that_is_opened_read_only_has_to_exist(project: Project, path: Path) -> None:
    video = project.feature("video")
    with mx.DuckDBMetadataStore(path, read_only=True) as store:
        with pytest.raises(StoreUnreachable) as caught:
            store.read(video).to_polars()
        says(caught, str(path), "check that its folder exists")
    assert not path.exists()


def test_a_folder_that_does_not_exist_is_named_and_not_made(
    project: Project, tmp_path: Path
) -> None:
    video = project.feature("video")
    path = tmp_path / "missing" / "metadata.duckdb"
    with mx.DuckDBMetadataStore(path) as store:
        caught = refused_everywhere(store, video, project.samples(v1="a"), StoreUnreachable)
        says(caught, str(path), "check that its folder exists and may be written")
    assert not path.parent.exists()


def test_a_link_to_a_disk_that_is_away_is_refused_and_kept(
    project: Project, path: Path, tmp_path: Path
) -> None:
    video = project.feature("video")
    path.symlink_to(tmp_path / "unmounted" / "metadata.duckdb")
    with mx.DuckDBMetadataStore(path) as store:
        with pytest.raises(StoreUnreachable) as caught:
            store.write(video, project.samples(v1="a"))
        says(caught, str(path))
        assert path.is_symlink()
        refused_everywhere(store, video, project.samples(v1="a"), StoreUnreachable)


def test_a_place_where_no_file_can_be_made_is_named(project: Project) -> None:
    video = project.feature("video")
    with mx.DuckDBMetadataStore("/proc/x.duckdb") as store:
        assert store.read(video).to_polars().height == 0
        with pytest.raises(StoreError) as caught:
            store.write(video, project.samples(v1="a"))
        says(caught, "'/proc/x.duckdb'", "folder")


def test_a_folder_is_no_store(project: Project, tmp_path: Path) -> None:
    video = project.feature("video")
    with mx.DuckDBMetadataStore(tmp_path) as store:
        caught = refused_everywhere(store, video, project.samples(v1="a"), StoreError)
        says(caught, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"id,path\nv1,a.mp4\n" * 1000, b"x", b"PAR1" + b"\0" * 5000, b"\0" * 20_000, b""],
    ids=["csv", "one byte", "parquet", "zeros", "empty"],
)
def test_a_file_that_is_no_database_is_refused_and_kept(
    project: Project, path: Path, content: bytes
) -> None:
    video = project.feature("video")
    path.write_bytes(content)
    with mx.DuckDBMetadataStore(path) as store:
        caught = refused_everywhere(store, video, project.samples(v1="a"), NotAStore)
        says(caught, str(path), "is no DuckDB database", "give the path of a store")
    assert path.read_bytes() == content


def test_a_database_of_another_kind_is_refused_and_kept(project: Project, path: Path) -> None:
    video = project.feature("video")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE video (id TEXT)")
    connection.close()
    before = path.read_bytes()
    with mx.DuckDBMetadataStore(path) as store:
        caught = refused_everywhere(store, video, project.samples(v1="a"), NotAStore)
        says(caught, str(path), "is no DuckDB database", "give the path of a store")
    assert path.read_bytes() == before


def test_a_database_with_a_table_of_a_feature_s_name_is_refused_and_kept(
    project: Project, path: Path
) -> None:
    video = project.feature("video")
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE video AS SELECT 'mine' AS id, 42 AS answer")
    with mx.DuckDBMetadataStore(path) as store:
        for call in (
            lambda: store.read(video).to_polars(),
            lambda: store.resolve_update(video, project.samples(v1="a")),
            lambda: store.write(video, project.samples(v1="a")),
        ):
            with pytest.raises(NotAStore) as caught:
                call()
            says(caught, "'video'", "no store made", "Rename the table or the feature")
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("FROM video").fetchall() == [("mine", 42)]


def test_a_database_that_holds_other_tables_may_hold_a_store_too(
    project: Project, path: Path
) -> None:
    video = project.feature("video")
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE answers AS SELECT 42 AS answer")
    with mx.DuckDBMetadataStore(path) as store:
        assert store.count(video) == 0
        store.write(video, project.samples(v1="a"))
        assert store.count(video) == 1
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("FROM answers").fetchall() == [(42,)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("format = 99", "format 99"),
        ("hash = 'xxh128'", "xxh128 versions"),
        ("format = 0", "format 0"),
    ],
)
def test_a_store_of_another_format_is_refused_and_kept(
    project: Project, path: Path, video: FeatureClass, change: str, found: str
) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"UPDATE metaxy__store SET {change}")
    with mx.DuckDBMetadataStore(path) as store:
        caught = refused_everywhere(store, video, project.samples(v2="a"), StoreFormatMismatch)
        says(caught, str(path), found, "reads format 3 with md5", "Open it with the release")
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT id FROM video").fetchall() == [("v1",)]


@pytest.mark.parametrize(
    "name", ["it's.duckdb", 'a "quoted" name.duckdb', "ä b;.duckdb", "x'; DROP TABLE video; --"]
)
def test_a_path_is_a_path_whatever_characters_it_has(
    project: Project, tmp_path: Path, name: str
) -> None:
    video = project.feature("video")
    with mx.DuckDBMetadataStore(tmp_path / name) as store:
        store.write(video, project.samples(v1="a"))
        assert store.count(video) == 1
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_a_file_whose_end_is_missing_is_an_error_of_ours(
    project: Project, path: Path, video: FeatureClass
) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with mx.DuckDBMetadataStore(path) as store:
        caught = refused_everywhere(store, video, project.samples(v1="a"), StoreError)
        says(caught, str(path))


def test_a_store_that_was_closed_says_so(project: Project, path: Path, video: FeatureClass) -> None:
    store = mx.DuckDBMetadataStore(path)
    store.close()
    store.close()
    caught = refused_everywhere(store, video, project.samples(v1="a"), StoreClosed)
    says(caught, str(path), "is closed")


def test_nothing_is_made_before_the_first_write(project: Project, path: Path) -> None:
    video = project.feature("video")
    with mx.DuckDBMetadataStore(path) as store:
        assert repr(store) == f"DuckDBMetadataStore({str(path)!r})"
        assert not path.exists()
        store.write(video, project.samples(v1="a"))
        assert path.exists()


def test_an_unknown_setting_is_an_error_of_ours(path: Path) -> None:
    with pytest.raises(MetaxyError) as caught:
        mx.DuckDBMetadataStore(path, settings={"memory_limti": "1GB"})
    says(caught, "memory_limti")


@pytest.mark.parametrize("name", ["default_collation", "DEFAULT_COLLATION"])
def test_a_collation_that_makes_two_ids_one_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="default_collation would make ids one"):
        mx.DuckDBMetadataStore(":memory:", settings={name: "NOCASE"})
