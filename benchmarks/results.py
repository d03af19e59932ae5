"""Results as they are kept: one JSON file that tells of machine, versions and rounds."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.scenarios import Scenario


@dataclass(frozen=True)
class Result:
    """What one engine needed for one scenario; see ``measuring.Measured``."""

    scenario: Scenario
    engine: str
    count: int
    seconds: tuple[float, ...]
    cold_seconds: tuple[float, ...]
    peak_mb: float
    prepare_mb: float
    file_mb: float

    @property
    def median(self) -> float:
        """Median seconds of the warm rounds."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile of the warm rounds."""
        if len(self.seconds) < 2:
            return self.median, self.median
        first, _, third = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return first, third

    @property
    def whole_mb(self) -> float | None:
        """Peak memory of this work or what came before it, where that was measured."""
        return max(self.peak_mb, self.prepare_mb) if self.prepare_mb else None

    @property
    def cold(self) -> float | None:
        """Median seconds of a fresh process, where one was measured."""
        return statistics.median(self.cold_seconds) if self.cold_seconds else None


class Results:
    """A file of results.

    Args:
        kept: what the file holds, or an empty one.
    """

    def __init__(self, kept: dict[str, Any] | None = None) -> None:
        self.kept: dict[str, Any] = {"machine": {}, "versions": {}, "measured": []} | (kept or {})

    @classmethod
    def read(cls, path: Path) -> Results:
        """The results of a file; none where it does not exist."""
        return cls(json.loads(path.read_text("utf-8")) if path.exists() else None)

    def write(self, path: Path) -> None:
        """Keep the results; a line for each measured engine and scenario."""
        lines = ",\n".join(f"    {json.dumps(row)}" for row in self.kept["measured"])
        rest = {name: value for name, value in self.kept.items() if name != "measured"}
        head = json.dumps(rest, indent=2)[:-2]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{head},\n  "measured": [\n{lines}\n  ]\n}}\n', "utf-8")

    def add(self, row: dict[str, Any]) -> None:
        """Add one engine's row; one of an earlier run gives way."""
        same = (row["engine"], row["scenario"])
        rows = self.kept["measured"]
        kept = [each for each in rows if (each["engine"], each["scenario"]) != same]
        self.kept["measured"] = [*kept, row]

    @property
    def all(self) -> list[Result]:
        """What was measured."""
        return [_to_result(row) for row in self.kept["measured"] if "error" not in row]

    @property
    def errors(self) -> list[tuple[str, Scenario, str]]:
        """Engine, scenario and reason of what could not be measured."""
        return [
            (row["engine"], Scenario(**row["scenario"]), row["error"])
            for row in self.kept["measured"]
            if "error" in row
        ]

    def find(self, engine: str, scenario: Scenario) -> Result | None:
        """What an engine needed for a scenario."""
        found = (each for each in self.all if (each.engine, each.scenario) == (engine, scenario))
        return next(found, None)


def _to_result(row: dict[str, Any]) -> Result:
    return Result(
        Scenario(**row["scenario"]),
        row["engine"],
        row["count"],
        tuple(row["seconds"]),
        tuple(row["cold_seconds"]),
        row["peak_mb"],
        row.get("prepare_mb", 0.0),
        row["file_mb"],
    )


def machine() -> dict[str, Any]:
    """What there is to know of this machine, without its name."""
    found: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": _system(),
        "python": platform.python_version(),
    }
    model = _model()
    if model:
        found["processor"] = model
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        found["memory_gb"] = round(pages * size / 2**30)
    return found


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return f"{platform.system()} {platform.release()}"


def _model() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text("utf-8").splitlines() if about.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())
