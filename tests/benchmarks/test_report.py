"""The page tells what the results say, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.goals import Goal, goal_scenarios, goals
from benchmarks.report import BEGIN, END, generated, milliseconds, write_page
from benchmarks.results import Results
from benchmarks.scenarios import OURS, REFERENCE, Scenario

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
IMAGES = ROOT / "docs" / "images"
STALE = Scenario("resolve", "simple", 1_000, changed=100)


def row(engine: str, *seconds: float, scenario: Scenario = STALE) -> dict[str, object]:
    return {
        "scenario": scenario.to_json(),
        "engine": engine,
        "count": scenario.expected,
        "seconds": seconds,
        "cold_seconds": [2.0],
        "peak_mb": 100.0 * seconds[0],
        "prepare_mb": 500.0,
        "file_mb": 1.0,
    }


def results(*rows: dict[str, object]) -> Results:
    found = Results()
    for each in rows:
        found.add(each)
    return found


def test_the_page_holds_what_the_published_results_say() -> None:
    published = Results.read(ROOT / "docs" / "benchmarks.json")
    written = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    assert published.all
    assert written.strip() == generated(published, IMAGES).strip()


def test_every_plot_that_the_page_shows_is_there() -> None:
    shown = [part.split(")")[0] for part in PAGE.read_text("utf-8").split("](images/")[1:]]
    assert shown
    assert [name for name in shown if not (IMAGES / name).is_file()] == []


def test_the_published_results_name_no_machine() -> None:
    machine = Results.read(ROOT / "docs" / "benchmarks.json").kept["machine"]
    assert set(machine) <= {"cores", "memory_gb", "processor", "python", "system"}


def test_a_page_keeps_what_stands_around_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nformer text\n{END}\nafter\n", "utf-8")
    for _ in range(2):
        write_page(results(row(OURS, 0.1)), page, tmp_path)
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "former text" not in text


def test_the_page_shows_medians_and_how_much_longer_others_take(tmp_path: Path) -> None:
    found = results(row(OURS, 0.1, 0.2, 0.3), row(REFERENCE, 2.0, 3.0, 4.0))
    lines = [line for line in generated(found, tmp_path).splitlines() if "100 changed" in line]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert [line[2:7] for line in cells] == [
        ["Metaxy for Dagster", "200", "150 to 250", "3", ""],
        ["metaxy 0.1.11", "3,000", "2,500 to 3,500", "3", "15.00x"],
    ]


def test_what_is_measured_again_replaces_what_was(tmp_path: Path) -> None:
    found = results(row(OURS, 1.0), row(REFERENCE, 1.0), row(OURS, 2.0))
    found.write(tmp_path / "kept.json")
    read = Results.read(tmp_path / "kept.json")
    assert [(each.engine, each.median) for each in read.all] == [(REFERENCE, 1.0), (OURS, 2.0)]
    assert json.loads((tmp_path / "kept.json").read_text("utf-8")) == found.kept | {
        "measured": json.loads(json.dumps(found.kept["measured"]))
    }


def test_what_could_not_run_is_told_with_its_reason(tmp_path: Path) -> None:
    failed = {"scenario": STALE.to_json(), "engine": REFERENCE, "error": "out of memory"}
    found = results(row(OURS, 1.0), failed)
    assert found.find(REFERENCE, STALE) is None
    assert "| metaxy 0.1.11 | out of memory |" in generated(found, tmp_path)


@pytest.mark.parametrize(
    ("goal", "value", "holds"),
    [
        (Goal("faster", (REFERENCE, STALE), (OURS, STALE), at_least=15), 20.0, True),
        (Goal("faster", (REFERENCE, STALE), (OURS, STALE), at_least=25), 20.0, False),
        (Goal("leaner", (REFERENCE, STALE), (OURS, STALE), "memory", at_least=4), 20.0, True),
        (Goal("all", (REFERENCE, STALE), (OURS, STALE), "all memory", at_least=1), 1.0, True),
        (Goal("smaller", (REFERENCE, STALE), (OURS, STALE), "file", at_least=3), 1.0, False),
        (Goal("as fast", (OURS, STALE), (REFERENCE, STALE), at_most=0.1), 0.05, True),
        (Goal("at once", (OURS, STALE), at_most=0.015), 0.1, False),
    ],
)
def test_a_goal_is_a_ratio_of_what_was_measured(goal: Goal, value: float, holds: bool) -> None:
    reached = goal.reached(results(row(OURS, 0.1), row(REFERENCE, 2.0)))
    assert reached == pytest.approx(value)
    assert goal.holds(reached) is holds


def test_a_goal_that_was_not_measured_has_no_value() -> None:
    goal = Goal("faster", (REFERENCE, STALE), (OURS, STALE), at_least=15)
    assert goal.reached(results(row(OURS, 0.1))) is None


def test_the_goals_are_within_the_scenarios_that_they_ask_for() -> None:
    wanted = goals(100, 1_000, 10_000)
    scenarios = goal_scenarios(wanted)
    assert {scenario for goal in wanted for _, scenario in (goal.over,)} <= set(scenarios)
    assert len(scenarios) == len(set(scenarios))
    assert {each.records for each in scenarios} == {100, 1_000, 10_000}


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.001234, "1.23"), (0.0123, "12.3"), (0.1234, "123"), (12.3456, "12,346")],
)
def test_times_have_three_digits(seconds: float, told: str) -> None:
    assert milliseconds(seconds) == told
