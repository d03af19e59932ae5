"""A daemon that is killed between planning batches and launching their runs misses nothing."""

import os
import runpy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

import metaxy_core as mx
from example_project.servers import CODE, DAEMON, Servers

FOLDER = Path(__file__).parent
PAGES = 6


class Watched:
    """The servers of a project with six pages to be computed in batches of two."""

    def __init__(self, folder: Path, servers: Servers, instance: dg.DagsterInstance) -> None:
        self.folder = folder
        self.servers = servers
        self.instance = instance
        project = runpy.run_path(str(FOLDER / "chunked_project.py"))
        project["write_pages"](str(folder / "store.duckdb"), PAGES)
        self.feature = project["Text"]

    def store(self) -> mx.DuckDBMetadataStore:
        return mx.DuckDBMetadataStore(self.folder / "store.duckdb")

    @property
    def batches(self) -> list[str]:
        """What is planned in the store."""
        with self.store() as store:
            return [batch.key for batch in store.batches(self.feature)]

    @property
    def partitions(self) -> list[str]:
        """What Dagster knows of it."""
        return sorted({*self.instance.get_dynamic_partitions("web__text__batches")} - {"settled"})

    def runs(self) -> Counter[str]:
        """How many runs each partition has."""
        return Counter(run.tags["dagster/partition"] for run in self.instance.get_runs())

    def is_done(self) -> bool:
        runs = self.instance.get_runs()
        finished = bool(runs) and all(run.is_finished for run in runs)
        return finished and not self.partitions and not self.batches


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    environment = {
        "METAXY_TEST_DATABASE": str(tmp_path / "store.duckdb"),
        "PYTHONPATH": os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])]),
    }
    monkeypatch.setenv("METAXY_TEST_DATABASE", environment["METAXY_TEST_DATABASE"])
    home = tmp_path / "home"
    project = str(FOLDER / "killed_daemon_project.py")
    servers = Servers(home, "-f", project, environment=environment, patience=300)
    try:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield Watched(tmp_path, servers, instance)
    finally:
        servers.close()


@pytest.mark.slow
def test_a_killed_daemon_loses_no_batch_and_launches_none_twice(watched):
    hold = watched.folder / "hold"
    hold.touch()
    watched.servers.start(CODE)
    watched.servers.start(DAEMON)
    planned = watched.folder / "planned"
    watched.servers.wait_until("the batches are planned", planned.exists)
    watched.servers.stop(DAEMON, force=True)
    batches = watched.batches
    assert (len(batches), watched.partitions, watched.runs()) == (3, [], Counter())
    hold.unlink()

    watched.servers.start(DAEMON)
    watched.servers.wait_until("the first run is made", lambda: bool(watched.runs()))
    watched.servers.stop(DAEMON, force=True)
    watched.servers.start(DAEMON)
    watched.servers.wait_until("everything is settled", watched.is_done)

    assert watched.runs() == Counter(batches)
    assert {run.status for run in watched.instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
    asked = Counter(map(int, (watched.folder / "asked.txt").read_text().split()))
    assert asked == Counter(range(PAGES))
    with watched.store() as store:
        assert store.resolve_update(watched.feature).counts.to_process == 0
        assert store.claims() == ()
