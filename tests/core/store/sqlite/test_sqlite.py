"""What only an SQLite store has to mind."""

from __future__ import annotations

import gc
import math
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import metaxy_core as mx
from metaxy_core.errors import ReadOnlyStore, StoreUnreachable

if TYPE_CHECKING:
    from tests.conftest import Project


def test_an_increment_that_is_collected_in_the_middle_of_a_query_waits_for_its_end(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    video = project.feature("video")
    with mx.SQLiteMetadataStore(":memory:") as store:
        store.write(video, project.samples(v1="a"))
        circle: dict[str, object] = {"held": store.resolve_update(video, project.samples(v1="b"))}
        circle["circle"] = circle
        backend = store.backend
        backend.connection._connection.create_function("collected", 0, gc.collect)
        gc.disable()
        try:
            del circle
            assert backend.fetch("SELECT collected() AS n FROM sqlite_temp_master").num_rows
        finally:
            gc.enable()
        store.count(video)
        kept = "SELECT name FROM sqlite_temp_master WHERE name LIKE 'metaxy_kept%'"
        assert backend.fetch(kept).num_rows == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("seconds", [math.inf, 1e300, 3e6, 0])
def test_a_writer_may_wait_as_long_as_it_likes(project: Project, seconds: float) -> None:
    video = project.feature("video")
    with mx.SQLiteMetadataStore(":memory:", lock_timeout=seconds) as store:
        store.write(video, project.samples(v1="a"))
        assert store.count(video) == 1


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Gives a disk that cannot be written, with copies of the files of a folder."""
    mounted = tmp_path / "disk"
    mounted.mkdir()

    def mount(*arguments: str) -> None:
        done = subprocess.run(["mount", *arguments, str(mounted)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("only who may mount disks has one that cannot be written")

    def filled(folder: Path) -> Path:
        mount("-t", "tmpfs", "metaxy-tests")
        for file in folder.iterdir():
            shutil.copy(file, mounted)
        mount("-o", "remount,ro")
        return mounted

    yield filled
    subprocess.run(["umount", str(mounted)], capture_output=True, check=False)


def test_a_store_on_a_disk_that_cannot_be_written_is_read(
    project: Project, tmp_path: Path, disk: Callable[[Path], Path]
) -> None:
    video, folder = project.feature("video"), tmp_path / "source"
    folder.mkdir()
    with mx.SQLiteMetadataStore(folder / "metadata.sqlite") as store:
        store.write(video, project.samples(v1="a"))
    path = disk(folder) / "metadata.sqlite"
    with mx.SQLiteMetadataStore(path, read_only=True) as store:
        assert store.count(video) == 1
    with mx.SQLiteMetadataStore(path) as store:
        assert store.resolve_update(video, project.samples(v1="b")).counts == mx.Counts(stale=1)
        with pytest.raises(ReadOnlyStore, match="open the store with read_only=True"):
            store.write(video, project.samples(v2="a"))


def test_a_log_beside_a_store_on_a_disk_that_cannot_be_written_is_not_passed_over(
    project: Project, tmp_path: Path, disk: Callable[[Path], Path]
) -> None:
    video, folder = project.feature("video"), tmp_path / "source"
    folder.mkdir()
    path = folder / "metadata.sqlite"
    with mx.SQLiteMetadataStore(path) as store:
        store.write(video, project.samples(v1="a"))
        with closing(sqlite3.connect(path)) as reader:  # as long as it is there, so is the log
            reader.execute("SELECT count(*) FROM sqlite_master").fetchall()
            store.write(video, project.samples(v2="a"))
            copied = disk(folder) / "metadata.sqlite"
    with (
        mx.SQLiteMetadataStore(copied, read_only=True) as store,
        pytest.raises(StoreUnreachable, match="changes in its log"),
    ):
        store.count(video)
