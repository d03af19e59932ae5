"""A scenario is measured by all its engines in turn, so that whatever the machine does hits all."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.processes import Process, WorkFailed
from benchmarks.scenarios import DATACHAIN, OURS, REFERENCE, SQL, Scenario

# The reference needs 5 to 7 GB for a million records.
LARGEST = {REFERENCE: 1_000_000, DATACHAIN: 1_000_000}
LARGEST_LONG = 100_000


@dataclass
class Measured:
    """What one engine needed for one scenario.

    Attributes:
        scenario: the scenario.
        engine: name of the engine.
        count: how many records the work gave.
        seconds: of each round in a process that is warm, on a fresh file.
        cold_seconds: of each fresh process, from its start to the answer, imports included.
        peak_mb: most memory that a fresh process held, which did only this work.
        prepare_mb: most memory that the process held which wrote and computed everything before.
        file_mb: size of the store after it.
        error: why there is nothing to tell.
    """

    scenario: Scenario
    engine: str
    count: int = 0
    seconds: list[float] = field(default_factory=list)
    cold_seconds: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    prepare_mb: float = 0.0
    file_mb: float = 0.0
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values, times to the microsecond."""
        told: dict[str, Any] = {"scenario": self.scenario.to_json(), "engine": self.engine}
        if self.error:
            return {**told, "error": self.error}
        return {
            **told,
            "count": self.count,
            "seconds": [round(each, 6) for each in self.seconds],
            "cold_seconds": [round(each, 4) for each in self.cold_seconds],
            "peak_mb": round(self.peak_mb, 1),
            "prepare_mb": round(self.prepare_mb, 1),
            "file_mb": round(self.file_mb, 2),
        }


def is_able(engine: str, scenario: Scenario) -> bool:
    """Whether an engine does the same work, in a time one can wait for."""
    if engine == OURS:
        return True
    if scenario.work == "stream" or scenario.records > LARGEST.get(engine, scenario.records):
        return False
    if engine == REFERENCE:
        return _reference_is_able(scenario)
    if engine == SQL:
        flat = scenario.graph in {"simple", "wide"} and scenario.rewrites == 1
        return flat and scenario.work in {"resolve", "write"}
    once = scenario.graph == "simple" and scenario.rewrites == 1 and not scenario.full
    if scenario.records > LARGEST_LONG:  # a minute each, so the paper's tenth has to do
        once = once and not scenario.settled
    return once and (scenario.stored or scenario.work == "write")


def _reference_is_able(scenario: Scenario) -> bool:
    """Its aggregations give a row per member and nothing is settled, so that full means nothing."""
    long = "-" in scenario.graph or scenario.rewrites > 1
    if scenario.full or scenario.graph == "aggregation":
        return False
    return not long or scenario.records <= LARGEST_LONG


def rounds_for(records: int) -> int:
    """How many rounds give a steady median in a time one can wait for."""
    return 15 if records <= 10_000 else 9 if records <= 100_000 else 5 if records < 10**7 else 3


class Measuring:
    """Measures scenarios one after the other; those of one base share its files.

    Args:
        engines: names of the engines that take part.
        folder: where the files stand meanwhile.
        rounds: how many; None goes by the number of records.
    """

    def __init__(self, engines: Sequence[str], folder: Path, rounds: int | None = None) -> None:
        self._engines = engines
        self._folder = folder
        self._data = folder / "data"
        self._rounds = rounds
        self._bases: dict[str, tuple[Scenario, Path, float]] = {}

    def versions(self) -> dict[str, dict[str, str]]:
        """The versions behind each engine."""
        found = {}
        for engine in self._engines:
            with Process(engine, self._data) as process:
                found[engine] = process.versions()
        return found

    def measured(self, scenario: Scenario) -> list[Measured]:
        """What each engine that is able to do the work needed for it."""
        found = [Measured(scenario, each) for each in self._engines if is_able(each, scenario)]
        states: dict[str, Path] = {}
        for each in found:
            with _noting(each):
                states[each.engine] = self._state(each)
        self._time([each for each in found if not each.error], states)
        for each in found:
            if not each.error:
                with _noting(each):
                    self._run_cold(each, states[each.engine])
        for path in states.values():
            _remove(path)
        return found

    def close(self) -> None:
        """Delete the files."""
        for _, path, _ in self._bases.values():
            _remove(path)

    # ------------------------------------------------------------------ states of stores

    def _state(self, each: Measured) -> Path:
        """An engine's store; hand-written SQL reads one that our engine wrote."""
        scenario, path = each.scenario, self._folder / f"{each.engine}-state"
        if scenario.work != "write":
            writer = OURS if each.engine == SQL else each.engine
            base, each.prepare_mb = self._base(writer, scenario.base)
            _copy(base, path)
            with Process(writer, self._data) as process:
                process.change(scenario, path)
        return path

    def _base(self, engine: str, base: Scenario) -> tuple[Path, float]:
        known, path, peak = self._bases.get(engine, (None, self._folder / f"{engine}-base", 0.0))
        if known != base:
            self._bases.pop(engine, None)
            _remove(path)
            with Process(engine, self._data) as process:
                peak = process.prepare(base, path)
            self._bases[engine] = (base, path, peak)
        return path, peak

    # ------------------------------------------------------------------ rounds

    def _time(self, found: list[Measured], states: dict[str, Path]) -> None:
        """Rounds in warm processes, the engines in turn; the first round only warms up."""
        with ExitStack() as stack:
            warm = [(each, stack.enter_context(Process(each.engine, self._data))) for each in found]
            rounds = self._rounds or (rounds_for(found[0].scenario.records) if found else 0)
            for number in range(rounds + 1):
                for each, process in warm:
                    if not each.error:
                        with _noting(each):
                            self._round(each, process, states[each.engine], number)

    def _round(self, each: Measured, process: Process, state: Path, number: int) -> None:
        path = self._folder / f"{each.engine}-round"
        _copy(state, path)
        answer = process.run(each.scenario, path)
        if number:
            each.seconds.append(answer["seconds"])
        each.count = answer["count"]
        if each.count != each.scenario.expected:
            raise WorkFailed(f"{each.count} records instead of {each.scenario.expected}")
        each.file_mb = _size(path) / 2**20
        _remove(path)

    def _run_cold(self, each: Measured, state: Path) -> None:
        """The same work in processes that do nothing else."""
        path = self._folder / f"{each.engine}-cold"
        most = 3 if each.scenario.records <= LARGEST_LONG else 1
        for _ in range(min(most, self._rounds or most)):
            _copy(state, path)
            with Process(each.engine, self._data) as process:
                answer = process.run(each.scenario, path)
                each.cold_seconds.append(time.perf_counter() - process.started)
            each.peak_mb = max(each.peak_mb, answer["peak_mb"])
            _remove(path)


@contextmanager
def _noting(each: Measured) -> Iterator[None]:
    """What an engine could not do is a result too."""
    try:
        yield
    except WorkFailed as error:
        each.error = str(error)


def _copy(source: Path, target: Path) -> None:
    """A fresh copy of a store, or nothing where there is none yet."""
    _remove(target)
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copyfile(source, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files)
