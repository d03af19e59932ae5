"""Processes that work through one feature at once: no record is computed twice, none is lost."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.conftest import Project
    from tests.core.store.conftest import Start

IDS = [f"v{number:02}" for number in range(32)]


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def begin(*processes: subprocess.Popen[str]) -> None:
    """Let processes begin, once all are ready."""
    assert [line(each) for each in processes] == ["ready"] * len(processes)
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()


@pytest.fixture
def path(tmp_path: Path, project: Project, crop: type[mx.Feature]) -> Path:
    """A store with videos whose crops are to be computed."""
    del crop
    path = tmp_path / "metadata.duckdb"
    with mx.DuckDBMetadataStore(path) as store:
        store.write("video", project.samples(**dict.fromkeys(IDS, "a")))
    return path


@pytest.fixture
def crop(project: Project, video: type[mx.Feature]) -> type[mx.Feature]:
    return project.feature("crop", deps=[video])


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes_take_every_record_once(
    path: Path, crop: type[mx.Feature], start: Start, workers: int
) -> None:
    running = [start("claimer.py", path, f"worker{n}", 4, 600, "work") for n in range(workers)]
    begin(*running)
    ended = [worker.communicate() for worker in running]
    assert [complaints for _, complaints in ended] == [""] * workers

    given = [said.split() for said, _ in ended]
    assert sorted(each for ids in given for each in ids) == IDS
    with mx.DuckDBMetadataStore(path) as store:
        assert sorted(store.read(crop, history=True).to_polars()["id"]) == IDS
        assert not store.resolve_update(crop).counts
        assert {claim.records for claim in store.claims()} == {0}


def test_what_a_killed_process_had_taken_comes_back_when_its_claim_lapses(
    path: Path, crop: type[mx.Feature], start: Start
) -> None:
    killed = start("claimer.py", path, "killed", 8, 3, "hang")
    begin(killed)
    taken = sorted(line(killed) for _ in range(8))
    assert taken == IDS[:8]
    killed.kill()

    with mx.DuckDBMetadataStore(path) as store:
        (claim,) = store.claims()
        assert (claim.owner, claim.records) == ("killed", 8)
        found = store.resolve_update(crop, claim=mx.Claim("next", at=claim.claimed_at))
        assert (sorted(found.new["id"]), found.claimed) == (IDS[8:], 8)
        store.write(crop, found.new)

        left = claim.expires_at - dt.datetime.now(dt.UTC)
        time.sleep(max(0.0, left.total_seconds()))
        found = store.resolve_update(crop, claim=mx.Claim("next"))
        assert (sorted(found.new["id"]), found.claimed) == (taken, 0)
        store.write(crop, found.new)
        assert [held.owner for held in store.claims()] == ["next"]


@pytest.mark.slow
def test_a_killed_run_that_is_started_again_resumes_with_its_records(
    path: Path, crop: type[mx.Feature], start: Start
) -> None:
    killed = start("claimer.py", path, "run-1", 8, 600, "hang")
    begin(killed)
    taken = sorted(line(killed) for _ in range(8))
    killed.kill()

    with mx.DuckDBMetadataStore(path) as store:
        assert store.resolve_update(crop, claim=mx.Claim("run-2")).claimed == 8
    again = start("claimer.py", path, "run-1", 8, 600, "hang")
    begin(again)
    assert sorted(line(again) for _ in range(8)) == taken
    again.kill()
