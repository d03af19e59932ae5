"""Our engine's scenarios under pytest-benchmark: a fresh copy of the store for each round."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engines.ours import Ours
from benchmarks.scenarios import SUITES, Scenario, suites

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000 100000").split()]


CASES = [
    pytest.param(suite, scenario, id=f"{suite}: {scenario}")
    for suite in SUITES
    for scenario in suites([suite], SIZES)
]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples, made once."""
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize(("suite", "scenario"), CASES)
def test_work(benchmark: Any, suite: str, scenario: Scenario, data: Path, tmp_path: Path) -> None:
    ours, state, path = Ours(), tmp_path / "state.duckdb", tmp_path / "round.duckdb"
    if scenario.work != "write":
        ours.prepare(scenario.base, data, state)
        ours.change(scenario, data, state)
    ours.load(scenario, data)
    with ExitStack() as closing:

        def fresh() -> tuple[tuple[Scenario, Path, ExitStack], dict[str, Any]]:
            closing.close()
            path.unlink(missing_ok=True)
            if state.exists():
                shutil.copyfile(state, path)
            return (scenario, path, closing), {}

        benchmark.group = f"{suite}: {scenario.graph}, {scenario.work}"
        rounds = 5 if scenario.records < 1_000_000 else 3
        found = benchmark.pedantic(ours.run, setup=fresh, rounds=rounds, warmup_rounds=1)
    benchmark.extra_info["file_mb"] = round(path.stat().st_size / 2**20, 1)
    assert found == scenario.expected
