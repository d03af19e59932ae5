"""Commits: all or nothing, and their order alone says which row of an id is its state."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import DuplicateIds
from metaxy_core.store import committing

if TYPE_CHECKING:
    from tests.conftest import Project


@pytest.mark.parametrize("hours", [0, -1], ids=["stands still", "runs backwards"])
def test_of_two_writes_of_one_id_the_later_commit_holds_whatever_the_clock_says(
    project: Project, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    video = project.feature("video", columns={"take": int})
    for take in (1, 2, 3):
        moment = dt.datetime(2026, 1, 2, tzinfo=dt.UTC) + take * dt.timedelta(hours=hours)
        clock = SimpleNamespace(UTC=dt.UTC, datetime=SimpleNamespace(now=lambda _, at=moment: at))
        monkeypatch.setattr(committing, "dt", clock)
        project.store.write(video, project.samples(v1="a").with_columns(take=pl.lit(take)))
        assert project.store.history(video).last.created_at == moment
    assert project.records(video) == [{"id": "v1", "take": 3}]


def test_of_several_features_written_together_nothing_stays_when_the_second_is_refused(
    project: Project,
) -> None:
    video, label = project.feature("video"), project.feature("label")
    project.store.write(video, project.samples(v1="a"))
    twice = pl.concat([project.samples(v1="a"), project.samples(v1="b")])
    with project.refuses(DuplicateIds, "'label'", "v1"):
        project.store.write_all({video: project.samples(v1="b", v2="b"), label: twice})


def test_of_several_features_written_together_nothing_stays_when_the_second_breaks_off(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, label = project.feature("video"), project.feature("label")
    project.store.write(video, project.samples(v1="a"))
    before = project.state()
    record = project.store._parts.catalog.add

    def broken(transaction, commit):
        if commit.feature == label.spec.key:
            raise InterruptedError
        record(transaction, commit)

    with monkeypatch.context() as patched:
        patched.setattr(project.store._parts.catalog, "add", broken)
        frames = {video: project.samples(v1="b", v2="b"), label: project.samples(v1="a")}
        with pytest.raises(InterruptedError):
            project.store.write_all(frames)

    assert project.state() == before
    written = project.store.write_all(frames)
    assert {commit.id for commit in written.values()} == {2}
    assert (project.store.count(video), project.store.count(label)) == (2, 1)


def test_pushing_a_then_b_then_a_ends_with_a(project: Project) -> None:
    pushed = []
    for code in (1, 2, 1, 1):
        project.feature("video", fields={"default": code})
        pushed.append(project.store.push())
    assert [snapshot.id for snapshot in pushed] == [1, 2, 3, 3]
    assert pushed[2].version == pushed[0].version != pushed[1].version
    assert project.store.snapshots() == tuple(pushed[:3])
    latest = project.store.recorded_graph()
    assert latest.versions == mx.FeatureGraph.active().versions
    assert list(latest) == list(mx.FeatureGraph.active())
