"""Several processes share one file: they wait their turn, and none sees or leaves half a commit."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import StoreLocked, TransientError

if TYPE_CHECKING:
    from tests.conftest import Project
    from tests.core.store.conftest import Start

ROWS = 50


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metadata.duckdb"


@pytest.fixture
def video(project: Project) -> type[mx.Feature]:
    return project.feature("video", columns={"path": str})


def acknowledged(process: subprocess.Popen[str]) -> list[int]:
    """The commits that a writer was told of, once it has ended."""
    said, complaints = process.communicate()
    assert complaints == ""
    return [int(line) for line in said.split()]


def rows_per_commit(store: mx.MetadataStore, video: type[mx.Feature]) -> dict[int, int]:
    frame = store.read(video, columns=["id", "metaxy_commit"], history=True).to_polars()
    assert frame["id"].n_unique() == frame.height
    counted = frame.group_by("metaxy_commit").len().sort("metaxy_commit")
    return dict(counted.iter_rows())


def test_four_processes_write_ten_commits_each_and_every_row_is_there_once(
    path: Path, video: type[mx.Feature], start: Start
) -> None:
    writers = [start("writer.py", path, f"writer{n}", 10) for n in range(4)]
    commits = [number for writer in writers for number in acknowledged(writer)]

    assert sorted(commits) == list(range(1, 41))
    with mx.DuckDBMetadataStore(path) as store:
        assert rows_per_commit(store, video) == dict.fromkeys(range(1, 41), ROWS)
        assert store.count(video) == 40 * ROWS
        last = store.history(video).last
        assert last is not None
        assert (last.id, last.rows, last.superseded) == (40, ROWS, 0)


@pytest.mark.slow
def test_a_reader_between_writers_never_sees_half_a_commit(
    project: Project, path: Path, video: type[mx.Feature], start: Start
) -> None:
    copy = project.feature("copy", deps=[video])
    writers = [start("writer.py", path, f"writer{n}", 15) for n in range(2)]
    seen = [0]
    with mx.DuckDBMetadataStore(path) as store:
        while any(writer.poll() is None for writer in writers) or seen[-1] < 30:
            counts = store.resolve_update(copy).counts
            assert counts.new % ROWS == 0
            assert set(rows_per_commit(store, video).values()) <= {ROWS}
            seen.append(counts.new // ROWS)
            assert all(writer.poll() in {None, 0} for writer in writers)
    assert seen == sorted(seen)
    assert seen[-1] == 30


@pytest.mark.slow
def test_processes_that_write_to_one_id_leave_the_last_commit_s_state(
    path: Path, video: type[mx.Feature], start: Start
) -> None:
    writers = [start("writer.py", path, "same", 5) for _ in range(3)]
    commits = sorted(number for writer in writers for number in acknowledged(writer))
    assert commits == list(range(1, 16))
    with mx.DuckDBMetadataStore(path) as store:
        history = store.read(video, history=True).to_polars()
        latest = store.read(video).to_polars()
    newest = history.group_by("id").agg(pl.col("metaxy_commit").max())
    columns = ["id", "metaxy_commit"]
    assert latest.select(columns).sort("id").equals(newest.select(columns).sort("id"))
    assert history.height == 15 * ROWS


def test_a_file_that_another_program_holds_is_locked_and_the_holder_is_named(
    project: Project, path: Path, video: type[mx.Feature], start: Start
) -> None:
    with mx.DuckDBMetadataStore(path, lock_timeout=0.2) as store:
        store.write(video, project.samples(v1="a").with_columns(path=pl.lit("p")))
        holder = start("holder.py", path)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        for call in (
            lambda: store.read(video).to_polars(),
            lambda: store.delete(video, filters="id = 'v1'"),
        ):
            with pytest.raises(StoreLocked) as caught:
                call()
            message = str(caught.value)
            assert isinstance(caught.value, TransientError)
            assert str(path) in message
            assert "in use for 0.2 s" in message
            assert "raise lock_timeout" in message
            assert f"PID {holder.pid}" in message

        holder.communicate()
        assert store.count(video) == 1


def test_a_connection_of_the_same_process_holds_the_file_too(
    project: Project, path: Path, video: type[mx.Feature]
) -> None:
    samples = project.samples(v1="a").with_columns(path=pl.lit("p"))
    with mx.DuckDBMetadataStore(path, lock_timeout=0.2) as store:
        store.write(video, samples)
        with duckdb.connect(str(path)), pytest.raises(StoreLocked, match="raise lock_timeout"):
            store.write(video, samples)
        assert store.count(video) == 1


def test_a_writer_waits_until_the_file_is_free(
    project: Project, path: Path, video: type[mx.Feature], start: Start
) -> None:
    samples = project.samples(v1="a").with_columns(path=pl.lit("p"))
    with mx.DuckDBMetadataStore(path, lock_timeout=60) as store:
        store.write(video, samples)
        holder = start("holder.py", path)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        release = threading.Timer(0.3, holder.communicate)
        release.start()
        commit = store.write(video, samples)
        release.join()
    assert commit is not None
    assert commit.id == 2


@pytest.mark.parametrize("commits_before", [1, 2, 3, 5])
def test_a_writer_that_is_killed_leaves_whole_commits(
    project: Project, path: Path, video: type[mx.Feature], start: Start, commits_before: int
) -> None:
    writer = start("writer.py", path, "killed", 1_000)
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(commits_before)]
    writer.kill()
    told += [int(line) for line in writer.communicate()[0].split()]

    with mx.DuckDBMetadataStore(path, read_only=True) as store:
        found = rows_per_commit(store, video)
    assert set(told) <= set(found)
    assert list(found) == list(range(1, len(found) + 1))
    assert len(found) <= len(told) + 1
    assert set(found.values()) <= {ROWS}

    with mx.DuckDBMetadataStore(path) as store:
        samples = project.samples(after="a").with_columns(path=pl.lit("p"))
        commit = store.write(video, samples)
        assert commit is not None
        assert commit.id == len(found) + 1
        assert store.count(video) == len(found) * ROWS + 1


def test_a_disk_that_is_full_before_the_file_is_made_leaves_nothing_in_the_way(
    project: Project, path: Path, video: type[mx.Feature], start: Start
) -> None:
    writer = start("writer.py", path, "full", 1, 6_000)
    writer.communicate()
    assert writer.returncode == 1

    with mx.DuckDBMetadataStore(path) as store:
        assert store.count(video) == 0
        store.write(video, project.samples(after="a").with_columns(path=pl.lit("p")))
        assert store.count(video) == 1


def test_a_disk_that_gets_full_leaves_the_commits_before(
    project: Project, path: Path, video: type[mx.Feature], start: Start
) -> None:
    writer = start("writer.py", path, "full", 1_000, 1_800_000)
    told = [int(line) for line in writer.communicate()[0].split()]
    assert writer.returncode == 1
    assert told

    with mx.DuckDBMetadataStore(path) as store:
        found = rows_per_commit(store, video)
        assert found in [dict.fromkeys([*told, *last], ROWS) for last in ((), (told[-1] + 1,))]
        store.write(video, project.samples(after="a").with_columns(path=pl.lit("p")))
        assert store.count(video) == len(found) * ROWS + 1
