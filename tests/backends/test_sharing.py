"""Stores that several objects or processes have open at once: each waits its turn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project

Opened = Callable[[], mx.MetadataStore]
WRITER = Path(__file__).with_name("writer.py")


@pytest.mark.slow
@pytest.mark.needs("processes")
def test_two_processes_that_write_at_once_wait_their_turn(
    project: Project, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    video = project.feature("video")
    kind = request.getfixturevalue("kind").name
    commands = [[sys.executable, WRITER, kind, tmp_path, name, "5"] for name in ("a", "b")]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    told = []
    for writer in started:
        said, complaints = writer.communicate(timeout=300)
        assert complaints == ""
        told += [int(line) for line in said.split()]

    assert sorted(told) == list(range(1, 11))
    ids = sorted(row["id"] for row in project.records(video))
    assert ids == [f"{name}{number}" for name in "ab" for number in range(5)]


@pytest.mark.needs("durable")
def test_a_write_inside_a_read_of_the_same_store_works(project: Project, opened: Opened) -> None:
    video = project.feature("video")
    copy = project.feature("copy", deps=[video])
    project.store.write(video, project.samples(v1="a", v2="a", v3="a"))
    reading, writing = opened(), opened()

    increment = reading.resolve_update(copy)
    for frame in increment.batches(1):
        writing.write(copy, frame)

    assert reading.count(copy) == 3
    assert increment.counts == mx.Counts(new=3)
    assert not reading.resolve_update(copy).counts
