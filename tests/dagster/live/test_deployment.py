"""Dagster's own processes: runs as the UI launches them, ticks of the daemon, a browser's page."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from example_project.browser import chromium, ui_of, wait_for
from tests.dagster.live.processes import Deployment
from tests.dagster.live.project import (
    Alert,
    Digest,
    Headline,
    Links,
    Page,
    Post,
    Summary,
    Topic,
    Words,
)

pytestmark = pytest.mark.slow  # servers, a daemon and a browser take minutes


@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")
def test_materialize_on_an_assets_page_shows_what_the_increment_was(live: Deployment) -> None:
    new, _ = live.work(Headline)
    with ui_of(live, patience=live.servers.patience) as page:
        page.goto("/assets/web/headline?view=overview")
        page.get_by_text("Never materialized").wait_for()
        before = set(live.runs())
        page.get_by_role("button", name="Materialize").first.click()
        live.servers.wait_until("a run is launched", lambda: len(live.runs()) > len(before))
        live.finished(*set(live.runs()) - before)
        page.reload()  # the page itself only notices that there is a materialization
        wait_for(page, "metaxy/new", patience=live.servers.patience)

        def shown(key: str) -> list[str]:
            row = page.get_by_role("row").filter(has=page.get_by_text(key, exact=True))
            return row.get_by_role("cell").all_inner_texts()

        assert (shown("metaxy/new")[-1], shown("metaxy/processed")[-1]) == (str(new), str(new))
        assert shown("metaxy/stale")[-1] == "0"
    assert len(live.records(Headline)) == new


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


def test_a_change_outside_of_dagster_makes_one_run_and_no_change_makes_none(
    live: Deployment,
) -> None:
    def reasons() -> list[str | None]:
        return [tick["skipReason"] for tick in live.ended_ticks("alerts")]

    live.servers.wait_until(
        "the sensor ticks after its request", lambda: None in reasons() and bool(reasons()[-1])
    )
    first, *_, last = reasons()
    assert first == "There is no commit of feed/post yet."
    assert last == "No new commit of feed/post since commit 2."
    (run_id,) = [run_id for tick in live.ended_ticks("alerts") for run_id in tick["runIds"]]
    (run,) = live.finished(run_id)
    assert (run.status, run.tags["metaxy/changed_features"]) == ("SUCCESS", "feed/post")
    assert run.tags["metaxy/changed_records"] == "4"
    assert live.records(Alert) == {1: 1, 2: 1, 3: 1, 4: 1}


def test_partitions_appear_with_the_work_and_go_when_it_is_done(live: Deployment) -> None:
    def changes() -> list[tuple[str, list[str]]]:
        return [
            (change["type"], change["partitionKeys"])
            for tick in live.ended_ticks("topics")
            for change in tick["dynamicPartitionsRequestResults"]
        ]

    def removed() -> list[str]:
        return [key for kind, keys in changes() if kind.startswith("DELETE") for key in keys]

    live.servers.wait_until("two partitions are removed", lambda: len(removed()) == 2)
    assert next(keys for kind, keys in changes() if kind.startswith("ADD")) == ["settled"]
    added = [key for kind, keys in changes() if kind.startswith("ADD") for key in keys]
    assert sorted(added) == [*sorted(removed()), "settled"]
    assert live.partitions("feed/topic") == ["settled"]

    runs = live.finished(*(run for tick in live.ended_ticks("topics") for run in tick["runIds"]))
    assert [run.status for run in runs] == ["SUCCESS", "SUCCESS"]
    assert sorted(run.tags["dagster/partition"] for run in runs) == sorted(removed())
    assert [run.told["feed/topic"]["metaxy/processed"] for run in runs] == [2, 2]
    assert live.records(Topic) == {1: 1, 2: 1, 3: 1, 4: 1}


def test_downstream_of_partitions_that_go_staleness_agrees_with_the_store(live: Deployment) -> None:
    def state() -> tuple[str, tuple[int, int]]:
        return live.staleness("feed/digest")[0], live.work(Digest)

    nothing = live.materialize("feed/topic", partition="settled")
    assert nothing.told["feed/topic"]["metaxy/processed"] == 0
    assert state() == ("MISSING", (4, 0))

    live.materialize("feed/digest")
    assert state() == ("FRESH", (0, 0))

    with live.store() as store:
        store.write(Post, pl.DataFrame({"id": [5], "etag": ["a"]}))
    live.servers.wait_until(
        "the batch of the change is gone",
        lambda: live.work(Topic) == (0, 0) and live.partitions("feed/topic") == ["settled"],
    )
    assert state() == ("STALE", (1, 0))
    assert live.staleness("feed/digest")[1] == [("DATA", "has a new data version")]

    live.materialize("feed/digest")
    assert state() == ("FRESH", (0, 0))
