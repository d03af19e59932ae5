"""A process that measures one engine: asked and answering in lines of JSON.

``python -m benchmarks.worker ours`` is run by the Python that has what the engine needs.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.scenarios import DATACHAIN, OURS, REFERENCE, SQL, Scenario

_CLASSES = {
    OURS: "benchmarks.engines.ours:Ours",
    SQL: "benchmarks.engines.sql:HandWritten",
    REFERENCE: "benchmarks.engines.reference:Reference",
    DATACHAIN: "benchmarks.engines.datachain:DataChain",
}
_TOLD = ("metaxy", "datachain", "duckdb", "ibis-framework", "polars", "pyarrow", "narwhals")


def engine(name: str) -> Any:
    """An engine by its name; imports what it needs."""
    module, _, kind = _CLASSES[name].partition(":")
    return getattr(import_module(module), kind)()


def peak_memory_mb() -> float:
    """The most memory this process ever held.

    Linux hands ``ru_maxrss`` down to processes that a larger one starts, hence VmHWM where it is.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def timed(contestant: Any, scenario: Scenario, data: Path, path: Path) -> dict[str, Any]:
    """Seconds of the work, and how many records it gave."""
    contestant.load(scenario, data)
    gc.collect()
    with ExitStack() as closing:
        start = time.perf_counter()
        count = contestant.run(scenario, path, closing)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "count": count, "peak_mb": peak_memory_mb()}


def answered(contestant: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Do what one line asks for."""
    if asked["do"] == "versions":
        return {"versions": versions()}
    scenario = Scenario(**asked["scenario"])
    data, path = Path(asked["data"]), Path(asked["path"])
    if asked["do"] == "run":
        return timed(contestant, scenario, data, path)
    work: Callable[[Scenario, Path, Path], None] = getattr(contestant, asked["do"])
    work(scenario, data, path)
    return {"peak_mb": peak_memory_mb()}


def versions() -> dict[str, str]:
    """The versions of the libraries that matter."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _TOLD:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Answer until there is nothing more to read; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    contestant = engine(sys.argv[1])
    for line in sys.stdin:
        try:
            answer = answered(contestant, json.loads(line))
        except Exception as error:  # noqa: BLE001 - whoever asked tells what went wrong
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
