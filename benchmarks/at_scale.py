"""Much work through Dagster: what each chunk, partition, run and tick costs beside the work."""

import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import dagster as dg
import polars as pl

import metaxy_core as mx
import metaxy_dagster as mxd
from benchmarks.end_to_end import QUIET
from benchmarks.engines.ours import Ours, features
from benchmarks.graphs import graph
from benchmarks.samples import samples
from benchmarks.scenarios import Scenario
from benchmarks.spending import OPENED, SpendingStoreResource, spent, used

ROOT: Final = "bench/video"
LEAF: Final = "bench/leaf"
CHANGED: Final = 5
PARTITIONS: Final = 10
BY_HAND: Final = 10
KINDS: Final = ("chunks", "partitions", "ticks")


@dataclass(frozen=True)
class Sizes:
    """How much is done.

    Attributes:
        records: of the first run.
        chunk_size: records in a chunk.
        ticks: of the sensor, with a change and without.
    """

    records: int = 1_000_000
    chunk_size: int = 10_000
    ticks: int = 200

    @property
    def chunks(self) -> int:
        """How many there are."""
        return -(-self.records // self.chunk_size)


def measured(sizes: Sizes, kinds: Sequence[str] = KINDS) -> Iterator[dict[str, Any]]:
    """What each unit of work costs, in seconds of the processor.

    Args:
        sizes: how much is done. Partitions, and chunks with and without claims, are measured of a
            tenth of the records.
        kinds: which of ``KINDS``.

    Yields:
        Rows with ``unit``, ``records`` of the feature, ``count`` of units, and for one of them
        ``plain`` (the same steps in Dagster without us), ``alone`` (the same work without
        Dagster), ``ours``, how often a store was ``opened``, and ``parts``: what its calls cost.
        Runs after ticks have ``growth``: the last ones as a multiple of the first.
    """
    small = replace(sizes, records=max(sizes.records // 10, sizes.chunk_size))
    for kind in kinds:
        with (
            tempfile.TemporaryDirectory() as name,
            dg.DagsterInstance.ephemeral(tempdir=name) as instance,
        ):
            lab = _Lab(Path(name), small if kind == "partitions" else sizes, instance)
            if kind == "chunks":
                yield lab.chunks("chunk")
            elif kind == "partitions":
                yield lab.chunks("chunk")
                yield lab.chunks("chunk without claims", claim_seconds=None)
                yield lab.partitions()
            else:
                yield from lab.ticks()


class _Lab:
    """A store and assets over it."""

    def __init__(self, folder: Path, sizes: Sizes, instance: dg.DagsterInstance) -> None:
        self._folder = folder
        self._sizes = sizes
        self._instance = instance
        self._path = folder / "store.duckdb"
        state = Scenario("resolve", "simple", sizes.records, stored=False)
        Ours().prepare(state, folder / "data", folder / "new.duckdb")

    # ------------------------------------------------------------------ units

    def chunks(self, told: str, **options: Any) -> dict[str, Any]:
        """A first run, chunk by chunk."""
        count, size = self._sizes.chunks, self._sizes.chunk_size
        plain = self._job(_plain_chunks(count))
        job = self._job(self._asset(chunk_size=size, **options))
        steps = self._cost(partial(self._run, plain), fresh=False)
        alone = self._cost(partial(self._by_hand, size))
        spent.clear()
        return self._unit(told, count, steps, alone, self._cost(partial(self._run, job)))

    def partitions(self) -> dict[str, Any]:
        """A first run by buckets, one run after another."""
        job = self._job(self._asset(buckets=PARTITIONS))
        plain = self._job(_plain_asset(job.partitions_def))
        keys = [str(number) for number in range(PARTITIONS)]

        def all_of(some: dg.JobDefinition) -> None:
            for key in keys:
                self._run(some, partition_key=key)

        steps = self._cost(partial(all_of, plain), fresh=False)
        alone = self._cost(self._by_buckets)
        spent.clear()
        return self._unit("partition", len(keys), steps, alone, self._cost(partial(all_of, job)))

    def ticks(self) -> list[dict[str, Any]]:
        """Ticks of a sensor over a store that holds everything, with small changes and without."""
        self._fresh()
        self._by_hand(self._sizes.chunk_size)
        asset = self._asset()
        job, plain = self._job(asset), self._job(_plain_asset(None))
        sensor, empty = mxd.upstream_change_sensor(of=asset, target=job), _plain_sensor(plain)
        ticks, of = self._sizes.ticks, defaultdict[str, float](float)
        parts = {kind: defaultdict[str, float](float) for kind in ("run", "tick", "idle")}
        runs: list[float] = []
        cursor = self._tick(sensor, None).cursor
        self._run(job)

        def timed(kind: str, work: Callable[[], Any]) -> Any:
            spent.clear()
            start = used()
            found = work()
            of[kind] += (took := used() - start)
            if kind in parts:
                for part, seconds in spent.items():
                    parts[kind][part] += seconds
            if kind == "run":
                runs.append(took)
            return found

        for number in range(ticks):
            timed("idle", partial(self._tick, sensor, cursor))
            self._change(number)
            found = timed("tick", partial(self._tick, sensor, cursor))
            assert len(found.run_requests) == 1
            cursor = found.cursor
            timed("run", partial(self._run, job))
            timed("plain run", partial(self._run, plain))
            timed("plain tick", partial(self._tick, empty, None))
        by_hand = min(BY_HAND, ticks)
        for number in range(by_hand):
            self._change(ticks + number)
            timed("alone", partial(self._by_hand, self._sizes.chunk_size))
        alone = of["alone"] / by_hand * ticks
        units = [
            self._unit("run after a tick", ticks, of["plain run"], alone, of["run"], parts["run"]),
            self._unit(
                "tick with a change", ticks, of["plain tick"], 0.0, of["tick"], parts["tick"]
            ),
            self._unit("tick without one", ticks, of["plain tick"], 0.0, of["idle"], parts["idle"]),
        ]
        few = max(1, ticks // 10)
        growth = statistics.median(runs[-few:]) / statistics.median(runs[:few])
        units[0]["growth"] = round(growth, 2)
        return units

    def _unit(
        self,
        name: str,
        count: int,
        plain: float,
        alone: float,
        ours: float,
        parts: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """One of so many, which cost this together."""
        found = dict(spent if parts is None else parts)
        opened = found.pop(OPENED, 0)
        totals = {"plain": plain, "alone": alone, "ours": ours}
        return {
            "unit": name,
            "records": self._sizes.records,
            "count": count,
            **{name: round(seconds / count, 5) for name, seconds in totals.items()},
            "opened": round(opened / count, 2),
            "parts": {part: round(found[part] / count, 5) for part in sorted(found)},
        }

    # ------------------------------------------------------------------ work

    def _by_hand(self, size: int) -> None:
        """What there is to do, without Dagster."""
        with features("simple").use(), mx.DuckDBMetadataStore(self._path) as store:
            for frame in _work(store.resolve_update(LEAF), size):
                store.write(LEAF, frame)

    def _by_buckets(self) -> None:
        for number in range(PARTITIONS):
            bucket = mx.Bucket(number, of=PARTITIONS)
            with features("simple").use(), mx.DuckDBMetadataStore(self._path) as store:
                for frame in _work(store.resolve_update(LEAF, among=bucket)):
                    store.write(LEAF, frame)

    def _change(self, number: int) -> None:
        """A few records of the root get another version."""
        shape = graph("simple")
        frame = samples(shape, shape.roots[0], CHANGED, generation=1 + number).collect()
        with features("simple").use(), mx.DuckDBMetadataStore(self._path) as store:
            store.write(ROOT, frame)

    def _asset(self, **options: Any) -> dg.AssetsDefinition:
        def leaf(increment: mx.Increment) -> Iterator[pl.DataFrame]:
            yield from _work(increment)

        with features("simple").use():
            asset = mxd.metaxify(LEAF, **options)(leaf)
        assert isinstance(asset, dg.AssetsDefinition)
        return asset

    # ------------------------------------------------------------------ Dagster

    @cached_property
    def _resources(self) -> dict[str, Any]:
        store = SpendingStoreResource(database=str(self._path))
        return {"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)}

    def _job(self, asset: dg.AssetsDefinition) -> dg.JobDefinition:
        name = f"run_{'_'.join(asset.key.path)}"
        job = dg.define_asset_job(name, selection=[asset])
        return dg.Definitions([asset], jobs=[job], resources=self._resources).resolve_job_def(name)

    def _run(self, job: dg.JobDefinition, **options: Any) -> None:
        job.execute_in_process(instance=self._instance, run_config=QUIET, **options)

    def _tick(self, sensor: dg.SensorDefinition, cursor: str | None) -> Any:
        with dg.build_sensor_context(cursor=cursor, resources=self._resources) as context:
            return sensor.evaluate_tick(context)

    def _fresh(self) -> None:
        shutil.copyfile(self._folder / "new.duckdb", self._path)

    def _cost(self, work: Callable[[], None], *, fresh: bool = True) -> float:
        if fresh:
            self._fresh()
        start = used()
        work()
        return used() - start


def _work(increment: mx.Increment, size: int | None = None) -> Iterator[pl.DataFrame]:
    """The user's function, which costs next to nothing."""
    batches: Iterable[pl.DataFrame] = increment.batches(size or 1_000_000)
    return (batch.with_columns(path=pl.lit("out")) for batch in batches)


def _plain_chunks(count: int) -> dg.AssetsDefinition:
    """The same steps without us."""

    @dg.op(out=dg.DynamicOut(dg.Nothing))
    def plan() -> Iterator[dg.DynamicOutput[None]]:
        for number in range(count):
            yield dg.DynamicOutput(None, mapping_key=f"{number:04}", metadata={"records": 1})

    @dg.op(ins={"number": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
    def chunk(context: dg.OpExecutionContext) -> None:
        context.log.info("a line")
        context.add_output_metadata({"processed": 1, "seconds": 1.0})

    @dg.op(ins={"done": dg.In(dg.Nothing)})
    def finish() -> None:
        return

    @dg.graph_asset
    def plain_chunks() -> Any:
        return finish(plan().map(chunk).collect())

    return plain_chunks


def _plain_asset(partitions: dg.PartitionsDefinition[Any] | None) -> dg.AssetsDefinition:
    @dg.asset(partitions_def=partitions)
    def plain(context: dg.AssetExecutionContext) -> None:
        context.log.info("a line")
        context.add_output_metadata({"processed": 1, "seconds": 1.0})

    return plain


def _plain_sensor(job: dg.JobDefinition) -> dg.SensorDefinition:
    @dg.sensor(job=job)
    def plain_sensor() -> dg.SkipReason:
        return dg.SkipReason("nothing")

    return plain_sensor
