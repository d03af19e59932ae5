"""``python -m benchmarks``: what can be measured, measuring it, the goals, and the page."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.goals import goal_scenarios, goals
from benchmarks.measuring import Measuring
from benchmarks.processes import ROOT, installed
from benchmarks.results import Result, Results, machine
from benchmarks.scenarios import ENGINES, OURS, SUITES, Scenario, suites

KEPT = ROOT / ".benchmarks" / "results.json"
PUBLISHED = ROOT / "docs" / "benchmarks.json"
EXTRAS = ("startup", "dagster", "untouched")
NAMED = ("goals", "scale", "stores")
"""Suites that are run where they are named, and not by default."""

EXAMPLES = """
examples:
  python -m benchmarks list
  python -m benchmarks run paper --sizes 10000 100000 --engines ours reference
  python -m benchmarks run changes writes --sizes 1000000 --json mine.json
  python -m benchmarks run goals                 only what the table of goals needs
  python -m benchmarks run stores --sizes 100000 1000000
  python -m benchmarks goals --json mine.json    show that table
  python -m benchmarks report --json mine.json   write docs/benchmarks.md and its plots

Peers are measured where `make bench-peers` has installed them. A run adds to the JSON file that it
is given: what was measured before stays, unless it is measured again.
"""


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line says."""
    options = _parser().parse_args(arguments)
    {"list": _list, "run": _run, "goals": _goals, "report": _report}[options.command](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="show the suites and their scenarios")
    listing.add_argument("--sizes", type=int, nargs="+", default=[10_000])
    run = commands.add_parser("run", help="measure")
    names = [*SUITES, *EXTRAS, *NAMED]
    run.add_argument("suites", nargs="*", metavar="SUITE", help=f"{', '.join(names)}; all")
    run.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    run.add_argument("--engines", nargs="+", choices=ENGINES, default=installed())
    run.add_argument("--rounds", type=int, help="by default fewer for more records")
    run.add_argument("--ticks", type=int, default=200, help="of the sensor, in suite scale")
    run.add_argument("--largest", type=int, help="leave out larger scenarios of the goals")
    run.add_argument("--folder", type=Path, help="where stores stand meanwhile; needs 10 GB at 10M")
    run.add_argument("--fresh", action="store_true", help="forget what the JSON file holds")
    run.add_argument("--json", type=Path, default=KEPT)
    told = commands.add_parser("goals", help="show the goals and what was reached")
    told.add_argument("--json", type=Path, default=KEPT)
    report = commands.add_parser("report", help="write docs/benchmarks.md and its plots")
    report.add_argument("--json", type=Path, default=PUBLISHED, help="results to publish")
    return parser


def _list(options: argparse.Namespace) -> None:
    for name, suite in SUITES.items():
        print(f"{name}: {(suite.__doc__ or '').strip()}")
        for scenario in suites([name], options.sizes):
            print(f"    {scenario}")
    print("goals: what the table of goals needs, at its own sizes")
    print("startup: fresh processes until they answer")
    print("dagster: from materialize to the first user record, and the overhead of a run")
    print("scale: a first run of the largest size in 100 chunks, buckets, and ticks of a sensor")
    print("stores: the same work in every kind of store that can be opened here")
    print("untouched: which data tables a resolve reads")


def _run(options: argparse.Namespace) -> None:
    names = options.suites or [*SUITES, *EXTRAS]
    if unknown := set(names) - {*SUITES, *EXTRAS, *NAMED}:
        raise SystemExit(f"There is no suite {', '.join(sorted(unknown))}; see `list`.")
    if missing := [each for each in options.engines if each not in installed()]:
        raise SystemExit(f"Not installed: {', '.join(missing)}. Run `make bench-peers` first.")
    results = Results() if options.fresh else Results.read(options.json)
    results.kept["machine"] = machine()
    wanted = suites([name for name in names if name in SUITES], options.sizes)
    if "goals" in names:
        most = options.largest or sys.maxsize
        wanted += [each for each in goal_scenarios(goals()) if each.records <= most]
    _measure(list(dict.fromkeys(wanted)), results, options)
    _measure_extras(names, results, options)
    results.write(options.json)
    print(f"Written to {options.json}")


def _measure(wanted: list[Scenario], results: Results, options: argparse.Namespace) -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measuring = Measuring(options.engines, Path(folder), options.rounds)
        if wanted:
            results.kept["versions"] |= measuring.versions()
        for number, scenario in enumerate(wanted, 1):
            print(f"[{number}/{len(wanted)}, {time.monotonic() - started:.0f} s] {scenario}")
            for each in measuring.measured(scenario):
                results.add(each.to_json())
                told = each.error or _told(results.find(each.engine, scenario))
                print(f"    {each.engine:<10}{told}", flush=True)
            results.write(options.json)


def _told(result: Result | None) -> str:
    assert result is not None
    return (
        f"{result.median * 1000:>10,.1f} ms warm {(result.cold or 0) * 1000:>9,.0f} ms cold "
        f"{result.peak_mb:>7,.0f} MB memory {result.file_mb:>8,.1f} MB file"
    )


def _measure_extras(names: list[str], results: Results, options: argparse.Namespace) -> None:
    """What is measured of our engine only, and not by scenario."""
    if OURS not in options.engines:
        return
    if "startup" in names:
        from benchmarks import startup

        print("start-up of fresh processes", flush=True)
        results.kept["startup"] = startup.measured(options.rounds or 7)
    if "dagster" in names:
        from benchmarks import end_to_end

        rows = []
        for records in sorted({min(size, 100_000) for size in options.sizes}):
            print(f"Dagster, {records:,} records", flush=True)
            rows += end_to_end.measured(records, min(options.rounds or 5, 5))
        results.kept["dagster"] = rows
    if "scale" in names:
        from benchmarks.at_scale import Sizes, measured

        records = max(options.sizes)
        results.kept["scale"] = []
        for row in measured(Sizes(records, max(records // 100, 1), options.ticks)):
            print(f"Dagster at scale: {row['unit']}, {row['records']:,} records", flush=True)
            results.kept["scale"].append(row)
            results.write(options.json)
    if "stores" in names:
        _measure_stores(results, options)
    if "untouched" in names:
        from benchmarks import untouched

        print("tables that a resolve reads", flush=True)
        results.kept["tables_read"] = untouched.measured(min(options.sizes))


def _measure_stores(results: Results, options: argparse.Namespace) -> None:
    from benchmarks import by_store

    kept = results.kept.get("stores", [])
    results.kept["stores"] = [row for row in kept if row["records"] not in options.sizes]
    for records in options.sizes:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            told = ", ".join(by_store.kinds(records))
            print(f"stores, {records:,} records: {told}", flush=True)
            rows = by_store.measured(records, Path(folder), options.rounds or 3, options.engines)
            results.kept["stores"] += rows
            results.write(options.json)


def _goals(options: argparse.Namespace) -> None:
    results = Results.read(options.json)
    for goal in goals():
        value = goal.reached(results)
        shown = "not measured" if value is None else goal.shown(value)
        verdict = "" if value is None or goal.holds(value) else "missed"
        print(f"{goal.work:<62}{goal.wanted:>18}{shown:>15}  {verdict}")


def _report(options: argparse.Namespace) -> None:
    from benchmarks.plots import draw
    from benchmarks.report import write_page

    results = Results.read(options.json)
    if not results.all:
        raise SystemExit(f"{options.json} holds no results; see `run --json`.")
    if options.json != PUBLISHED:
        results.write(PUBLISHED)
    images = ROOT / "docs" / "images"
    for path in draw(results, images):
        print(f"Drawn: {path.relative_to(ROOT)}")
    write_page(results, ROOT / "docs" / "benchmarks.md", images)
    print("Written: docs/benchmarks.md")


if __name__ == "__main__":
    main()
