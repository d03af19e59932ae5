"""Engines run in processes of their own, so that memory and imports are each one's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.scenarios import DATACHAIN, OURS, REFERENCE, SQL, Scenario

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers"


class WorkFailed(Exception):
    """An engine could not do what it was asked."""


def python_of(engine: str) -> Path:
    """The Python that an engine runs in: this one, or the one `make bench-peers` made."""
    if engine in {OURS, SQL}:
        return Path(sys.executable)
    return PEERS / engine / "bin" / "python"


def installed() -> list[str]:
    """The engines that can run here."""
    return [each for each in (OURS, SQL, REFERENCE, DATACHAIN) if python_of(each).exists()]


class Process:
    """An engine in a process of its own.

    Args:
        engine: its name.
        data: folder of the samples that all engines share.
    """

    def __init__(self, engine: str, data: Path) -> None:
        self.engine = engine
        self.started = time.perf_counter()
        self._data = data
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [str(python_of(engine)), "-m", "benchmarks.worker", engine],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        self._process.wait()
        self._errors.close()

    def prepare(self, scenario: Scenario, path: Path) -> float:
        """Make the state before the change; gives the process's peak memory in MB."""
        peak: float = self._ask("prepare", scenario, path)["peak_mb"]
        return peak

    def change(self, scenario: Scenario, path: Path) -> None:
        """Change it."""
        self._ask("change", scenario, path)

    def run(self, scenario: Scenario, path: Path) -> dict[str, Any]:
        """Do the timed work: ``seconds``, ``count`` and ``peak_mb`` of the process so far."""
        return self._ask("run", scenario, path)

    def versions(self) -> dict[str, str]:
        """The versions of the engine's libraries."""
        found: dict[str, str] = self._told({"do": "versions"})["versions"]
        return found

    def _ask(self, what: str, scenario: Scenario, path: Path) -> dict[str, Any]:
        places = {"data": str(self._data), "path": str(path)}
        return self._told({"do": what, "scenario": scenario.to_json(), **places})

    def _told(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkFailed(f"{self.engine} stopped: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkFailed(f"{self.engine}: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        return f"exit code {code}; {self._errors.read()[-800:].strip()}"
