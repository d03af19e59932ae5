"""A run whose chunk failed is executed again from there, in this process and in several."""

import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

FOLDER = Path(__file__).parent


class Chunks:
    """A job over five pages in chunks of two, of which the second fails while it is broken."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance, executor: str) -> None:
        self.folder = folder
        self.database = str(folder / "shared.duckdb")
        self.instance = instance
        self.job = dg.build_reconstructable_job(
            "chunked_project", executor, reconstructor_working_directory=str(FOLDER)
        )
        project = runpy.run_path(str(FOLDER / "chunked_project.py"))
        project["write_pages"](self.database, 5)
        (folder / "broken").touch()

    def repair(self) -> None:
        (self.folder / "broken").unlink()

    def run(self, after: str | None = None) -> dg.JobExecutionResult:
        """A new run, or one that goes on where another one failed."""
        options = (
            None if after is None else dg.ReexecutionOptions.from_failure(after, self.instance)
        )
        with dg.execute_job(
            self.job, instance=self.instance, reexecution_options=options
        ) as result:
            return result

    def asked(self) -> list[str]:
        """The records of each call of the function, in order, and none told of before."""
        notes = self.folder / "asked.txt"
        lines = notes.read_text().splitlines()
        notes.unlink()
        return sorted(lines)

    def written(self) -> dict[int, int]:
        """The process that wrote each page's text."""
        with duckdb.connect(self.database, read_only=True) as connection:
            return dict(connection.execute("SELECT id, pid FROM web__text").fetchall())

    def materialized(self, result: dg.JobExecutionResult) -> list[dict[str, object]]:
        """What the runs said about the asset."""
        events = result.get_asset_materialization_events()
        return [
            {name: event.materialization.metadata[f"metaxy/{name}"].value for name in
             ("new", "processed", "chunks", "commits")}
            for event in events
        ]  # fmt: skip


def steps(result: dg.JobExecutionResult) -> list[str]:
    events = [event for event in result.all_events if event.is_step_start]
    return sorted(str(event.step_key) for event in events)


@pytest.fixture
def chunks(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Chunks]:
    monkeypatch.setenv("METAXY_TEST_DATABASE", str(tmp_path / "shared.duckdb"))
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield Chunks(tmp_path, instance, request.param)


@pytest.mark.parametrize(
    "chunks", ["in_process", pytest.param("multiprocess", marks=pytest.mark.slow)], indirect=True
)
def test_a_failed_chunk_alone_is_computed_again(chunks):
    failed = chunks.run()
    assert not failed.success
    assert chunks.asked() == ["[0, 1]", "[2, 3]", "[4]"]
    assert sorted(chunks.written()) == [0, 1, 4]
    assert chunks.materialized(failed) == []

    chunks.repair()
    repaired = chunks.run(after=failed.run_id)

    assert repaired.success
    assert chunks.asked() == ["[2, 3]"]
    assert steps(repaired) == ["web__text.chunk[0001]", "web__text.finish"]
    assert sorted(chunks.written()) == [0, 1, 2, 3, 4]
    assert chunks.materialized(repaired) == [
        {"new": 5, "processed": 5, "chunks": 3, "commits": [2, 3, 4]}
    ]


@pytest.mark.slow
@pytest.mark.parametrize("chunks", ["multiprocess"], indirect=True)
def test_each_chunk_has_a_process_of_its_own(chunks):
    chunks.repair()

    assert chunks.run().success

    writers = chunks.written()
    assert len({writers[0], writers[2], writers[4], os.getpid()}) == 4


@pytest.mark.slow
@pytest.mark.parametrize("chunks", ["in_process"], indirect=True)
def test_the_plan_is_found_through_any_number_of_reexecutions(chunks):
    first = chunks.run()
    second = chunks.run(after=first.run_id)
    chunks.asked()
    chunks.repair()

    third = chunks.run(after=second.run_id)

    assert chunks.asked() == ["[2, 3]"]
    assert [each["processed"] for each in chunks.materialized(third)] == [5]


@pytest.mark.parametrize("chunks", ["in_process"], indirect=True)
def test_a_new_run_instead_does_only_what_is_missing(chunks):
    chunks.run()
    chunks.asked()
    chunks.repair()

    again = chunks.run()

    assert chunks.asked() == ["[2, 3]"]
    assert chunks.materialized(again) == [{"new": 2, "processed": 2, "chunks": 1, "commits": [4]}]


@pytest.mark.slow
@pytest.mark.parametrize("chunks", ["in_process"], indirect=True)
def test_a_reexecution_after_another_run_did_the_work_finds_nothing_to_do(chunks):
    failed = chunks.run()
    chunks.repair()
    chunks.run()
    chunks.asked()

    late = chunks.run(after=failed.run_id)

    assert late.success
    assert not (chunks.folder / "asked.txt").exists()


@pytest.mark.slow
@pytest.mark.parametrize("chunks", ["in_process"], indirect=True)
def test_a_run_that_is_killed_in_a_chunk_is_made_good_when_its_claim_is_over(chunks):
    chunks.repair()
    (chunks.folder / "deadly").touch()
    script = f"import chunked_project; chunked_project.run_in_process({str(chunks.folder)!r})"
    path = os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])])
    killed = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert chunks.asked() == ["[0, 1]", "[2, 3]"]
    assert sorted(chunks.written()) == [0, 1]
    (chunks.folder / "deadly").unlink()
    time.sleep(1.2)

    again = chunks.run()

    assert chunks.asked() == ["[2, 3]", "[4]"]
    assert sorted(chunks.written()) == [0, 1, 2, 3, 4]
    assert chunks.materialized(again) == [
        {"new": 3, "processed": 3, "chunks": 2, "commits": [3, 4]}
    ]
