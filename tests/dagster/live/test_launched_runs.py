"""Runs that are launched as the UI launches them, and executed by Dagster's own processes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dagster.live.processes import Deployment
from tests.dagster.live.project import Links, Page, Summary, Words


def launchpad(**section: Any) -> dict[str, Any]:
    return {"ops": {"web__summary": {"config": {"increment": section}}}}


def test_what_the_launchpad_says_is_what_a_run_handles(live: Deployment) -> None:
    first = live.materialize("web/summary", config=launchpad(limit=2, filters="id > 1"))
    assert live.records(Summary) == {2: 1, 3: 1}
    assert first.told["web/summary"]["metaxy/new"] == 2
    assert first.told["web/summary"]["metaxy/filters"] == "id > 1"

    forced = live.materialize("web/summary", config=launchpad(force="id = 2", filters="id < 5"))
    assert live.records(Summary) == {1: 1, 2: 2, 3: 1, 4: 1}
    told = forced.told["web/summary"]
    assert (told["metaxy/new"], told["metaxy/processed"]) == (2, 3)


def test_the_launchpad_refuses_what_is_not_in_the_section(live: Deployment) -> None:
    with pytest.raises(RuntimeError, match='unexpected config entry "limits"'):
        live.launch("web/summary", config=launchpad(limits=2))


def test_health_and_staleness_agree_with_the_store(live: Deployment) -> None:
    def state() -> tuple[str, tuple[int, int]]:
        return live.staleness("web/words")[0], live.work(Words)

    assert state() == ("MISSING", (6, 0))
    assert live.checks("web/words") == {"ids_unique": "NONE", "increment_empty": "NONE"}

    live.materialize("web/words")
    assert state() == ("FRESH", (0, 0))
    assert live.checks("web/words") == {"ids_unique": "SUCCEEDED", "increment_empty": "SUCCEEDED"}

    live.materialize("web/page")
    assert state() == ("FRESH", (0, 0))

    etags = live.records(Page, "etag")
    live.list_pages(**{f"p{page}": etag for page, etag in {**etags, 1: "b", 7: "a"}.items()})
    live.materialize("web/page")
    assert state() == ("STALE", (1, 1))
    assert live.staleness("web/words")[1] == [("DATA", "has a new data version")]

    live.finished(live.launch(checks=[("web/words", "increment_empty")]))
    assert live.checks("web/words") == {"ids_unique": "SUCCEEDED", "increment_empty": "WARN"}


def test_a_backfill_computes_the_chosen_buckets_alone(live: Deployment, backfill: str) -> None:
    def launched() -> list[str]:
        return live.runs(**{"dagster/backfill": backfill})

    live.servers.wait_until("the backfill has runs", lambda: len(launched()) == 2)
    runs = live.finished(*launched())
    assert {run.tags["dagster/partition"]: run.status for run in runs} == {
        "1": "SUCCESS",
        "2": "SUCCESS",
    }
    processed = sum(run.told["web/links"]["metaxy/processed"] for run in runs)
    assert processed == len(live.records(Links))
    shown = live.asset("web/links", "partitionStats { numMaterialized numPartitions numFailed }")
    assert shown["partitionStats"] == {"numMaterialized": 2, "numPartitions": 4, "numFailed": 0}
