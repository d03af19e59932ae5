"""The benchmark of the stores does, in little, what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import by_store
from benchmarks.report import generated
from benchmarks.results import Results
from tests.benchmarks.test_report import IMAGES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_each_step_is_measured_and_shown_beside_duckdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_store, "kinds", lambda _: ["duckdb", "sqlite"])
    rows = list(by_store.measured(2_000, tmp_path, rounds=1))
    assert [row["store"] for row in rows] == ["duckdb", "sqlite"]
    assert all(set(row["seconds"]) == set(by_store.STEPS) for row in rows)
    found = Results()
    found.kept["stores"] = rows
    page = generated(found, IMAGES)
    assert "| duckdb | 2,000 | 1 | 1.00x | 1.00x | 1.00x | 1.00x |" in page
    assert "| sqlite | 2,000 | 1 | " in page


def test_kinds_with_a_slow_component_are_left_out_of_large_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(by_store, "SLOW_KINDS", frozenset({"sqlite"}))
    assert "sqlite" in by_store.kinds(by_store.SLOW)
    assert "sqlite" not in by_store.kinds(by_store.SLOW + 1)
