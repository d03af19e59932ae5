"""Fresh processes under pytest-benchmark, until they answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import startup
from benchmarks.engines.ours import Ours
from benchmarks.scenarios import Scenario

STATE = Scenario("resolve", "simple", 1_000, changed=100, settled=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which a tenth of the records is stale."""
    folder = tmp_path_factory.mktemp("startup")
    Ours().prepare(STATE.base, folder, folder / "store.duckdb")
    Ours().change(STATE, folder, folder / "store.duckdb")
    return folder / "store.duckdb"


@pytest.mark.parametrize("name", list(startup.commands(Path(), 0, 0)))
def test_startup(benchmark: Any, store: Path, name: str) -> None:
    benchmark.group = "start-up"
    arguments = startup.commands(store, STATE.records, STATE.changed)[name]
    benchmark.pedantic(startup.seconds, args=(arguments,), rounds=3, warmup_rounds=1)
