"""How long fresh processes take until they answer, and how much of it is other people's imports."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.engines.ours import Ours
from benchmarks.processes import ROOT
from benchmarks.scenarios import Scenario

_RESOLVE = """
import sys
from contextlib import ExitStack
from pathlib import Path
from benchmarks.engines.ours import Ours
from benchmarks.scenarios import Scenario
with ExitStack() as closing:
    scenario = Scenario("resolve", "simple", {records}, changed={changed}, settled=True)
    Ours().run(scenario, Path(sys.argv[1]), closing)
"""

IMPORTS = ("duckdb", "ibis", "ibis.backends.duckdb", "polars", "pyarrow", "pydantic")
FIRST_RESOLVE = "first resolve"


def commands(store: Path, records: int, changed: int) -> dict[str, list[str]]:
    """What is started, by name."""
    everything = "import " + ", ".join(IMPORTS)
    resolve = _RESOLVE.format(records=records, changed=changed)
    return {
        "python that does nothing": ["-c", ""],
        **{f"import {name}": ["-c", f"import {name}"] for name in IMPORTS},
        everything: ["-c", everything],
        "import metaxy_core": ["-c", "import metaxy_core"],
        "metaxy --help": ["-c", "from metaxy_core.cli.app import main; main()", "--help"],
        FIRST_RESOLVE: ["-c", resolve, str(store)],
    }


def seconds(arguments: list[str]) -> float:
    """Wall time of one fresh process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def measured(rounds: int = 7, records: int = 1_000) -> dict[str, float]:
    """Median seconds of each command, all of them in turn after one round of warm-up."""
    scenario = Scenario("resolve", "simple", records, changed=records // 10, settled=True)
    with tempfile.TemporaryDirectory() as name:
        folder, ours = Path(name), Ours()
        ours.prepare(scenario.base, folder / "data", folder / "store.duckdb")
        ours.change(scenario, folder / "data", folder / "store.duckdb")
        wanted = commands(folder / "store.duckdb", records, scenario.changed)
        found: dict[str, list[float]] = {each: [] for each in wanted}
        for number in range(rounds + 1):
            for each, arguments in wanted.items():
                took = seconds(arguments)
                if number:
                    found[each].append(took)
    return {each: round(statistics.median(took), 4) for each, took in found.items()}
