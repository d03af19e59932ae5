"""How far ``resolve_update`` is from hand-written SQL of the same comparison, in one run.

Both read the same DuckDB file and fetch the same stale records. The hand-written SQL runs on a
connection that stays open; ``resolve_update`` opens the file and reads its catalog on each call.
Prints ratios of medians, and the peak memory of a process that only resolves.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

import metaxy_core as mx
from benchmarks.graphs import prepare, resolve, simple

_SQL = """
WITH superseding AS (
    SELECT r.id, max(r.metaxy_commit) AS newest
    FROM s.bench__video r
    SEMI JOIN (
        SELECT metaxy_commit FROM s.metaxy__commits WHERE feature = 'bench/video' AND superseded > 0
    ) USING (metaxy_commit)
    GROUP BY r.id
), root AS (
    SELECT r.id, r.metaxy_provenance__audio AS audio
    FROM s.bench__video r LEFT JOIN superseding USING (id)
    WHERE newest IS NULL OR newest = r.metaxy_commit
), expected AS (
    SELECT id, (md5_number('v1|text|1|bench/video|audio|' || audio::VARCHAR)
                & 9223372036854775807::UHUGEINT)::BIGINT AS text
    FROM root
)
SELECT coalesce(e.id, l.id) AS id, e.text, l.id IS NULL AS is_new, e.id IS NULL AS is_orphaned
FROM expected e FULL JOIN s.bench__leaf l ON e.id = l.id
WHERE e.text IS DISTINCT FROM l.metaxy_provenance__text
"""


def hand_written(path: Path) -> Callable[[], int]:
    """The comparison as one would write it for this one graph, on a file that stays open."""
    connection = duckdb.connect()
    connection.execute(f"ATTACH '{path}' AS s (READ_ONLY)")
    return lambda: connection.execute(_SQL).to_arrow_table().num_rows


def alternating(rounds: int, *works: Callable[[], int]) -> list[float]:
    """Median seconds of each piece of work, done in turn after one round of warm-up."""
    seconds: list[list[float]] = [[] for _ in works]
    for number in range(rounds + 1):
        for index, work in enumerate(works):
            start = time.perf_counter()
            work()
            if number:
                seconds[index].append(time.perf_counter() - start)
    return [statistics.median(each) for each in seconds]


def measure(count: int, rounds: int, folder: Path) -> dict[str, float]:
    """Ratio of ``resolve_update`` to the hand-written SQL at a number of records."""
    path, bench = folder / f"{count}.duckdb", simple()
    with mx.DuckDBMetadataStore(path) as store:
        prepare(bench, store, count, stale=True)
    with mx.DuckDBMetadataStore(path) as store:
        by_hand = hand_written(path)
        if (ours := resolve(bench, store)) != (theirs := by_hand()):
            raise SystemExit(f"The answers differ: {ours} and {theirs} records.")
        engine, sql = alternating(rounds, lambda: resolve(bench, store), by_hand)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peak = pool.apply(_peak_memory, (path,))
    return {
        "records": count,
        "resolve_ms": engine * 1000,
        "sql_ms": sql * 1000,
        "ratio": engine / sql,
        "peak_memory_mb": peak,
    }


def _peak_memory(path: Path) -> float:
    with mx.DuckDBMetadataStore(path) as store:
        resolve(simple(), store)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(size, options.rounds, Path(folder)) for size in options.sizes]
    for row in found:
        print(
            f"{row['records']:>12,} records: resolve_update takes {row['ratio']:.2f} x the "
            f"hand-written SQL; peak memory {row['peak_memory_mb']:.0f} MB"
        )
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
