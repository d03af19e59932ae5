"""A store has one hash algorithm, remembers it, and is never opened or mixed with another."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.engine.hashing import hash_text
from metaxy_core.errors import InvalidSetting, StoreFormatMismatch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metadata.duckdb"


def provenance(store: mx.MetadataStore, feature: type[mx.Feature]) -> dict[str, str]:
    frame = store.read(feature).to_polars().unnest("metaxy_provenance_by_field")
    return dict(frame.select("id", "default").iter_rows())


def recorded(path: Path) -> list[tuple[str]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("SELECT hash FROM metaxy__store").fetchall()


@pytest.mark.parametrize("algorithm", ["md5", "xxh64"])
@pytest.mark.parametrize("text", ["1", "", "ä|\\", "日本語" * 50, "x" * 1000])
def test_versions_are_those_of_the_algorithm(project, path, algorithm, text):
    video = project.feature("video")
    with mx.DuckDBMetadataStore(path, hash=algorithm) as store:
        store.write(video, project.samples(a=text))
        escaped = text.replace("\\", "\\\\").replace("|", "\\|")
        version = hash_text(f"v1|default|1|s|{escaped}", algorithm)
        assert provenance(store, video) == {"a": f"{version:016x}"}
    assert recorded(path) == [(algorithm,)]


def test_xxh64_is_the_published_hash_with_its_top_bit_cleared():
    assert hash_text("", "xxh64") == 0xEF46DB3751D8E999 & (2**63 - 1)
    assert hash_text("abc", "xxh64") == 0x44BC2CF5AD770999


@pytest.mark.parametrize("algorithm", ["md5", "xxh64"])
def test_a_pipeline_settles_under_either_algorithm(project, path, algorithm):
    with mx.DuckDBMetadataStore(path, hash=algorithm) as store:
        words = type(project)(store)
        video = project.feature("video")
        group = project.feature(
            "group", deps=[mx.FeatureDep(feature=video, lineage=mx.aggregation(on=["id"]))]
        )
        assert words.process(video, project.samples(a="1", b="1")) == mx.Counts(new=2)
        assert words.process(group) == mx.Counts(new=2)
        assert words.counts(video, project.samples(a="1", b="2")) == mx.Counts(stale=1)
        assert words.counts(group) == mx.Counts()


def test_a_store_that_is_not_told_takes_what_it_has(project, path):
    video = project.feature("video")
    samples = project.samples(a="1")
    with mx.DuckDBMetadataStore(path, hash="xxh64") as store:
        store.write(video, samples)
    with mx.DuckDBMetadataStore(path) as store:
        assert store.resolve_update(video, samples).counts == mx.Counts()
        store.write(video, project.samples(b="1"))
        assert len(set(provenance(store, video).values())) == 1
    with mx.DuckDBMetadataStore(path) as store:  # the first call is the write itself
        store.write(video, project.samples(c="1"))
        assert len(set(provenance(store, video).values())) == 1


def test_a_refused_write_does_not_change_the_algorithm_back(project, path):
    video = project.feature("video", columns={"path": str})
    row = {"id": ["a"], "path": ["x"], "metaxy_provenance_by_field": [{"default": "1"}]}
    with mx.DuckDBMetadataStore(path, hash="xxh64") as store:
        store.write(video, pl.DataFrame(row))
    with mx.DuckDBMetadataStore(path) as store:
        with pytest.raises(mx.MetaxyError):
            store.delete(video, filters="nothing = 1")
        assert store.resolve_update(video, pl.DataFrame(row)).counts == mx.Counts()


def test_a_new_store_has_md5(project, path):
    with mx.DuckDBMetadataStore(path) as store:
        store.write(project.feature("video"), project.samples(a="1"))
    assert recorded(path) == [("md5",)]


@pytest.mark.parametrize(("has", "given"), [("md5", "xxh64"), ("xxh64", "md5")])
def test_a_store_is_not_opened_with_another_algorithm(project, path, has, given):
    video = project.feature("video")
    with mx.DuckDBMetadataStore(path, hash=has) as store:
        store.write(video, project.samples(a="1"))
    before = path.read_bytes()
    with mx.DuckDBMetadataStore(path, hash=given) as store:
        for call in (
            lambda: store.count(video),
            lambda: store.write(video, project.samples(b="1")),
            lambda: store.resolve_update(video, project.samples(b="1")),
            store.push,
        ):
            with pytest.raises(StoreFormatMismatch) as caught:
                call()
            assert f"has {has} versions" in str(caught.value)
            assert f"hash={given!r}" in str(caught.value)
            assert str(path) in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("below_is_file", [True, False])
def test_a_fallback_with_another_algorithm_is_refused(project, tmp_path, below_is_file):
    video = project.feature("video")
    place = tmp_path / "prod.duckdb" if below_is_file else ":memory:"
    with (
        mx.DuckDBMetadataStore(place, hash="xxh64") as prod,
        mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", hash="md5", fallback=prod) as dev,
    ):
        assert dev.count(video) == 0
        prod.write(video, project.samples(a="1"))
        with pytest.raises(StoreFormatMismatch) as caught:
            dev.write(video, project.samples(a="1"))
        assert f"fallback {prod.address!r} has xxh64" in str(caught.value)
        assert f"{dev.address!r} over it has md5" in str(caught.value)


def test_a_fallback_of_another_format_is_refused(project, tmp_path):
    video = project.feature("video")
    with mx.DuckDBMetadataStore(tmp_path / "prod.duckdb") as prod:
        prod.write(video, project.samples(a="1"))
    with duckdb.connect(str(tmp_path / "prod.duckdb")) as connection:
        connection.execute("UPDATE metaxy__store SET format = 99")
    with (
        mx.DuckDBMetadataStore(":memory:", fallback=prod) as dev,
        pytest.raises(StoreFormatMismatch, match=r"prod\.duckdb' has format 99"),
    ):
        dev.count(video)


def test_a_new_store_takes_the_algorithm_of_its_fallback(project, tmp_path):
    video = project.feature("video")
    with mx.DuckDBMetadataStore(tmp_path / "prod.duckdb", hash="xxh64") as prod:
        prod.write(video, project.samples(a="1"))
        with mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", fallback=prod) as dev:
            assert dev.resolve_update(video, project.samples(a="1")).counts == mx.Counts()
            dev.write(video, project.samples(b="1"))
    assert recorded(tmp_path / "dev.duckdb") == [("xxh64",)]


@pytest.mark.parametrize("given", ["xxh32", "sha256", "", "MD5"])
def test_an_unknown_algorithm_names_the_known_ones(path, given):
    with pytest.raises(InvalidSetting) as caught:
        mx.DuckDBMetadataStore(path, hash=given)
    assert repr(given) in str(caught.value)
    assert "'md5' and 'xxh64'" in str(caught.value)


def test_what_is_hashed_without_the_database_is_md5_in_every_store(project):
    video = project.feature("video")
    frame = project.samples(a="1").with_columns(
        metaxy_data_version_by_field=pl.struct(default=pl.lit("set"))
    )
    for algorithm in ("md5", "xxh64"):
        with mx.DuckDBMetadataStore(":memory:", hash=algorithm) as store:
            store.write(video, frame)
            rows = store.read(video).to_polars().unnest("metaxy_data_version_by_field")
            assert rows["default"].to_list() == [f"{hash_text('set'):016x}"]
