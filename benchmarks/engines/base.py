"""What an engine has to be able to do in order to be measured."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from benchmarks.graphs import Feature
from benchmarks.samples import sample_file
from benchmarks.scenarios import Scenario


class Engine(Protocol):
    """One contestant; its stores are files or folders that may be copied while nobody uses them.

    Every method takes paths, so that a process may prepare a store that another one measures.
    """

    def prepare(self, scenario: Scenario, data: Path, path: Path) -> None:
        """Make the state of ``scenario.base`` at a path where nothing is yet."""

    def change(self, scenario: Scenario, data: Path, path: Path) -> None:
        """Take the state of ``scenario.base`` on to that of the scenario."""

    def load(self, scenario: Scenario, data: Path) -> None:
        """Read what the work needs beside the store; never timed."""

    def run(self, scenario: Scenario, path: Path, closing: ExitStack) -> int:
        """Do the work, and give how many records it found or wrote.

        Args:
            scenario: the scenario.
            path: a fresh copy of the store.
            closing: closes what reading left open, after the clock has stopped.
        """


def root_frame(
    scenario: Scenario, root: Feature, data: Path, *, count: int | None = None, generation: int = 0
) -> pl.DataFrame:
    """Samples of a root: all of them, or the first ones."""
    records = scenario.shape.root_records(scenario.records)
    wanted = records if count is None else count
    return pl.read_parquet(sample_file(data, scenario.shape, root, wanted, generation, of=records))


def write_roots(store: Any, scenario: Scenario, data: Path) -> None:
    """Write the roots, the first one as often as the scenario wants it, through ``store.write``."""
    first, *_ = scenario.shape.roots
    for root in scenario.shape.roots:
        store.write(root.key, root_frame(scenario, root, data))
    for rewrite in range(1, scenario.rewrites):
        store.write(first.key, root_frame(scenario, first, data, generation=rewrite))
