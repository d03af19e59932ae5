"""Histories with a rebase or a compaction in them are read, explained and planned like others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project


@pytest.fixture
def rebased(project: Project) -> type[mx.Feature]:
    """Crops of two videos, carried over from code version 1 to 2."""
    video = project.feature("video")
    project.store.write(video, project.samples(a="1", b="1"))
    project.process(project.feature("crop", deps=[video]))
    project.process(project.feature("review", deps=["crop"]))
    crop = project.feature("crop", fields={"default": "2"}, deps=[video])
    assert project.store.rebase(crop).records == 2
    return crop


def test_nothing_is_planned_after_a_rebase(project: Project, rebased: type[mx.Feature]) -> None:
    assert project.store.plan().total.recompute == 0
    assert project.store.progress(rebased).share == 1.0


def test_a_rebased_record_is_explained_and_traced(
    project: Project, rebased: type[mx.Feature]
) -> None:
    assert project.store.explain(rebased, "a").status == "up to date"
    assert project.store.lineage(rebased, "a").exact
    assert project.store.lineage("review", "a").exact


def test_the_record_before_the_rebase_is_history(
    project: Project, rebased: type[mx.Feature]
) -> None:
    rebase = project.store.history(rebased).last
    assert rebase is not None
    before = project.store.read(rebased, as_of=rebase.id - 1).to_polars().sort("id")
    after = project.store.read(rebased).to_polars().sort("id")
    assert (before["metaxy_data_version"] == after["metaxy_data_version"]).all()
    assert (before["metaxy_provenance"] != after["metaxy_provenance"]).all()


def test_compaction_after_a_rebase_keeps_what_is_downstream(
    project: Project, rebased: type[mx.Feature]
) -> None:
    commit = project.store.compact(rebased)
    assert commit is not None
    assert commit.rows == 2
    assert project.store.plan().total.recompute == 0
    assert project.counts(rebased) == mx.Counts()


def test_lineage_over_erased_history_is_not_exact(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", deps=[video])
    project.store.write(video, project.samples(a="1"))
    project.process(crop)
    project.store.write(video, project.samples(a="2"))
    assert project.store.lineage(crop, "a").exact
    project.store.compact(video)
    assert not project.store.lineage(crop, "a").exact
    assert project.store.explain(crop, "a").status == "stale"
