"""The time from "materialize" to the first user record, and what a run costs beside the work."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import dagster as dg

import metaxy_core as mx
from benchmarks.dagster_project import MODE, MODES, STAMP, STORE, leaf, leaf_asset, resources
from benchmarks.engines.ours import Ours, features
from benchmarks.processes import ROOT
from benchmarks.scenarios import Scenario

QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


def measured(records: int, rounds: int) -> list[dict[str, Any]]:
    """Medians of each way to start a run, with work to do and without.

    Returns:
        Rows with ``records``, ``mode``, ``start``, ``to_first_record`` and ``run`` in seconds, and
        ``overhead``: the run without the time that store and function need by themselves.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = Scenario("resolve", "simple", records, stored=False)
        Ours().prepare(state, folder / "data", folder / "new.duckdb")
        done = Scenario("resolve", "simple", records, settled=True)
        Ours().prepare(done.base, folder / "data", folder / "done.duckdb")
        Ours().change(done, folder / "data", folder / "done.duckdb")
        rows = []
        for mode, start in product(MODES, STARTS):
            for told, store in (("all new", "new"), ("nothing new", "done")):
                run = partial(STARTS[start], mode, folder)
                times = _timed(folder, folder / f"{store}.duckdb", rounds, run)
                rows.append(
                    {"records": records, "state": told, "mode": mode, "start": start, **times}
                )
    return rows


def materialized(mode: str, folder: Path) -> None:
    """One run in this process."""
    with dg.DagsterInstance.ephemeral(tempdir=str(folder)) as instance:
        assets = [leaf_asset(mode)]
        dg.materialize(assets, resources=resources(), instance=instance, run_config=QUIET)


def commanded(mode: str, folder: Path) -> None:
    """One run by Dagster's command, which is a process of its own."""
    home = folder / "dagster_home"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", "utf-8")
    asked = ["-m", "dagster", "asset", "materialize", "-m", "benchmarks.dagster_project"]
    subprocess.run(
        [sys.executable, *asked, "--select", "bench/leaf"],
        cwd=ROOT,
        env={**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT), MODE: mode},
        check=True,
        capture_output=True,
    )


STARTS = {"in the same process": materialized, "dagster asset materialize": commanded}


def by_itself() -> None:
    """The same work without Dagster."""
    with features("simple").use(), mx.DuckDBMetadataStore(os.environ[STORE]) as store:
        for frame in leaf(store.resolve_update("bench/leaf")):
            store.write("bench/leaf", frame)


def _timed(
    folder: Path, state: Path, rounds: int, run: Callable[[], None]
) -> dict[str, float | None]:
    """Runs and the bare work in turn, each on a fresh copy, after one round of warm-up."""
    store, stamp = folder / "round.duckdb", folder / "stamp"
    os.environ[STORE], os.environ[STAMP] = str(store), str(stamp)
    took: dict[str, list[float]] = {"run": [], "to_first_record": [], "alone": []}
    for number in range(rounds + 1):
        for name, work in (("run", run), ("alone", by_itself)):
            shutil.copyfile(state, store)
            stamp.unlink(missing_ok=True)
            start, clock = time.time(), time.perf_counter()
            work()
            if number:
                took[name].append(time.perf_counter() - clock)
                if name == "run" and stamp.exists():
                    took["to_first_record"].append(float(stamp.read_text("utf-8")) - start)
    medians = {name: statistics.median(each) if each else None for name, each in took.items()}
    overhead = (medians["run"] or 0) - (medians["alone"] or 0)
    told = {**medians, "overhead": overhead}
    return {name: None if value is None else round(value, 4) for name, value in told.items()}
