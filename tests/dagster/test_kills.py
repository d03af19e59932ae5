"""A run that is killed, wherever it is, costs the records in flight; the next one does the rest."""

import multiprocessing
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

FOLDER = Path(__file__).parent


class Killed:
    """Seven pages, runs that die while they compute the texts, and runs that do not."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        import killed_project as project
        from chunked_project import write_pages

        self.folder = folder
        self.instance = instance
        self.project = project
        self.database = str(folder / "shared.duckdb")
        write_pages(self.database, project.COUNT)

    def kill(self, job: str, point: str, tags: dict[str, str] | None = None) -> dg.DagsterRun:
        """Let a run die at a point; gives what Dagster knows of it."""
        (self.folder / "deadly").write_text(point)
        ended = self._in_a_process(self.project.run_until_killed, job, self.database, tags or {})
        (self.folder / "deadly").unlink()
        assert ended == -signal.SIGKILL
        (dead,) = self.instance.get_runs(limit=1)
        assert dead.status == dg.DagsterRunStatus.STARTED
        return dead

    def run(self, job: str, **options: Any) -> dict[str, Any]:
        """A plain run; gives what it told.

        One that has processes of its own is in another process: from this one they would be forked
        with the environment of an earlier test.
        """
        if job.endswith("_in_processes"):
            assert self._in_a_process(self.project.run_to_the_end, job, self.database) == 0
        else:
            assert self.project.execute(job, self.instance, **options).success
        event = self.instance.get_latest_materialization_event(dg.AssetKey(["web", "text"]))
        return {name: v.value for name, v in event.asset_materialization.metadata.items()}

    @staticmethod
    def _in_a_process(target: Any, *arguments: Any) -> int | None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["killed_project"])
        process = context.Process(target=target, args=arguments)
        process.start()
        process.join()
        return process.exitcode

    def asked(self) -> Counter[int]:
        """How often the function was asked for each page."""
        notes = self.folder / "asked.txt"
        return Counter(map(int, notes.read_text().split())) if notes.exists() else Counter()

    def store(self) -> Any:
        import metaxy_core as mx

        return mx.DuckDBMetadataStore(self.database)

    def stored(self) -> set[int]:
        """The pages whose text is committed."""
        with self.store() as store:
            return set(store.read(self.project.Text).to_polars()["id"])

    def wait_until_claims_lapse(self) -> None:
        """They do half a second after the last sign of life."""
        with self.store() as store:
            deadline = time.monotonic() + 10
            while any(claim.live for claim in store.claims()):
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def left(self) -> tuple[Any, ...]:
        """What there is to do, and what is claimed."""
        with self.store() as store:
            return store.resolve_update(self.project.Text).counts.to_process, store.claims()


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Killed]:
    monkeypatch.setenv("METAXY_TEST_DATABASE", str(tmp_path / "shared.duckdb"))
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("chunked_project", "killed_project"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield Killed(tmp_path, instance)


QUICK = {("chunked_in_process", "between")}
"""One case; all others are as good and take longer."""


def _cases() -> Iterator[Any]:
    """Kinds of runs, where they die, and how many texts are written by then."""
    whole = {"start": 0, "between": 2, "writing": 2, "releasing": 7}
    chunked = {"planning": 0, **whole, "forgetting": 7, "telling": 7}
    jobs = {
        "whole_in_process": whole,
        "chunked_in_process": chunked,
        "chunked_in_processes": dict.fromkeys(chunked),  # two at a time: it depends
    }
    for job, points in jobs.items():
        for point, done in points.items():
            marks = () if (job, point) in QUICK else pytest.mark.slow
            yield pytest.param(job, point, done, marks=marks)


@pytest.mark.parametrize(("job", "point", "done"), list(_cases()))
def test_a_plain_run_completes_what_a_killed_one_left(killed, job, point, done):
    killed.kill(job, point)
    asked, stored = killed.asked(), killed.stored()
    assert done is None or len(stored) == done
    killed.wait_until_claims_lapse()

    told = killed.run(job)

    again = killed.asked() - asked
    everything = set(range(killed.project.COUNT))
    assert killed.stored() == everything
    assert set(again) == everything - stored
    assert set(again.values()) <= {1}
    assert told["metaxy/processed"] == len(again)
    assert killed.left() == (0, ())


@pytest.mark.slow
@pytest.mark.parametrize("point", ["between", "writing"])
def test_a_batch_whose_run_was_killed_is_completed_by_another_run(killed, point):
    tick = Ticks(killed)
    first, second = tick()
    killed.kill("batched_in_process", point, {"dagster/partition": first})
    in_flight = set(killed.asked()) - killed.stored()
    assert len(killed.stored()) == 2
    assert tick() == [second]  # nobody launched it here; the killed one is not launched again
    killed.wait_until_claims_lapse()

    for key in (first, second):
        killed.run("batched_in_process", tags={"dagster/partition": key})

    assert killed.asked() == Counter([*range(killed.project.COUNT), *in_flight])
    assert killed.left() == (0, ())
    assert tick() == []
    assert tick.partitions == []


class Ticks:
    """What the sensor's ticks make of the partitions; gives those of the runs they request."""

    def __init__(self, killed: Killed) -> None:
        import metaxy_dagster as mxd

        self.instance = killed.instance
        asset = killed.project.asset(batch_size=killed.project.BATCH)
        self.name = asset.partitions_def.name
        self.sensor = mxd.increment_partitions_sensor(asset)
        self.store = mxd.MetaxyStoreResource(database=killed.database)

    @property
    def partitions(self) -> list[str]:
        """Those of the batches."""
        return [*{*self.instance.get_dynamic_partitions(self.name)} - {"settled"}]

    def __call__(self) -> list[str]:
        said = self.sensor(
            dg.build_sensor_context(instance=self.instance, resources={"metaxy_store": self.store})
        )
        for change in said.dynamic_partitions_requests or ():
            if isinstance(change, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions(self.name, list(change.partition_keys))
            else:
                for key in change.partition_keys:
                    self.instance.delete_dynamic_partition(self.name, key)
        return [str(request.partition_key) for request in said.run_requests]
