"""Dagster's processes end with the program that started them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

# Starts a process that has a child, prints the leader's id, and ends in one way or another.
PROGRAM = """
import os, signal, subprocess, sys
from example_project.servers import _guard_of
leader = subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60"], start_new_session=True)
guard = _guard_of(leader)
print(leader.pid, flush=True)
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["finished", "killed"])
def test_nothing_that_was_started_outlives_a_program_that_is(how: str) -> None:
    program = [sys.executable, "-c", PROGRAM, how]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=False)
    group = int(done.stdout)
    until = time.monotonic() + 20
    while is_there(group):
        assert time.monotonic() < until
        time.sleep(0.05)


def is_there(group: int) -> bool:
    """Whether any process of the group is."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
