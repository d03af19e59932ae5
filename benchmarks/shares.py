"""Up to which share of touched records it pays to look for candidates.

Run it as ``python -m benchmarks.shares``.

Both ways answer the same question on the same file, in turn. Where they break even, the share of
the records is ``Limits.candidates`` of ``metaxy_core.store.settling`` and that of the rows is
``Limits.share``; the size below which looking for candidates never pays is ``Limits.rows``.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import product
from pathlib import Path

from benchmarks.engines.ours import Ours
from benchmarks.scenarios import Scenario
from metaxy_core.store.settling import LIMITS

SHARES = (0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)


@contextmanager
def _looking_for_candidates(*, wanted: bool) -> Iterator[None]:
    before = asdict(LIMITS)
    always = {"rows": 0, "share": math.inf, "candidates": math.inf}
    vars(LIMITS).update(always if wanted else {"share": 0.0})
    try:
        yield
    finally:
        vars(LIMITS).update(before)


def ratio(records: int, share: float, rounds: int, folder: Path, graph: str = "simple") -> float:
    """Time of a resolve by candidates over one that compares everything, medians of rounds.

    Args:
        records: records of each feature, all computed and settled.
        share: how many of them changed since.
        rounds: rounds after one that warms up.
        folder: where the store stands.
        graph: ``simple`` or ``wide``.
    """
    scenario = Scenario("resolve", graph, records, changed=int(records * share), settled=True)
    ours, path = Ours(), folder / f"{graph}-{records}-{share}.duckdb"
    ours.prepare(scenario.base, folder / "data", path)
    ours.change(scenario, folder / "data", path)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds + 1):
        for wanted, found in seconds.items():
            with _looking_for_candidates(wanted=wanted), ExitStack() as closing:
                start = time.perf_counter()
                count = ours.run(scenario, path, closing)
                elapsed = time.perf_counter() - start
            if count != scenario.expected:
                raise SystemExit(f"{count} records instead of {scenario.expected}")
            if number:
                found.append(elapsed)
    path.unlink()
    return statistics.median(seconds[True]) / statistics.median(seconds[False])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--graphs", nargs="+", default=["simple", "wide"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for graph in options.graphs:
            tables = len(Scenario("resolve", graph, 1).shape.features)
            for records, share in product(options.sizes, SHARES):
                found = ratio(records, share, options.rounds, Path(folder), graph)
                print(
                    f"{graph}, {records:>9,} records, {share:>6.1%} of them touched, "
                    f"{share / (tables + share):>5.1%} of the rows: {found:.2f}x",
                    flush=True,
                )


if __name__ == "__main__":
    main()
