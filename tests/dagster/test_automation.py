"""Declarative automation requests a feature when what it reads did change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

import metaxy_dagster as mxd


class Automation:
    """Evaluates the conditions of some assets tick by tick, as the daemon does."""

    def __init__(self, lab: Any, features: SimpleNamespace, **options: Any) -> None:
        self.lab = lab
        self.cursor: Any = None
        self.options = options
        self.deploy(features)

    def deploy(self, features: SimpleNamespace) -> None:
        condition = mxd.on_upstream_change(**self.options)
        transcript = self.lab.transcript(features, automation_condition=condition)
        self.assets = [self.lab.video(features), transcript]

    def tick(self) -> bool:
        """Whether the transcripts are requested."""
        result = dg.evaluate_automation_conditions(
            dg.Definitions(assets=self.assets, resources=self.lab.resources),
            instance=self.lab.instance,
            cursor=self.cursor,
        )
        self.cursor = result.cursor
        return bool(result.get_num_requested(self.lab.TRANSCRIPT))

    def materialize(self, *keys: dg.AssetKey) -> None:
        assert self.lab.run(*self.assets, selection=list(keys)).success


@pytest.fixture
def settled(lab: Any, media: SimpleNamespace) -> Automation:
    """Everything was materialized, and the first evaluation is over."""
    automation = Automation(lab, media)
    automation.materialize(lab.VIDEO, lab.TRANSCRIPT)
    assert automation.tick()
    automation.materialize(lab.TRANSCRIPT)
    assert not automation.tick()
    return automation


def test_the_first_evaluation_requests_once(settled: Automation) -> None:
    assert not settled.tick()


def test_a_change_upstream_requests_once(lab: Any, settled: Automation) -> None:
    lab.samples["a"] = ("2", "1")
    settled.materialize(lab.VIDEO)
    assert settled.tick()
    assert not settled.tick()
    settled.materialize(lab.TRANSCRIPT)
    assert not settled.tick()


def test_an_upstream_run_that_found_nothing_requests_nothing(lab: Any, settled: Automation) -> None:
    settled.materialize(lab.VIDEO)
    assert not settled.tick()


def test_a_change_in_the_tick_that_notices_the_request_is_not_lost(
    lab: Any, settled: Automation
) -> None:
    lab.samples["a"] = ("2", "1")
    settled.materialize(lab.VIDEO)
    assert settled.tick()
    settled.materialize(lab.TRANSCRIPT)
    lab.samples["b"] = ("2", "1")
    settled.materialize(lab.VIDEO)
    assert settled.tick()


def test_nothing_is_requested_before_the_upstream_exists(lab: Any, media: SimpleNamespace) -> None:
    automation = Automation(lab, media)
    assert not automation.tick()
    automation.materialize(lab.VIDEO)
    assert automation.tick()


@pytest.mark.parametrize("code_changes", [True, False])
def test_new_code_requests_where_it_counts(
    lab: Any, media: SimpleNamespace, code_changes: bool
) -> None:
    automation = Automation(lab, media, code_changes=code_changes)
    automation.materialize(lab.VIDEO, lab.TRANSCRIPT)
    automation.tick()
    assert not automation.tick()
    automation.deploy(lab.features(text="2"))
    assert automation.tick() is code_changes


def test_a_commit_outside_dagster_is_seen_through_an_observation(
    lab: Any, media: SimpleNamespace
) -> None:
    def write(**audio: str) -> None:
        with lab.store.open() as store:
            store.write(media.Video, lab.clips({name: (v, "1") for name, v in audio.items()}))
        observe()

    def observe() -> None:
        lab.observe(video)

    automation = Automation(lab, media)
    video = automation.assets[0] = mxd.observable_feature(media.Video)
    write(a="1")
    assert automation.tick()
    assert not automation.tick()
    observe()
    assert not automation.tick()
    write(b="1")
    assert automation.tick()


def test_every_partition_is_requested_when_what_all_of_them_read_changed(
    lab: Any, media: SimpleNamespace
) -> None:
    buckets = dg.StaticPartitionsDefinition(["0", "1", "2"])

    @dg.asset(
        deps=[lab.VIDEO],
        partitions_def=buckets,
        automation_condition=mxd.on_upstream_change(),
    )
    def bucketed() -> None: ...

    video = lab.video(media)
    cursor = None

    def requested() -> int:
        nonlocal cursor
        result = dg.evaluate_automation_conditions(
            dg.Definitions(assets=[video, bucketed], resources=lab.resources),
            instance=lab.instance,
            cursor=cursor,
        )
        cursor = result.cursor
        return result.get_num_requested(bucketed.key)

    lab.run(video)
    assert [requested(), requested()] == [3, 0]
    lab.run(video)
    assert requested() == 0
    lab.samples["a"] = ("2", "1")
    lab.run(video)
    assert requested() == 3
