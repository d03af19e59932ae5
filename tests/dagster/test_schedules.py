"""A schedule skips only where the catalog tells that there is certainly nothing to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

import metaxy_dagster as mxd


class Clock:
    """Evaluates a schedule as its time comes."""

    def __init__(self, lab: Any, schedule: dg.ScheduleDefinition) -> None:
        self.lab = lab
        self.schedule = schedule

    def evaluate(self) -> Any:
        context = dg.build_schedule_context(
            instance=self.lab.instance, resources={"metaxy_store": self.lab.store}
        )
        return self.schedule.evaluate_tick(context)

    def runs(self) -> bool:
        return bool(self.evaluate().run_requests)


@pytest.fixture
def clock(lab: Any, media: SimpleNamespace) -> Clock:
    return Clock(lab, mxd.increment_schedule(media.Transcript, "0 2 * * *"))


def commit(lab: Any, media: SimpleNamespace, **audio: str) -> None:
    with lab.store.open() as store:
        store.write(media.Video, lab.clips({name: (v, "1") for name, v in audio.items()}))


def process(lab: Any, media: SimpleNamespace, limit: int | None = None) -> int:
    """Does what a run of the transcripts' asset does to the store; how many records it did."""
    with lab.store.open() as store:
        increment = store.resolve_update(media.Transcript, limit=limit)
        for batch in increment.batches():
            store.write(media.Transcript, lab.transcribed(batch))
        return increment.counts.to_process


def test_it_runs_until_a_run_found_nothing_and_then_skips(
    lab: Any, media: SimpleNamespace, clock: Clock
) -> None:
    commit(lab, media, a="1", b="1")
    assert clock.runs()
    assert process(lab, media) == 2
    assert clock.runs()
    assert process(lab, media) == 0
    data = clock.evaluate()
    assert not data.run_requests
    assert data.skip_message == "Nothing was done since example/transcript had nothing to do."
    commit(lab, media, a="2")
    assert clock.runs()


def test_it_runs_again_after_a_run_that_did_only_a_part(
    lab: Any, media: SimpleNamespace, clock: Clock
) -> None:
    commit(lab, media, a="1", b="1")
    assert process(lab, media, limit=1) == 1
    assert process(lab, media, limit=1) == 1
    assert process(lab, media, limit=1) == 0
    assert clock.runs()
    assert process(lab, media) == 0
    assert not clock.runs()


def test_it_runs_after_new_code_and_after_records_were_deleted(
    lab: Any, media: SimpleNamespace, clock: Clock
) -> None:
    commit(lab, media, a="1")
    process(lab, media)
    process(lab, media)
    assert not clock.runs()
    bumped = lab.features(text="2")
    assert Clock(lab, mxd.increment_schedule(bumped.Transcript, "@daily")).runs()
    with lab.store.open() as store:
        store.delete(media.Transcript, filters="video_id = 'a'")
    assert clock.runs()


def test_before_the_store_exists_it_runs(clock: Clock) -> None:
    assert clock.runs()


def test_with_a_root_it_always_runs_since_samples_are_not_in_the_catalog(
    lab: Any, media: SimpleNamespace
) -> None:
    commit(lab, media, a="1")
    process(lab, media)
    process(lab, media)
    every = Clock(lab, mxd.increment_schedule([media.Video, media.Transcript], "@daily"))
    assert every.runs()


def test_a_store_that_is_away_is_left_to_the_run(
    lab: Any, media: SimpleNamespace, clock: Clock
) -> None:
    lab.folder.rename(lab.folder.with_name("away"))
    try:
        assert clock.runs()
    finally:
        lab.folder.with_name("away").rename(lab.folder)


def test_each_partition_has_a_run_of_its_own(lab: Any, media: SimpleNamespace) -> None:
    buckets = dg.StaticPartitionsDefinition(["0", "1"])

    @dg.asset(partitions_def=buckets)
    def bucketed() -> None: ...

    schedule = mxd.increment_schedule(
        media.Transcript, "@daily", target=bucketed, partition_keys=["0", "1"]
    )
    resources = {"metaxy_store": lab.store}
    repository = dg.Definitions(
        assets=[bucketed], schedules=[schedule], resources=resources
    ).get_repository_def()
    with dg.build_schedule_context(
        instance=lab.instance, resources=resources, repository_def=repository
    ) as context:
        requests = schedule.evaluate_tick(context).run_requests
    assert [request.partition_key for request in requests] == ["0", "1"]


def test_what_cannot_be_run_without_a_partition_is_told(lab: Any, media: SimpleNamespace) -> None:
    assets = [lab.video(media), lab.transcript(media, buckets=2)]
    schedule = mxd.increment_schedule(media.Transcript, "@daily")
    repository = dg.Definitions(
        assets=assets, schedules=[schedule], resources=lab.resources
    ).get_repository_def()
    resources = {"metaxy_store": lab.store}
    with (
        dg.build_schedule_context(
            instance=lab.instance, resources=resources, repository_def=repository
        ) as context,
        pytest.raises(mxd.AssetError, match="without a partition"),
    ):
        schedule.evaluate_tick(context)


def test_it_materializes_the_assets_of_its_features(lab: Any, media: SimpleNamespace) -> None:
    schedule = mxd.increment_schedule(
        media.Transcript,
        ["0 2 * * *", "0 14 * * *"],
        execution_timezone="Europe/Berlin",
        run_tags={"team": "speech"},
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    assert schedule.name == "increments_of_example_transcript"
    assert schedule.cron_schedule == ["0 2 * * *", "0 14 * * *"]
    assert schedule.execution_timezone == "Europe/Berlin"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    (request,) = Clock(lab, schedule).evaluate().run_requests
    assert request.tags["team"] == "speech"
    repository = dg.Definitions(
        assets=lab.assets(media), schedules=[schedule], resources=lab.resources
    ).get_repository_def()
    (job,) = [job for job in repository.get_all_jobs() if schedule.name in job.name]
    assert job.asset_layer.executable_asset_keys == {lab.TRANSCRIPT}
