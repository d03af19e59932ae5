"""Sensors that the daemon evaluates, over a store that another program writes to."""

from __future__ import annotations

from tests.dagster.live.processes import Deployment
from tests.dagster.live.project import Alert, Topic


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
    (kind, added), *_ = changes()
    assert (kind, sorted(removed())) == ("ADD_PARTITIONS", sorted(added))
    assert live.partitions("feed/topic") == []

    runs = live.finished(*(run for tick in live.ended_ticks("topics") for run in tick["runIds"]))
    assert [run.status for run in runs] == ["SUCCESS", "SUCCESS"]
    assert sorted(run.tags["dagster/partition"] for run in runs) == sorted(added)
    assert [run.told["feed/topic"]["metaxy/processed"] for run in runs] == [2, 2]
    assert live.records(Topic) == {1: 1, 2: 1, 3: 1, 4: 1}
