"""The generated part of docs/benchmarks.md: the same results always give the same text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.goals import goals
from benchmarks.results import Result, Results
from benchmarks.scenarios import ENGINES, OURS, Scenario
from benchmarks.startup import FIRST_RESOLVE, IMPORTS

BEGIN = "<!-- begin: written by `make bench-report` -->"
END = "<!-- end: written by `make bench-report` -->"
NAMES = {
    "ours": "Metaxy for Dagster",
    "sql": "hand-written SQL",
    "reference": "metaxy 0.1.11",
    "datachain": "DataChain",
}
TITLES = {
    "resolve": "Open, resolve and fetch",
    "propagate": "Resolve, fetch and write, feature by feature",
    "write": "Write a root",
    "stream": "A first run in batches, with 1 GB for DuckDB",
}


def write_page(results: Results, page: Path, images: Path) -> None:
    """Put the results between the page's markers.

    Args:
        results: what was measured.
        page: the page, which has both markers.
        images: where the plots stand.
    """
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{generated(results, images)}\n{END}{after}", "utf-8")


def generated(results: Results, images: Path) -> str:
    """The part of the page that results decide about."""
    parts = [
        "## Ratios\n",
        _goals(results),
        *_plots(images),
        "## Machine\n",
        _machine(results),
        *_tables(results),
        *_startup(results),
        *_dagster(results),
        *_scale(results),
        *_stores(results),
        *_tables_read(results),
        *_errors(results),
    ]
    return "\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def milliseconds(seconds: float | None) -> str:
    """A time with three digits that mean something."""
    if seconds is None:
        return ""
    value = seconds * 1000
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _goals(results: Results) -> str:
    rows = []
    for goal in goals():
        value = goal.reached(results)
        if value is None:
            rows.append((goal.work, goal.wanted, "not measured", ""))
        else:
            reached = "yes" if goal.holds(value) else "no"
            rows.append((goal.work, goal.wanted, goal.shown(value), reached))
    return table(("work", "goal", "measured", "reached"), rows)


def _plots(images: Path) -> list[str]:
    from benchmarks.plots import PLOTS

    drawn = [(name, title) for name, title in PLOTS.items() if (images / name).exists()]
    return [f"![{title}](images/{name})\n" for name, title in drawn]


def _machine(results: Results) -> str:
    machine = results.kept["machine"]
    said = [
        f"{machine.get('cores', '?')} cores ({machine.get('processor', 'unknown')})",
        f"{machine.get('memory_gb', '?')} GB of memory",
        str(machine.get("system", "")),
    ]
    engines = [
        (NAMES[engine], ", ".join(f"{name} {number}" for name, number in sorted(found.items())))
        for engine, found in results.kept["versions"].items()
    ]
    return f"{', '.join(said)}.\n\n{table(('engine', 'versions'), engines)}"


def _tables(results: Results) -> list[str]:
    """One section for each kind of work, one table for each graph."""
    parts = []
    found = sorted(results.all, key=_order)
    for work, title in TITLES.items():
        of_work = [each for each in found if each.scenario.work == work]
        if not of_work:
            continue
        parts.append(f"## {title}\n")
        for graph in dict.fromkeys(each.scenario.graph for each in of_work):
            parts.append(f"### {work}: {graph}\n")
            rows = [_row(each, results) for each in of_work if each.scenario.graph == graph]
            parts.append(table(_HEAD, rows))
    return parts


_HEAD = (
    "records",
    "state",
    "engine",
    "ms, median",
    "quartiles",
    "rounds",
    "to ours",
    "cold ms",
    "memory MB",
    "before MB",
    "file MB",
)


def _row(result: Result, results: Results) -> tuple[str, ...]:
    ours = results.find(OURS, result.scenario)
    ratio = f"{result.median / ours.median:.2f}x" if ours and result.engine != OURS else ""
    return (
        f"{result.scenario.records:,}",
        ", ".join(result.scenario.traits),
        NAMES[result.engine],
        milliseconds(result.median),
        " to ".join(milliseconds(each) for each in result.quartiles),
        str(len(result.seconds)),
        ratio,
        milliseconds(result.cold),
        f"{result.peak_mb:,.0f}",
        f"{result.prepare_mb:,.0f}" if result.prepare_mb else "",
        f"{result.file_mb:,.1f}",
    )


def _order(result: Result) -> tuple[Any, ...]:
    scenario: Scenario = result.scenario
    name, _, number = scenario.graph.partition("-")
    return (
        scenario.work,
        name,
        int(number or 0),
        scenario.records,
        scenario.stored,
        scenario.rewrites,
        scenario.full,
        scenario.settled,
        scenario.changed,
        ENGINES.index(result.engine),
    )


def _startup(results: Results) -> list[str]:
    took: dict[str, float] = results.kept.get("startup", {})
    if not took:
        return []
    rows = [(name, milliseconds(seconds)) for name, seconds in took.items()]
    told = ["## Start-up\n", "Medians of fresh processes, each with Python's own start.\n"]
    told.append(table(("process", "ms"), rows))
    imports = took.get("import " + ", ".join(IMPORTS))
    if imports and took.get(FIRST_RESOLVE):
        share = imports / took[FIRST_RESOLVE]
        told.append(
            f"Of a first resolve, {share:.0%} are the imports of {', '.join(IMPORTS)}, "
            f"which nothing that reads a DuckDB store through Ibis can do without.\n"
        )
    return told


def _dagster(results: Results) -> list[str]:
    rows: list[dict[str, Any]] = results.kept.get("dagster", [])
    if not rows:
        return []
    head = ("records", "state", "mode", "start", "to first record", "run", "overhead")
    lines = [
        (
            f"{row['records']:,}",
            row["state"],
            row["mode"],
            row["start"],
            milliseconds(row["to_first_record"]),
            milliseconds(row["run"]),
            milliseconds(row["overhead"]),
        )
        for row in rows
    ]
    said = "Milliseconds. The overhead is a run without what store and function take by themselves."
    return ["## Through Dagster\n", f"{said}\n", table(head, lines)]


_PARTS = ("resolve", "claim", "plan", "write", "catalog")
_AT_SCALE = """\
Of the processor's time for each unit: a multiple of what as many steps of Dagster take without
us in the same process; a multiple of these together with the same work without Dagster; and what
is left when both are taken away, in steps of Dagster. Then the shares of the store's calls by what
they are for, and how often the store was opened. Other programs had the machine at the same time,
so that ratios are told and no times.
"""


def _scale(results: Results) -> list[str]:
    """What Dagster's steps cost without us, and of ours the shares."""
    rows: list[dict[str, Any]] = results.kept.get("scale", [])
    if not rows:
        return []
    lines = []
    for row in rows:
        added = row["ours"] - row["plain"] - row["alone"]
        shares = [row["parts"].get(part, 0.0) / row["ours"] for part in _PARTS]
        lines.append(
            (
                row["unit"],
                f"{row['records']:,}",
                str(row["count"]),
                f"{row['ours'] / row['plain']:.2f}x",
                f"{row['ours'] / (row['plain'] + row['alone']):.2f}x",
                f"{added / row['plain']:.2f}x",
                *(f"{share:.0%}" for share in shares),
                f"{row['opened']:.1f}",
            )
        )
    head = ("unit", "records", "units", "to Dagster", "to Dagster and work", "added, in steps")
    told = [
        "## Through Dagster, at scale\n",
        f"{_AT_SCALE}\n",
        table((*head, *_PARTS, "opened"), lines),
    ]
    grown = next((row["growth"] for row in rows if "growth" in row), None)
    if grown is not None:
        told.append(f"The last tenth of the runs after ticks cost {grown:.2f}x the first tenth.\n")
    return told


_BY_STORE = """\
The simple graph, as multiples of what DuckDB took in the same run. *All new*: nothing of the leaf
is stored, so that everything is compared and fetched. *Nothing changed*: everything was computed.
*0.1 % changed*: so many records of the root changed since. Each step opens the store anew.
"""


def _stores(results: Results) -> list[str]:
    """The same work in every kind of store."""
    rows: list[dict[str, Any]] = results.kept.get("stores", [])
    if not rows:
        return []
    base = {row["records"]: row["seconds"] for row in rows if row["store"] == "duckdb"}
    steps = list(dict.fromkeys(step for row in rows for step in row["seconds"]))
    lines = []
    for row in sorted(rows, key=lambda row: row["records"]):
        taken, ours = row["seconds"], base[row["records"]]
        ratios = [f"{taken[step] / ours[step]:.2f}x" if step in taken else "" for step in steps]
        name = NAMES.get(row["store"], row["store"])
        lines.append((name, f"{row['records']:,}", str(row["rounds"]), *ratios))
    head = ("store", "records", "rounds", *steps)
    return ["## Kinds of stores\n", f"{_BY_STORE}\n", table(head, lines)]


def _tables_read(results: Results) -> list[str]:
    found: dict[str, list[str]] = results.kept.get("tables_read", {})
    if not found:
        return []
    rows = [(told, ", ".join(names) or "none") for told, names in found.items()]
    said = "Named by the queries of one resolve, in DuckDB's log, but for those that give no row.\n"
    return ["## Data tables read\n", said, table(("state", "tables"), rows)]


def _errors(results: Results) -> list[str]:
    if not results.errors:
        return []
    rows = [
        (str(scenario), NAMES[engine], " ".join(why.replace("|", "/").split())[:200])
        for engine, scenario, why in results.errors
    ]
    return ["## What did not run\n", table(("work", "engine", "why"), rows)]
