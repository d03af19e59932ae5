"""One deployment for all of these tests, on which things are under way when the first one starts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dagster.live.processes import Deployment, dagster_on

PAGES = {f"p{number}": "a" for number in range(1, 7)}


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The deployment: six pages are there, and both sensors are on."""
    with dagster_on(tmp_path_factory.mktemp("live")) as deployment:
        deployment.list_pages(**PAGES)
        deployment.start_sensor("alerts")
        deployment.start_sensor("topics")
        deployment.materialize("web/page")
        yield deployment


@pytest.fixture(scope="session", autouse=True)
def backfill(live: Deployment) -> str:
    """A backfill of two of the buckets, which the daemon takes up within half a minute."""
    return live.backfill("web/links", "1", "2")
