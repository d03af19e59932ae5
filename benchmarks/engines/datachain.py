"""DataChain's comparison of two versions of a dataset; needs a Python that has ``datachain``.

Its delta update runs this comparison first, and then builds the next version of the result.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import polars as pl

# Before the import: nothing is reported, skipped as seen before, or read from the user's settings.
_SETTINGS = tempfile.mkdtemp(prefix="datachain-")
os.environ |= {"DATACHAIN_NO_ANALYTICS": "1", "DATACHAIN_IGNORE_CHECKPOINTS": "1"}
for _name in ("DATACHAIN_GLOBAL_CONFIG_DIR", "DATACHAIN_SYSTEM_CONFIG_DIR"):
    os.environ[_name] = _SETTINGS

import datachain as dc  # noqa: E402
from datachain.catalog import get_catalog  # noqa: E402

from benchmarks.engines.base import root_frame  # noqa: E402
from benchmarks.samples import STRUCT  # noqa: E402
from benchmarks.scenarios import Scenario  # noqa: E402

CHANGED = 1_000


class DataChain:
    """Versions of the root as versions of a dataset; the store is a folder with SQLite in it."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def prepare(self, scenario: Scenario, data: Path, path: Path) -> None:
        """Save the root as the dataset's first version."""
        self.load(scenario, data)
        self._save(path)

    def change(self, scenario: Scenario, data: Path, path: Path) -> None:
        """Save the root as it is after the change: a version holds every record."""
        root = scenario.shape.roots[0]
        before = root_frame(scenario, root, data)
        changed = root_frame(scenario, root, data, count=scenario.changed, generation=CHANGED)
        self._rows = _rows(pl.concat([changed, before.slice(scenario.changed)]))
        self._save(path)

    def load(self, scenario: Scenario, data: Path) -> None:
        """Read the frame that is to be written."""
        self._rows = _rows(root_frame(scenario, scenario.shape.roots[0], data))

    def run(self, scenario: Scenario, path: Path, closing: ExitStack) -> int:
        """Compare the two versions and fetch what differs, or save one."""
        if scenario.work == "write":
            self._save(path)
            return len(self._rows)
        session = closing.enter_context(_opened(path))
        latest = dc.read_dataset("video", session=session)
        before = dc.read_dataset("video", version="1.0.0", session=session)
        read = next(iter(scenario.shape.roots[0].fields))
        found = latest.diff(before, on="id", compare=read, deleted=False).to_pandas()
        return len(found)

    def _save(self, path: Path) -> None:
        schema = dict.fromkeys(self._rows[0], str)
        with _opened(path) as session:
            dc.read_records(self._rows, schema=schema, session=session).save("video")


@contextmanager
def _opened(path: Path) -> Iterator[dc.Session]:
    os.environ["DATACHAIN_DIR"] = str(path)
    catalog = get_catalog()
    try:
        with dc.Session("bench", catalog=catalog) as session:
            yield session
    finally:
        catalog.metastore.close_on_exit()
        catalog.warehouse.close_on_exit()


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.unnest(STRUCT).to_dicts()
