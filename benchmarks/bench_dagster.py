"""Dagster runs in this process under pytest-benchmark; by command they are in ``end_to_end``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dagster_project import MODES, STAMP, STORE
from benchmarks.end_to_end import by_itself, materialized
from benchmarks.engines.ours import Ours
from benchmarks.scenarios import Scenario

RECORDS = 10_000


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose root is written, and whose leaf is all new."""
    folder = tmp_path_factory.mktemp("dagster")
    scenario = Scenario("resolve", "simple", RECORDS, stored=False)
    Ours().prepare(scenario, folder, folder / "store.duckdb")
    return folder / "store.duckdb"


@pytest.mark.parametrize("way", ["without Dagster", *MODES])
def test_run(
    benchmark: Any, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    store = tmp_path / "store.duckdb"
    monkeypatch.setenv(STORE, str(store))
    monkeypatch.setenv(STAMP, str(tmp_path / "stamp"))

    def run() -> None:
        if way in MODES:
            materialized(way, tmp_path)
        else:
            by_itself()

    def fresh_copy() -> None:
        shutil.copyfile(state, store)

    benchmark.group = f"a run of {RECORDS:,} new records"
    benchmark.pedantic(run, setup=fresh_copy, rounds=5, warmup_rounds=1)
    assert (tmp_path / "stamp").exists()
