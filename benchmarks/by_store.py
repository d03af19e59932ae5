"""The same work in every kind of store: write, compare everything, find a small change."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import metaxy_core as mx
from benchmarks.engines.base import root_frame
from benchmarks.engines.ours import CHANGED, computed, features
from benchmarks.measuring import Measuring
from benchmarks.scenarios import REFERENCE, Scenario

STEPS: Final = ("write", "all new", "nothing changed", "0.1 % changed")
WARM_UP: Final = 1_000
SLOW: Final = 100_000
"""The most records that a store is measured with which holds a component that is slow here."""

Opened = Callable[[Path], mx.MetadataStore]


def _postgres(folder: Path) -> mx.MetadataStore:
    """A server that runs already, or one in the folder above."""
    address = os.environ.get("METAXY_BENCH_POSTGRES")
    if address is None:
        from pgserver import postgres_server

        address = str(postgres_server.get_server(folder.parent / "postgres").get_uri())
    return mx.PostgresMetadataStore(address, schema=folder.name)


KINDS: Final[dict[str, tuple[str, Opened]]] = {
    "duckdb": ("duckdb", lambda folder: mx.DuckDBMetadataStore(folder / "store.duckdb")),
    "sqlite": ("sqlite3", lambda folder: mx.SQLiteMetadataStore(folder / "store.sqlite")),
    "postgres": ("pgserver", _postgres),
    "clickhouse": ("chdb", lambda folder: mx.ClickHouseMetadataStore(f"chdb:{folder}")),
    "delta": ("deltalake", lambda folder: mx.DeltaMetadataStore(folder / "lake")),
    "iceberg": ("pyiceberg", lambda folder: mx.IcebergMetadataStore(folder / "lake")),
    "lance": ("lance", lambda folder: mx.LanceMetadataStore(folder / "lake")),
    "ducklake": (
        "duckdb",
        lambda folder: mx.DuckLakeMetadataStore(folder / "catalog.ducklake", folder / "data"),
    ),
}
"""Each kind of store: what has to be installed, and how it is opened in a folder."""

SLOW_KINDS: Final = frozenset[str]()


def kinds(records: int) -> list[str]:
    """The kinds that can be measured here with so many records."""
    return [
        kind
        for kind, (module, _) in KINDS.items()
        if find_spec(module) and (records <= SLOW or kind not in SLOW_KINDS)
    ]


def measured(
    records: int, folder: Path, rounds: int, peers: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Median seconds of each step, the kinds in turn, so that what the machine does hits all.

    A first, smaller round warms up, so that no step compiles its SQL.

    Args:
        records: of the root; each gives one record of the leaf.
        folder: where the stores stand meanwhile.
        rounds: how often everything is done, each time in a new store.
        peers: other engines; only the reference is able to take part.

    Yields:
        Rows with ``store``, ``records`` and ``rounds``, and ``seconds`` by step.
    """
    seconds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(rounds + 1):
        for kind in kinds(records):
            place = folder / f"{kind}_{records}_{number}"
            place.mkdir()
            took = _round(kind, place, records if number else WARM_UP, folder / "data")
            if number:
                for step, each in took.items():
                    seconds[kind][step].append(each)
    if REFERENCE in peers:
        seconds[REFERENCE] = _reference(records, folder / "reference", rounds)
    for kind, steps in seconds.items():
        medians = {step: statistics.median(each) for step, each in steps.items()}
        yield {"store": kind, "records": records, "rounds": rounds, "seconds": medians}


def _round(kind: str, folder: Path, records: int, data: Path) -> dict[str, float]:
    """Seconds of each step, in a store of its own."""
    _, opened = KINDS[kind]
    scenario = Scenario("resolve", "simple", records, changed=records // 1_000)
    root, leaf = scenario.shape.features
    frame = root_frame(scenario, root, data)
    change = root_frame(scenario, root, data, count=scenario.changed, generation=CHANGED)
    took: dict[str, float] = {}

    def timed(step: str, expected: int, work: Callable[[mx.MetadataStore], int]) -> None:
        gc.collect()
        start = time.perf_counter()
        store = opened(folder)
        found = work(store)
        took[step] = time.perf_counter() - start
        store.close()
        if found != expected:
            raise AssertionError(f"{kind}, {step}: {found} records instead of {expected}")

    def written(store: mx.MetadataStore) -> int:
        store.write(root.key, frame)
        return frame.height

    def resolved(store: mx.MetadataStore) -> int:
        increment = store.resolve_update(leaf.key)
        return increment.new.height + increment.stale.height

    with features("simple").use():
        timed(STEPS[0], records, written)
        timed(STEPS[1], records, resolved)
        with opened(folder) as store:
            computed(store, leaf)
        timed(STEPS[2], 0, resolved)
        with opened(folder) as store:
            store.write(root.key, change)
        timed(STEPS[3], scenario.changed, resolved)
    return took


def _reference(records: int, folder: Path, rounds: int) -> dict[str, list[float]]:
    """The same steps of the reference, each in a copy of the state before it."""
    folder.mkdir()
    scenarios = (
        Scenario("write", "simple", records),
        Scenario("resolve", "simple", records, stored=False),
        Scenario("resolve", "simple", records),
        Scenario("resolve", "simple", records, changed=records // 1_000),
    )
    measuring = Measuring([REFERENCE], folder, rounds)
    try:
        found = {
            step: result.seconds
            for step, scenario in zip(STEPS, scenarios, strict=True)
            for result in measuring.measured(scenario)
            if not result.error
        }
    finally:
        measuring.close()
    return found
