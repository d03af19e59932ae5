"""Log-log plots of the results as SVG, the same for the same results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.results import Result, Results
from benchmarks.scenarios import ENGINES, OURS

PLOTS = {
    "benchmark-paper.svg": "Open, resolve and fetch, by number of records",
    "benchmark-changes.svg": "Open, resolve and fetch, by number of changed records",
    "benchmark-memory.svg": "Peak memory of one resolve, by number of records",
}
COLOURS = {"ours": "#3f51b5", "sql": "#8d8d8d", "reference": "#e4572e", "datachain": "#2e9e6b"}
LABELS = {"ours": "ours", "sql": "SQL by hand", "reference": "reference", "datachain": "DataChain"}

Line = tuple[str, str, list[tuple[float, float, float, float]]]


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw what there are results for.

    Returns:
        The files written.
    """
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "benchmarks", "svg.fonttype": "path", "font.size": 9}
    panels = {
        "benchmark-paper.svg": (_paper(results, _time), "records", "milliseconds"),
        "benchmark-changes.svg": (_changes(results), "changed records + 1", "milliseconds"),
        "benchmark-memory.svg": (_paper(results, _memory), "records", "MB"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _drawn(folder / name, PLOTS[name], found, below, beside)
        for name, (found, below, beside) in panels.items()
        if any(lines for lines in found.values())
    ]


def _paper(
    results: Results, value: Callable[[Result], tuple[float, float, float]]
) -> dict[str, list[Line]]:
    """A panel for each cell of the paper's table, a line for each engine."""
    panels = {}
    for graph in ("simple", "wide"):
        for stored, told in ((False, "all new"), (True, "10 % stale")):
            cell = [
                each
                for each in results.all
                if each.scenario.work == "resolve"
                and each.scenario.graph == graph
                and each.scenario.stored == stored
                and each.scenario.changed == (each.scenario.records // 10 if stored else 0)
                and each.scenario.rewrites == 1
                and not each.scenario.settled
            ]
            panels[f"{graph}, {told}"] = [
                (LABELS[engine], COLOURS[engine], points)
                for engine in ENGINES
                if (
                    points := _points(
                        (each for each in cell if each.engine == engine),
                        lambda each: each.scenario.records,
                        value,
                    )
                )
            ]
    return panels


def _changes(results: Results) -> dict[str, list[Line]]:
    """A panel for each engine, a line for each number of records."""
    shades = ("#9fa8da", "#3f51b5", "#1a237e", "#000000")
    settled = [
        each
        for each in results.all
        if each.scenario.work == "resolve"
        and each.scenario.graph == "simple"
        and each.scenario.rewrites == 1
        and each.scenario.settled
        and not each.scenario.full
    ]
    panels: dict[str, list[Line]] = {}
    for engine in (OURS, "reference"):
        of_engine = [each for each in settled if each.engine == engine]
        sizes = sorted({each.scenario.records for each in of_engine})
        panels[LABELS[engine]] = [
            (
                f"{size:,} records",
                shades[min(number, 3)],
                _points(
                    (each for each in of_engine if each.scenario.records == size),
                    lambda each: each.scenario.changed + 1,
                    _time,
                ),
            )
            for number, size in enumerate(sizes)
        ]
    return panels


def _points(
    found: Iterable[Result],
    position: Callable[[Result], float],
    value: Callable[[Result], tuple[float, float, float]],
) -> list[tuple[float, float, float, float]]:
    return sorted((position(each), *value(each)) for each in found)


def _time(result: Result) -> tuple[float, float, float]:
    first, third = result.quartiles
    return result.median * 1000, first * 1000, third * 1000


def _memory(result: Result) -> tuple[float, float, float]:
    return (result.peak_mb,) * 3


def _drawn(path: Path, title: str, panels: dict[str, list[Line]], below: str, beside: str) -> Path:
    from matplotlib.figure import Figure

    panels = {name: lines for name, lines in panels.items() if lines}
    figure = Figure(figsize=(3.0 * len(panels) + 0.6, 3.2), layout="constrained")
    axes: Any = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (name, lines) in zip(axes, panels.items(), strict=True):
        axis.set(xscale="log", yscale="log", title=name, xlabel=below)
        axis.grid(visible=True, alpha=0.3)
        for label, colour, points in lines:
            x, middle, low, high = zip(*points, strict=True)
            axis.plot(x, middle, marker="o", markersize=3, color=colour, label=label)
            axis.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        if lines:
            axis.legend(fontsize=7, frameon=False)
    axes[0].set_ylabel(beside)
    figure.suptitle(title)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    text = path.read_text("utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", "utf-8")
    return path
