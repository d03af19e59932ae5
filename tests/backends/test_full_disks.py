"""A disk that is full while records are written: all or nothing, and a message that says it."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from metaxy_core.errors import StoreUnreachable
from tests.backends.conftest import EVERY, Store
from tests.conftest import Project

ROOM = "16m"  # an empty store of each kind, a few times over
QUICK = ("duckdb", "sqlite", "delta")
IN_FILES = [kind for kind in EVERY if "files" in kind.capabilities]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk; skips where nobody may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a disk can be mounted by root only: {error}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True, capture_output=True)


@pytest.mark.parametrize("kind", [kind.param(repeats=kind.name not in QUICK) for kind in IN_FILES])
def test_a_change_that_does_not_fit_is_not_made(kind: Store, disk: Path, project: Project) -> None:
    video = project.feature("video", columns={"blob": str})
    few = project.samples(a="1", b="1").with_columns(blob=pl.lit("x"))
    samples = {f"v{number}": "1" for number in range(40_000)}
    noise = random.Random(1)
    blobs = [noise.randbytes(500).hex() for _ in samples]
    many = project.samples(**samples).with_columns(blob=pl.Series(blobs))
    with kind.opened_at(disk) as store:
        store.write(video, few)
        with pytest.raises(StoreUnreachable, match=r"disk of the store .* is full.*Make room"):
            store.write(video, many)
        assert sorted(store.read(video).to_polars()["id"]) == ["a", "b"]
    with kind.opened_at(disk) as store:
        assert store.count(video) == 2
        assert len(store.resolve_update(video, many.head(5)).new) == 5
