"""Who holds a store, told so that others on the same machine see when the process has died."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_DEAD: Final = {"Z", "X"}


def this_process() -> str:
    """What tells this process from every other one, on every machine."""
    return f"{_machine()}:{os.getpid()}:{_started(os.getpid())}"


def has_died(owner: str) -> bool:
    """Whether a process of this machine is known to run no more; False where that is unknown."""
    machine, _, process = owner.partition(":")
    number, _, started = process.partition(":")
    if not machine or machine != _machine() or not number.isdigit() or not started:
        return False
    return _started(int(number)) != started


@lru_cache(maxsize=1)
def _machine() -> str:
    """The machine since it was started, and the numbering of its processes; empty if unknown."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}".replace(":", "")
    except OSError:
        return ""


def _started(process: int) -> str:
    """When a process was started; empty where it is not running."""
    try:
        text = (_PROC / str(process) / "stat").read_text()
    except OSError:
        return ""
    parts = text.rpartition(")")[2].split()
    return "" if parts[0] in _DEAD else parts[19]
