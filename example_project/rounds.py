"""One round of what Dagster's daemon does, in one process, so that nobody has to wait for it.

``python -m example_project.rounds`` runs the job ``refresh``, then evaluates the sensors of the
example one after another and executes the runs that they request, and prints what was done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from example_project import automation
from example_project.definitions import defs, store

COUNTS = ("new", "stale", "orphaned", "blocked", "processed")


@dataclass
class Done:
    """What the runs of one round did for one asset.

    Attributes:
        runs: their ids.
        partitions: the partitions, where the asset has them.
        chunks: how many chunks were computed.
        counts: new, stale, orphaned, blocked and processed records, added up.
    """

    runs: list[str] = field(default_factory=list)
    partitions: list[str] = field(default_factory=list)
    chunks: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))

    @property
    def received(self) -> str:
        """In what the increment was received."""
        if self.partitions:
            kinds = ("batch", "batches") if "-" in self.partitions[0] else ("bucket", "buckets")
            return _counted(len(self.partitions), *kinds)
        return _counted(self.chunks, "chunk", "chunks") if self.chunks else "whole"


@dataclass
class Round:
    """A round over one Dagster instance.

    Attributes:
        instance: where runs are recorded.
        cursors: file that keeps what each sensor saw, as the daemon would.
        done: what was done so far, by asset.
        runs: how many runs there were.
        passed: how many asset checks passed.
        failed: the asset checks that failed.
    """

    instance: dg.DagsterInstance
    cursors: Path
    done: dict[str, Done] = field(default_factory=dict)
    runs: int = 0
    passed: int = 0
    failed: list[str] = field(default_factory=list)

    def run(self, job: str, request: dg.RunRequest | None = None) -> None:
        """Execute a job, as it is or as a sensor requests it.

        Raises:
            SystemExit: it failed; Dagster's log says why.
        """
        partition = None if request is None else request.partition_key
        result = defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=partition,
            tags={} if request is None else dict(request.tags),
            raise_on_error=False,
        )
        if not result.success:
            raise SystemExit(f"The run {result.run_id} of {job!r} failed.")
        self.runs += 1
        for check in result.get_asset_check_evaluations():
            if check.passed:
                self.passed += 1
            else:
                self.failed.append(f"{check.check_name} of {check.asset_key.to_user_string()}")
        for event in result.get_asset_materialization_events():
            told = event.step_materialization_data.materialization
            if told.partition != partition:  # what a batch's run tells of the partition that stays
                continue
            done = self.done.setdefault(told.asset_key.path[-1], Done())
            done.runs.append(result.run_id)
            done.partitions += [] if partition is None else [partition]
            for name in COUNTS:
                if (found := told.metadata.get(f"metaxy/{name}")) is not None:
                    done.counts[name] += int(str(found.value))
        for chunked, chunks in _chunks(result):
            self.done.setdefault(chunked, Done()).chunks += chunks

    def tick(self, sensor: dg.SensorDefinition, job: str) -> None:
        """Evaluate a sensor, and do what it asks for: partitions added and removed, and runs."""
        cursors = json.loads(self.cursors.read_text()) if self.cursors.exists() else {}
        with dg.build_sensor_context(
            instance=self.instance,
            instance_ref=self.instance.get_ref(),
            cursor=cursors.get(sensor.name),
            definitions=defs,
            resources={"metaxy_store": store},
        ) as context:
            asked = defs.get_repository_def().get_sensor_def(sensor.name).evaluate_tick(context)
        for event in asked.asset_events:
            self.instance.report_runless_asset_event(event)
        for change in asked.dynamic_partitions_requests or ():
            name, keys = change.partitions_def_name, list(change.partition_keys)
            if isinstance(change, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions(name, keys)
            else:
                for key in keys:
                    self.instance.delete_dynamic_partition(name, key)
        for request in asked.run_requests or ():
            self.run(job, request)
        self.cursors.write_text(json.dumps({**cursors, sensor.name: asked.cursor}))

    def go(self) -> None:
        """Everything once, from upstream to downstream."""
        self.run("refresh")
        self.tick(automation.new_stills, "colours")
        self.tick(automation.batches, "embeddings")
        self.tick(automation.batches, "embeddings")
        self.run("delete_embeddings")
        self.tick(automation.new_colours, "covers")
        self.run("page")


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _chunks(result: dg.ExecuteInProcessResult) -> Iterator[tuple[str, int]]:
    """For each chunked asset of a run, how many chunks were computed."""
    found: dict[str, int] = {}
    for event in result.all_node_events:
        node, _, step = (event.step_key or "").partition(".")
        if event.event_type_value == "STEP_SUCCESS" and step.startswith("chunk"):
            asset = node.rpartition("__")[2]
            found[asset] = found.get(asset, 0) + 1
    yield from found.items()


def one_round(instance: dg.DagsterInstance) -> dict[str, Any]:
    """Do one round, and say what was done, by feature, with the numbers of runs and checks.

    Args:
        instance: where runs are recorded; the cursors of the sensors are kept beside it.

    Raises:
        SystemExit: a run failed.
    """
    done = Round(instance, Path(instance.root_directory) / "cursors.json")
    done.go()
    features = {n: {**asdict(each), "received": each.received} for n, each in done.done.items()}
    return {
        "features": features, "runs": done.runs, "passed": done.passed, "failed": done.failed,
    }  # fmt: skip


def main() -> None:
    """Do one round over the instance of ``DAGSTER_HOME``, and print what was done as JSON."""
    with dg.DagsterInstance.get() as instance:
        print(json.dumps(one_round(instance)))


if __name__ == "__main__":
    main()
