"""What a fallback may be: a file that is never written, that others use meanwhile, or is away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidFallback, StoreLocked, StoreUnreachable

FeatureClass = type[mx.Feature]


@pytest.mark.slow
def test_a_file_that_is_a_fallback_keeps_every_byte(project, tmp_path, at):
    path = tmp_path / "prod.duckdb"
    with mx.DuckDBMetadataStore(path) as prod:
        at(prod).process_pipeline(a="1", b="1")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    video, faces, crops = project.pipeline(faces="2")
    with (
        mx.DuckDBMetadataStore(path, read_only=True) as prod,
        mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", fallback=prod) as dev,
    ):
        at(dev).process(video, project.samples(a="2", c="1"))
        at(dev).process(faces)
        at(dev).process(crops)
        dev.delete(faces, filters="id = 'a'")
        dev.delete(faces, filters="id = 'b'", hard=True)
        dev.push()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dev.duckdb", "prod.duckdb"]


def test_a_call_that_fails_leaves_both_stores_usable(project, place, prod, at):
    video = project.feature("video", columns={"path": str})
    at(prod).process(video, project.samples(a="1", b="1", c="1", d="1"), path="prod")
    dev = place.over(prod)
    with at(dev).refuses(mx.MetaxyError):
        dev.write(video, pl.DataFrame({"id": ["z"], "path": [1.5]}))
    with at(dev).refuses(mx.MetaxyError):
        dev.delete(video, filters="nothing = 1")
    assert dev.count(video) == 4
    shown = dev.backend.fetch("SELECT view_name FROM duckdb_views() WHERE NOT internal").to_pylist()
    assert not [each for each in shown if "fallback" in each["view_name"]]
    assert prod.count(video) == 4


def test_a_fallback_that_is_closed_or_away_says_so(project, tmp_path):
    video = project.feature("video")
    away = mx.DuckDBMetadataStore(tmp_path / "prod.duckdb", read_only=True)
    with mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", fallback=away) as dev:
        with pytest.raises(StoreUnreachable, match=r"prod\.duckdb"):
            dev.count(video)
        with pytest.raises(StoreUnreachable, match=r"prod\.duckdb"):
            dev.write(video, project.samples(a="1"))
    not_yet = mx.DuckDBMetadataStore(tmp_path / "prod.duckdb")
    with mx.DuckDBMetadataStore(tmp_path / "dev2.duckdb", fallback=not_yet) as dev:
        assert dev.count(video) == 0
    assert not (tmp_path / "prod.duckdb").exists()


def test_a_table_of_somebody_else_in_a_fallback_is_left_alone(project, tmp_path):
    video = project.feature("video")
    path = tmp_path / "prod.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE video (id VARCHAR)")
    below = mx.DuckDBMetadataStore(path)
    with mx.DuckDBMetadataStore(":memory:", fallback=below) as dev:
        assert dev.count(video) == 0
        below.write(project.feature("other"), project.samples(a="1"))
        with pytest.raises(mx.MetaxyError, match="has a table 'video' that no store made"):
            dev.count(video)


@pytest.mark.parametrize("fallback", ["production", [1], {"a": 1}])
def test_what_is_no_store_is_no_fallback(fallback):
    with pytest.raises(InvalidFallback, match="is no store"):
        mx.DuckDBMetadataStore(":memory:", fallback=fallback)


def test_a_store_is_not_its_own_fallback(tmp_path):
    path = tmp_path / "a.duckdb"
    with pytest.raises(InvalidFallback, match=r"a\.duckdb"):
        mx.DuckDBMetadataStore(path, fallback=mx.DuckDBMetadataStore(path))
    twice = [mx.DuckDBMetadataStore(path), mx.DuckDBMetadataStore(tmp_path / "." / "a.duckdb")]
    with pytest.raises(InvalidFallback, match="one fallback twice"):
        mx.DuckDBMetadataStore(":memory:", fallback=twice)


def test_sql_compiled_for_one_set_of_stores_is_not_taken_for_another(project, tmp_path, at):
    """The same features over different layers, one after the other in one process."""
    with mx.DuckDBMetadataStore(tmp_path / "prod.duckdb") as prod:
        at(prod).process_pipeline(a="1", b="1")
        video, faces, _ = project.pipeline()
        for below in ((), (prod,), (mx.DuckDBMetadataStore(":memory:"),), (prod,), ()):
            with mx.DuckDBMetadataStore(":memory:", fallback=below) as dev:
                new = 0 if below == (prod,) else 2
                samples = project.samples(a="1", b="1")
                assert at(dev).process(video, samples) == mx.Counts(new=new)
                assert at(dev).process(faces) == mx.Counts(new=new)
                assert dev.count(faces) == 2


@pytest.mark.slow
def test_production_is_written_by_another_process_while_a_branch_works_over_it(
    project, tmp_path, at
):
    path = tmp_path / "prod.duckdb"
    video = project.feature("video", columns={"path": str})
    script = Path(__file__).parent / "processes" / "writer.py"
    writer = subprocess.Popen([sys.executable, str(script), str(path), "prod", "8"], text=True)
    try:
        with (
            mx.DuckDBMetadataStore(path) as prod,
            mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", fallback=prod) as dev,
        ):
            seen, own = [], 0
            while writer.poll() is None or own < 3:
                own += 1
                row = {"id": [f"dev-{own}"], "path": ["dev"]}
                versions = {"metaxy_provenance_by_field": [{"default": "1"}]}
                dev.write(video, pl.DataFrame({**row, **versions}))
                seen.append(dev.count(video) - own)
            assert all(count % 50 == 0 for count in seen)  # whole commits of production
            assert seen == sorted(seen)
            assert dev.count(video) == 8 * 50 + own
            assert prod.count(video) == 8 * 50
    finally:
        writer.kill()
        writer.wait()
    assert writer.returncode == 0


def test_a_fallback_that_another_process_holds_is_waited_for_as_long_as_it_says(project, tmp_path):
    path = tmp_path / "prod.duckdb"
    video = project.feature("video")
    with mx.DuckDBMetadataStore(path) as prod:
        prod.write(video, project.samples(a="1"))
    script = Path(__file__).parent / "processes" / "holder.py"
    command = [sys.executable, str(script), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        below = mx.DuckDBMetadataStore(path, read_only=True, lock_timeout=0.05)
        with mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", fallback=below) as dev:
            with pytest.raises(StoreLocked, match=r"prod\.duckdb' was in use for 0\.05 s"):
                dev.count(video)
            holder.communicate()
            assert dev.count(video) == 1
