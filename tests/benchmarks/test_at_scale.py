"""The benchmark at scale does, in little, what it says."""

from __future__ import annotations

import pytest

from benchmarks.at_scale import Sizes, measured
from benchmarks.report import generated
from benchmarks.results import Results
from tests.benchmarks.test_report import IMAGES


@pytest.mark.slow
def test_chunks_runs_and_ticks_are_measured_beside_plain_dagster() -> None:
    rows = list(measured(Sizes(records=4, chunk_size=2, ticks=1), ("chunks", "ticks")))
    assert [(row["unit"], row["count"]) for row in rows] == [
        ("chunk", 2),
        ("run after a tick", 1),
        ("tick with a change", 1),
        ("tick without one", 1),
    ]
    for row in rows:
        assert row["ours"] > sum(row["parts"].values()) > 0
        assert row["plain"] > 0
    chunk, run, *ticks = rows
    assert {"resolve", "claim", "plan", "write", "catalog"} == set(chunk["parts"])
    assert chunk["opened"] == 2  # two chunks, a plan and an end
    assert run["opened"] == 1
    parts = {"catalog", "claim"}  # what changed, and what other runs hold
    assert all(row["opened"] == 1 and set(row["parts"]) == parts for row in ticks)
    found = Results()
    found.kept["scale"] = rows
    page = generated(found, IMAGES)
    assert "| run after a tick | 4 | 1 |" in page
