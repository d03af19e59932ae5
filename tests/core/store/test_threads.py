"""Threads may share a store object, or have one each over the same file."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, TypeVar

import pytest

import metaxy_core as mx
from metaxy_core.errors import DuplicateIds

if TYPE_CHECKING:
    from tests.conftest import Project

THREADS, ROUNDS = 6, 5
Result = TypeVar("Result")


def at_once(work: Callable[[int], Result]) -> list[Result]:
    """Run the same work in every thread, started together; the first error is raised."""
    ready = Barrier(THREADS)

    def started(number: int) -> Result:
        ready.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(started, range(THREADS)))


def test_threads_that_share_a_store_write_without_loss(project: Project) -> None:
    video = project.feature("video")

    def write(thread: int) -> list[int]:
        made = []
        for turn in range(ROUNDS):
            ids = {f"t{thread}-{turn}-{row}": "a" for row in range(3)}
            commit = project.store.write(video, project.samples(**ids))
            assert commit is not None
            made.append(commit.id)
        return made

    commits = [number for made in at_once(write) for number in made]
    assert sorted(commits) == list(range(1, THREADS * ROUNDS + 1))
    assert project.store.count(video) == THREADS * ROUNDS * 3


def test_threads_that_share_a_store_each_get_their_own_increment(project: Project) -> None:
    roots = [project.feature(f"root{n}") for n in range(THREADS)]

    def resolve(thread: int) -> None:
        for turn in range(ROUNDS):
            ids = {f"t{thread}-{turn}-{row}": "a" for row in range(thread + 1)}
            increment = project.store.resolve_update(roots[thread], project.samples(**ids))
            assert increment.counts == mx.Counts(new=thread + 1)
            assert sorted(increment.new["id"]) == sorted(ids)

    at_once(resolve)


def test_a_refusal_in_one_thread_is_none_in_another(project: Project) -> None:
    roots = [project.feature(f"root{n}") for n in range(THREADS)]

    def work(thread: int) -> None:
        for turn in range(ROUNDS):
            samples = project.samples(**{f"t{thread}-{turn}": "a"})
            if thread % 2:
                with pytest.raises(DuplicateIds, match=f"'root{thread}' has 1 id.* t{thread}-"):
                    project.store.write(roots[thread], samples.vstack(samples))
            else:
                project.store.write(roots[thread], samples)

    at_once(work)
    counts = [project.store.count(root) for root in roots]
    assert counts == [0 if thread % 2 else ROUNDS for thread in range(THREADS)]


def test_readers_and_a_writer_share_a_store(project: Project) -> None:
    video = project.feature("video")
    copy = project.feature("copy", deps=[video])

    def work(thread: int) -> None:
        for turn in range(ROUNDS):
            if thread == 0:
                ids = {f"{turn}-{row}": "a" for row in range(10)}
                project.store.write(video, project.samples(**ids))
            else:
                increment = project.store.resolve_update(copy)
                assert increment.counts.new % 10 == 0
                assert increment.new.height == increment.counts.new
                assert sum(frame.height for frame in increment.batches(7)) == increment.counts.new
                assert project.store.read(video).to_polars().height % 10 == 0

    at_once(work)
    assert project.counts(copy) == mx.Counts(new=ROUNDS * 10)


@pytest.mark.slow
def test_threads_with_a_store_each_share_a_file(project: Project, tmp_path: Path) -> None:
    video = project.feature("video")
    path = tmp_path / "metadata.duckdb"

    def write(thread: int) -> None:
        with mx.DuckDBMetadataStore(path) as store:
            for turn in range(ROUNDS):
                store.write(video, project.samples(**{f"t{thread}-{turn}": "a"}))
                assert store.count(video) > turn

    at_once(write)
    with mx.DuckDBMetadataStore(path) as store:
        assert store.count(video) == THREADS * ROUNDS
        frame = store.read(video, columns=["metaxy_commit"]).to_polars()
        assert sorted(frame["metaxy_commit"]) == list(range(1, THREADS * ROUNDS + 1))
