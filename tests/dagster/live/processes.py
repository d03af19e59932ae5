"""Dagster's real servers on the project of these tests, and what they tell of its assets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import metaxy_core as mx
from example_project.graphql import Dagster
from example_project.servers import Servers

PROJECT = Path(__file__).with_name("project.py")


class Deployment(Dagster):
    """Servers on a project file, the store they work on, and short words for what tests ask."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        super().__init__(servers)
        self.folder = folder

    # ------------------------------------------------------------------ what is outside of Dagster

    @property
    def database(self) -> Path:
        return self.folder / "store.duckdb"

    def store(self) -> mx.DuckDBMetadataStore:
        """The store, to be opened beside the processes that share it."""
        return mx.DuckDBMetadataStore(self.database)

    def records(self, feature: type[mx.Feature], column: str = "length") -> dict[int, Any]:
        """A column of what is stored, by id."""
        with self.store() as store:
            frame = store.read(feature, columns=["id", column]).to_polars().sort("id")
        return dict(zip(frame["id"], frame[column], strict=True))

    def work(self, feature: type[mx.Feature]) -> tuple[int, int]:
        """How many records are new, and how many stale, as the store tells."""
        with self.store() as store:
            counts = store.resolve_update(feature).counts
        return counts.new, counts.stale

    def list_pages(self, **etags: str) -> None:
        """Set what the root's samples are: ``p1="a"`` is page 1 with this version."""
        pages = {key.removeprefix("p"): etag for key, etag in etags.items()}
        (self.folder / "pages.json").write_text(json.dumps(pages))

    # ------------------------------------------------------------------ what the UI shows

    def staleness(self, asset: str) -> tuple[str, list[tuple[str, str]]]:
        """Whether an asset is shown as stale, with category and reason of the causes."""
        shown = self.asset(asset, "staleStatus staleCauses { category reason }")
        causes = [(cause["category"], cause["reason"]) for cause in shown["staleCauses"]]
        return shown["staleStatus"], causes

    def checks(self, asset: str) -> dict[str, str]:
        """The outcome of each check, and the severity in its place where it failed.

        These are an asset's health in the UI; ``assetHealth`` itself is null outside of Dagster+.
        """
        document = """assetChecksOrError { ... on AssetChecks { checks { name
            executionForLatestMaterialization { status evaluation { severity } } } } }"""
        shown = self.asset(asset, document)["assetChecksOrError"]["checks"]
        return {
            check["name"]: _outcome(check["executionForLatestMaterialization"]) for check in shown
        }

    def ended_ticks(self, sensor: str) -> list[dict[str, Any]]:
        """The ticks of a sensor that are over, the oldest first."""
        return [tick for tick in reversed(self.ticks(sensor)) if tick["endTimestamp"]]


@contextmanager
def dagster_on(folder: Path, project: Path = PROJECT) -> Iterator[Deployment]:
    """A webserver and a daemon on a project file, stopped with all they started at the end.

    The project finds its store by ``METAXY_TEST_DATABASE``, as ``store.duckdb`` in the folder.
    """
    environment = {"METAXY_TEST_DATABASE": str(folder / "store.duckdb")}
    with Servers(folder / "home", "-f", str(project), environment=environment) as servers:
        yield Deployment(servers, folder)


def _outcome(execution: dict[str, Any] | None) -> str:
    if execution is None:
        return "NONE"
    if execution["status"] != "FAILED":
        return execution["status"]
    return execution["evaluation"]["severity"]
