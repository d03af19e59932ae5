"""Which tables a resolve reads, told by DuckDB's own log of queries."""

from __future__ import annotations

import tempfile
from pathlib import Path

import metaxy_core as mx
from benchmarks.engines.ours import Ours, features
from benchmarks.scenarios import Scenario
from metaxy_core.store.backends.duckdb import DuckDBBackend


def tables_read(scenario: Scenario, folder: Path) -> list[str]:
    """The data tables that queries of one resolve name; none where the catalog suffices.

    A query that ends in ``LIMIT 0`` asks for a table's columns and reads nothing.
    """
    ours, path = Ours(), folder / "logged.duckdb"
    ours.prepare(scenario.base, folder / "data", path)
    ours.change(scenario, folder / "data", path)
    with features(scenario.graph).use(), mx.DuckDBMetadataStore(path) as store:
        assert isinstance(store.backend, DuckDBBackend)
        log = store.backend.connection
        log.execute("CALL enable_logging('QueryLog')")
        increment = store.resolve_update(scenario.shape.leaf.key)
        if increment.counts.to_process != scenario.expected:
            raise SystemExit(f"{increment.counts} instead of {scenario.expected} records")
        said = log.execute("SELECT message FROM duckdb_logs_parsed('QueryLog')").fetchall()
    statements = [each for (each,) in said if not each.rstrip().endswith("LIMIT 0")]
    tables = [feature.table for feature in scenario.shape.features]
    return [name for name in tables if any(name in each for each in statements)]


def measured(records: int) -> dict[str, list[str]]:
    """Tables read when nothing changed, and beside it when a thousandth did."""
    found = {}
    for told, changed in (("nothing changed", 0), ("0.1 % changed", records // 1_000)):
        scenario = Scenario("resolve", "simple", records, changed=changed, settled=True)
        with tempfile.TemporaryDirectory() as folder:
            found[told] = tables_read(scenario, Path(folder))
    return found
