"""ClickHouse in process: a folder, which the stores of one process share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidSetting, StoreUnreachable

pytestmark = pytest.mark.slow

QUICK = {"max_threads": 1}
SAMPLES = pl.DataFrame(
    {"id": ["a", "b"], "metaxy_provenance_by_field": [{"default": "1"}, {"default": "2"}]}
)


@pytest.fixture(autouse=True)
def video(graph: mx.FeatureGraph) -> type[mx.Feature]:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    return Video


def opened(folder: Path, **options) -> mx.ClickHouseMetadataStore:
    return mx.ClickHouseMetadataStore(f"chdb:{folder}", settings=QUICK, **options)


def test_a_folder_is_a_store(tmp_path, video):
    with opened(tmp_path / "store") as store:
        assert not store.history(video).commits
        store.write(video, SAMPLES)
        with opened(tmp_path / "store") as other:
            assert other.read(video).to_polars()["id"].sort().to_list() == ["a", "b"]
            other.delete(video, pl.DataFrame({"id": ["a"]}), hard=True)
        assert store.read(video).to_polars()["id"].to_list() == ["b"]
    with opened(tmp_path / "store") as again:
        assert again.read(video).to_polars()["id"].to_list() == ["b"]
        refused = _elsewhere(tmp_path / "store")
        assert "StoreUnreachable" in refused
        assert "one process at a time" in refused
        with pytest.raises(StoreUnreachable, match="one process at a time"):
            opened(tmp_path / "other").history(video)


def _elsewhere(folder: Path) -> str:
    """What another process is told."""
    code = (
        "import sys, metaxy_core as mx\n"
        "with mx.ClickHouseMetadataStore('chdb:' + sys.argv[1]) as store: store.commits('video')"
    )
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_several_stores_are_several_databases(tmp_path, video):
    with opened(tmp_path, database="one") as one, opened(tmp_path, database="two") as two:
        one.write(video, SAMPLES)
        assert not two.history(video).commits
        assert one.address == f"chdb:{tmp_path} database one"


def test_a_statement_that_fails_half_way_leaves_nothing_to_the_next(tmp_path):
    with opened(tmp_path) as store:
        for _ in range(3):
            with pytest.raises(Exception, match="zero"):
                store.backend.fetch("SELECT number, 10 % (3 - number) AS n FROM numbers(5)")
            rows = store.backend.fetch("SELECT number AS n FROM numbers(3)")
            assert rows.to_pydict() == {"n": [0, 1, 2]}


def test_settings_that_the_server_does_not_have_are_refused(tmp_path, video):
    dsn = f"chdb:{tmp_path}"
    with (
        mx.ClickHouseMetadataStore(dsn, settings={"nonesuch": 1}) as store,
        pytest.raises((InvalidSetting, StoreUnreachable), match="nonesuch"),
    ):
        store.write(video, SAMPLES)


def test_versions_can_be_xxh64(tmp_path, video):
    class Copy(mx.Feature, spec=mx.FeatureSpec(key="copy", id_columns=["id"], deps=[video])):
        pass

    found = []
    with (
        opened(tmp_path, hash="xxh64") as store,
        mx.DuckDBMetadataStore(":memory:", hash="xxh64") as duckdb,
    ):
        for each in (store, duckdb):
            each.write(video, SAMPLES)
            each.write(Copy, each.resolve_update(Copy).new)
            rows = each.read(Copy).to_polars().sort("id")
            found.append(rows["metaxy_provenance_by_field"].to_list())
    assert found[0] == found[1]


def test_the_password_is_never_shown(video):
    dsn = "clickhouse://ann:s3cret@127.0.0.1:1/films?connect_timeout=1"
    with mx.ClickHouseMetadataStore(dsn, parameters={"access_token": ""}) as store:
        assert store.address == "clickhouse://127.0.0.1:1 database films"
        with pytest.raises(StoreUnreachable) as refused:
            store.history(video)
        said = f"{store!r} {store.backend._place!r} {refused.value} {refused.value.__cause__!r}"
    assert "s3cret" not in said


@pytest.mark.parametrize("dsn",
    ["", "films", "postgresql://a", "clickhouse://", "http://:x/a",
     "clickhouse://ann:/s3cret@host/films", "clickhouse://ann:2024#s3cret@host/films"],
)  # fmt: skip
def test_what_is_no_address_is_refused(dsn):
    with pytest.raises(InvalidSetting, match="'clickhouse://user@host:8443") as refused:
        mx.ClickHouseMetadataStore(dsn)
    assert "s3cret" not in str(refused.value)
