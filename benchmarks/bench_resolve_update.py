"""``resolve_update`` on the paper's two graphs: a fresh file per round, open, resolve and fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import metaxy_core as mx
from benchmarks.graphs import GRAPHS, SIZES, BenchGraph, prepare, resolve

ROUNDS = 3


@pytest.mark.parametrize("count", SIZES, ids=str)
@pytest.mark.parametrize("phase", ["new", "stale"])
@pytest.mark.parametrize("graph", list(GRAPHS))
def test_resolve_update(benchmark: Any, tmp_path: Path, graph: str, phase: str, count: int) -> None:
    benchmark.group = f"{graph}, {phase}"
    bench = GRAPHS[graph]()
    files = iter(tmp_path / f"{number}.duckdb" for number in range(ROUNDS))

    def fresh_file() -> tuple[tuple[BenchGraph, Path], dict[str, Any]]:
        path = next(files)
        with mx.DuckDBMetadataStore(path) as store:
            prepare(bench, store, count, stale=phase == "stale")
        benchmark.extra_info["file_mb"] = round(path.stat().st_size / 2**20, 1)
        return (bench, path), {}

    found = benchmark.pedantic(opened_and_resolved, setup=fresh_file, rounds=ROUNDS)
    assert found == (count if phase == "new" else count // 10)


def opened_and_resolved(bench: BenchGraph, path: Path) -> int:
    with mx.DuckDBMetadataStore(path) as store:
        return resolve(bench, store)
