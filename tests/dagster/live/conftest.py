"""One deployment for all of these tests, on which much is under way when the first one starts."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from tests.dagster.live.processes import Deployment, dagster_on
from tests.dagster.live.project import Post

PAGES = {f"p{number}": "a" for number in range(1, 7)}
SENSORS = ("alerts", "topics")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The deployment: six pages are there; both sensors ticked in vain, then four posts arrived."""
    with dagster_on(tmp_path_factory.mktemp("live")) as deployment:
        for sensor in SENSORS:
            deployment.start_sensor(sensor)
        deployment.list_pages(**PAGES)
        deployment.materialize("web/page")
        deployment.servers.wait_until(
            "both sensors have ticked",
            lambda: all(deployment.ended_ticks(sensor) for sensor in SENSORS),
        )
        with deployment.store() as store:
            store.write(Post, pl.DataFrame({"id": [1, 2, 3, 4], "etag": ["a"] * 4}))
        yield deployment


@pytest.fixture(scope="module", autouse=True)
def backfill(live: Deployment) -> str:
    """A backfill of two of the buckets, which the daemon takes up within half a minute."""
    return live.backfill("web/links", "1", "2")
