"""Engines in processes of their own, as a run measures them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.measuring import Measuring
from benchmarks.processes import Process, WorkFailed
from benchmarks.results import Results
from benchmarks.scenarios import SQL, Scenario
from benchmarks.untouched import tables_read

STALE = Scenario("resolve", "simple", 100, changed=10)


@pytest.mark.slow
def test_a_run_measures_a_state_that_our_engine_made_and_leaves_no_file(tmp_path: Path) -> None:
    measuring = Measuring([SQL], tmp_path, rounds=1)
    [found] = measuring.measured(STALE)
    measuring.close()
    assert (found.engine, found.error, found.count) == (SQL, "", 10)
    assert found.cold_seconds[0] > found.seconds[0] > 0
    assert found.peak_mb > 20
    assert found.prepare_mb > found.peak_mb
    assert found.file_mb > 0.1
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_an_engine_cannot_do_is_told(tmp_path: Path) -> None:
    with (
        Process(SQL, tmp_path) as process,
        pytest.raises(WorkFailed, match="database does not exist"),
    ):
        process.run(STALE, tmp_path / "store.duckdb")


@pytest.mark.slow
def test_the_command_writes_results_that_can_be_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.json"
    sizes = ["--sizes", "100", "--rounds", "1", "--engines", "sql", "--folder", str(tmp_path)]
    main(["run", "writes", *sizes, "--json", str(kept)])
    [result] = Results.read(kept).all
    assert (result.engine, result.scenario.work, result.count) == (SQL, "write", 100)
    assert "write simple 100" in capsys.readouterr().out


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(SystemExit, match="no suite knots"):
        main(["run", "knots"])


def test_a_changed_root_is_among_the_tables_that_a_resolve_reads(tmp_path: Path) -> None:
    assert "bench__video" in tables_read(STALE, tmp_path)
