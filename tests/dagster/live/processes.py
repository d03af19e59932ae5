"""Dagster's real servers on the project of these tests, and what they tell of its assets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from example_project.graphql import Dagster
from example_project.servers import Servers

PROJECT = Path(__file__).with_name("project.py")


@contextmanager
def dagster_on(folder: Path, project: Path = PROJECT) -> Iterator[Dagster]:
    """A webserver and a daemon on a project file, stopped with all they started at the end.

    The project finds its store by ``METAXY_TEST_DATABASE``, as ``store.duckdb`` in the folder.
    """
    environment = {"METAXY_TEST_DATABASE": str(folder / "store.duckdb")}
    with Servers(folder / "home", "-f", str(project), environment=environment) as servers:
        yield Dagster(servers)
