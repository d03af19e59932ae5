"""Assets of every kind whose process dies, with all of its group, at a point that a file names."""

import functools
import os
import signal
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from chunked_project import Page, Text

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_core.store.backends.duckdb_session import DuckDBSession

__all__ = ["Page", "Text"]

COUNT = 7
"""Pages whose text is computed."""

BATCH = 4
"""How many of them are in a batch."""

POINTS = {
    "planning": (mx.DuckDBMetadataStore, "plan_batches"),
    "releasing": (mx.DuckDBMetadataStore, "release_claims"),
    "forgetting": (mx.DuckDBMetadataStore, "forget_batches"),
    "telling": (mxd.MetaxyIOManager, "handle_output"),
}
"""Where a process may die just before it calls something of the product."""

_MAY_DIE = "METAXY_TEST_MAY_DIE"


def folder() -> Path:
    """Where the test and its processes meet."""
    return Path(os.environ["METAXY_TEST_DATABASE"]).parent


def die_at(point: str) -> None:
    """Kill the run with all of its processes, if this is where it is to die."""
    deadly = folder() / "deadly"
    if os.environ.get(_MAY_DIE) and deadly.exists() and deadly.read_text() == point:
        os.killpg(0, signal.SIGKILL)


def arm() -> None:
    """Let this process die inside of calls that it makes of the product."""
    for point, (owner, name) in POINTS.items():
        setattr(owner, name, _deadly(getattr(owner, name), point))
    append = DuckDBSession.append

    def append_and_die(session: DuckDBSession, table: str, sql: str) -> int:
        rows = append(session, table, sql)
        if table == "web__text":
            written = session.fetch("SELECT 1 FROM metaxy_store.main.web__text").num_rows
            if written > rows:  # others are committed
                die_at("writing")
        return rows

    DuckDBSession.append = append_and_die


def _deadly(method: Callable[..., Any], point: str) -> Callable[..., Any]:
    @functools.wraps(method)
    def called(*arguments: Any, **options: Any) -> Any:
        die_at(point)
        return method(*arguments, **options)

    return called


if os.environ.get(_MAY_DIE):  # a step's process, which loads this anew
    arm()


def work(increment: mx.Increment):
    """Two records at a time, noted before anything is done for them."""
    die_at("start")
    for frame in increment.batches(2):
        if (folder() / "asked.txt").exists():
            die_at("between")
        with (folder() / "asked.txt").open("a") as notes:
            notes.write("".join(f"{id_}\n" for id_ in frame["id"]))
        yield frame.with_columns(pid=pl.lit(os.getpid()))


PROCESSES = dg.multiprocess_executor.configured(
    {"start_method": {"forkserver": {"preload_modules": ["killed_project"]}}, "max_concurrent": 2}
)


def asset(**options: Any) -> dg.AssetsDefinition:
    """The texts, received in one of the ways."""
    seconds = float(os.environ.get("METAXY_TEST_CLAIM_SECONDS", "0.5"))
    return mxd.metaxify(Text, claim_seconds=seconds, **options)(work)


def job(executor: dg.ExecutorDefinition, **options: Any) -> dg.JobDefinition:
    """The texts in a job of their own."""
    store = mxd.MetaxyStoreResource(
        database=dg.EnvVar("METAXY_TEST_DATABASE"), settings={"threads": 1}
    )
    definitions = dg.Definitions(
        assets=[asset(**options)],
        jobs=[dg.define_asset_job("texts", executor_def=executor)],
        resources={"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)},
    )
    return definitions.resolve_job_def("texts")


def whole_in_process() -> dg.JobDefinition:
    """One step, that commits frame by frame."""
    return job(dg.in_process_executor)


def whole_in_processes() -> dg.JobDefinition:
    """The same in a process that the run starts."""
    return job(dg.multiprocess_executor)


def chunked_in_process() -> dg.JobDefinition:
    """A step for each chunk, one after the other."""
    return job(dg.in_process_executor, chunk_size=2)


def chunked_in_processes() -> dg.JobDefinition:
    """A process for each chunk, two at a time."""
    return job(PROCESSES, chunk_size=2)


def batched_in_process() -> dg.JobDefinition:
    """A run for each batch."""
    return job(dg.in_process_executor, batch_size=BATCH)


def execute(name: str, instance: dg.DagsterInstance, **options: Any) -> dg.JobExecutionResult:
    """A run of one of the jobs."""
    found = dg.build_reconstructable_job(
        "killed_project", name, reconstructor_working_directory=str(Path(__file__).parent)
    )
    with dg.execute_job(found, instance=instance, **options) as result:
        return result


def run_with_others(name: str, database: str, limit: int, together: Barrier) -> None:
    """One of several runs that begin at the same moment; each takes some of the records."""
    os.environ |= {"METAXY_TEST_DATABASE": database, "METAXY_TEST_CLAIM_SECONDS": "60"}
    section = {"ops": {"web__text": {"config": {"increment": {"limit": limit}}}}}
    with dg.DagsterInstance.local_temp(str(folder())) as instance:
        together.wait()
        execute(name, instance, run_config=section)


def run_to_the_end(name: str, database: str) -> None:
    """A run with processes of its own."""
    os.environ["METAXY_TEST_DATABASE"] = database
    with dg.DagsterInstance.local_temp(str(folder())) as instance:
        execute(name, instance)


def run_until_killed(name: str, database: str, tags: dict[str, str]) -> None:
    """A run as a process makes it that nobody outlives to tell of its end."""
    os.setsid()
    os.environ |= {"METAXY_TEST_DATABASE": database, _MAY_DIE: "1"}
    arm()
    with dg.DagsterInstance.local_temp(str(folder())) as instance:
        execute(name, instance, tags=tags)
