"""Sensors that the daemon evaluates, over a store that another program writes to."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.dagster.live.processes import Deployment
from tests.dagster.live.project import Alert, Post, Topic


@pytest.fixture(scope="module")
def posted(live: Deployment) -> set[float]:
    """Both sensors have ticked in vain, and then four posts arrive; gives when they had ticked."""

    def ticked() -> list[dict[str, Any]]:
        ticks = [ticks_of(live, "alerts"), ticks_of(live, "topics")]
        return sum(ticks, []) if all(ticks) else []

    live.servers.wait_until("both sensors have ticked", ticked)
    before = ticked()
    with live.store() as store:
        store.write(Post, pl.DataFrame({"id": [1, 2, 3, 4], "etag": ["a"] * 4}))
    assert {tick["status"] for tick in before} == {"SKIPPED"}
    return {tick["timestamp"] for tick in before}


def ticks_of(live: Deployment, sensor: str) -> list[dict[str, Any]]:
    """The ticks that are over, oldest first."""
    return [tick for tick in reversed(live.ticks(sensor)) if tick["endTimestamp"]]


def test_partitions_appear_with_the_work_and_go_when_it_is_done(
    live: Deployment, posted: set[float]
) -> None:
    def requested() -> list[str]:
        return [run_id for tick in ticks_of(live, "topics") for run_id in tick["runIds"]]

    live.servers.wait_until("the sensor requests runs", requested)
    assert len(live.partitions("feed/topic")) == 2
    runs = live.finished(*requested())
    assert [run.status for run in runs] == ["SUCCESS", "SUCCESS"]
    assert [run.told["feed/topic"]["metaxy/processed"] for run in runs] == [2, 2]
    live.servers.wait_until("no partition is left", lambda: not live.partitions("feed/topic"))
    assert live.records(Topic) == {1: 1, 2: 1, 3: 1, 4: 1}
    assert len(requested()) == 2


def test_a_change_outside_of_dagster_makes_one_run(live: Deployment, posted: set[float]) -> None:
    def ticks() -> list[dict[str, Any]]:
        return [tick for tick in ticks_of(live, "alerts") if tick["timestamp"] not in posted]

    live.servers.wait_until("the sensor has ticked again, and once more", lambda: len(ticks()) > 1)
    first, *others = ticks()
    (run,) = live.finished(*first["runIds"])
    assert (run.status, run.tags["metaxy/changed_features"]) == ("SUCCESS", "feed/post")
    assert run.tags["metaxy/changed_records"] == "4"
    assert live.records(Alert) == {1: 1, 2: 1, 3: 1, 4: 1}
    assert {tick["status"] for tick in others} == {"SKIPPED"}
    assert "No new commit of feed/post" in others[0]["skipReason"]
