"""Runs random histories over ever new graphs for some minutes: `make soak MINUTES=10`."""

from __future__ import annotations

import sys
import time
from random import Random, SystemRandom

from .beginnings import lived

HISTORIES = 25  # of each graph: SQL that is new to the process costs more than running it


def run_case(shape: int, history: int) -> None:
    """Every third case is worked off, which costs as much as the history and its check."""
    with lived(shape, Random(f"{shape}/{history}")) as world:
        world.check()
        if history % 3 == 0:
            world.check()
            world.finish()
            world.check_records()


def soak(minutes: float) -> int:
    """How many cases were run."""
    cases, until = 0, time.monotonic() + 60 * minutes
    while time.monotonic() < until:
        shape, history = SystemRandom().randrange(10**9), 0
        while history < HISTORIES and time.monotonic() < until:
            try:
                run_case(shape, history)
            except BaseException:
                again = f"python -m tests.backends.increments.soak case {shape} {history}"
                sys.stdout.write(f"Case {cases + 1} failed; to run it again: {again}\n")
                raise
            cases, history = cases + 1, history + 1
    return cases


if __name__ == "__main__":
    if sys.argv[1] == "case":
        run_case(*map(int, sys.argv[2:]))
    else:
        sys.stdout.write(f"{soak(float(sys.argv[1]))} cases, and every increment was right\n")
