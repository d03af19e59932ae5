"""What a branch can ask and do over production: everything, and only its own is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


@pytest.fixture
def branch(project: Project, place, prod, at) -> tuple[mx.MetadataStore, Any]:
    """A branch over production, where three videos and their crops are processed."""
    video = project.feature("video")
    crop = project.feature("crop", deps=[video], columns={"score": float})
    at(prod).process(video, project.samples(a="1", b="1", c="1"))
    at(prod).process(crop, score=0.5)
    return place.over(prod), prod.read(crop, history=True).to_polars().sort("id").to_dicts()


def bumped(project: Project) -> FeatureClass:
    return project.feature(
        "crop", fields={"default": "2"}, deps=["video"], columns={"score": float}
    )


def unchanged(prod: mx.MetadataStore, before: Any) -> bool:
    return prod.read("crop", history=True).to_polars().sort("id").to_dicts() == before


def test_progress_and_plan_count_productions_records(project: Project, branch, prod) -> None:
    dev, _ = branch
    assert dev.progress("crop").share == 1.0
    assert dev.plan()["crop"].recompute == 0
    bumped(project)
    assert (dev.progress("crop").stale, dev.plan()["crop"].recompute) == (3, 3)


def test_a_rebase_restamps_productions_records_in_the_branch(
    project: Project, branch, prod, at
) -> None:
    dev, before = branch
    review = project.feature("review", deps=["crop"])
    at(dev).process(review)
    bumped(project)
    rebase = dev.rebase("crop")
    assert (rebase.records, rebase.commit.rows) == (3, 3)
    assert dev.resolve_update("crop").counts == mx.Counts()
    assert dev.resolve_update("review").counts == mx.Counts()
    assert unchanged(prod, before)


def test_a_record_of_production_is_explained(project: Project, branch, prod) -> None:
    dev, _ = branch
    assert dev.explain("crop", "a").status == "up to date"
    assert dev.lineage("crop", "a").exact
    samples = project.samples(a="2", b="1", c="1")
    dev.write("video", dev.resolve_update("video", samples).stale)
    explained = dev.explain("crop", "a")
    assert explained.status == "stale"
    assert explained.fields[0].reads[0].now_origin.commit == 1
    assert dev.lineage("crop", "a").exact


def test_failures_are_the_branchs_own(branch, project: Project, prod) -> None:
    dev, _ = branch
    bumped(project)
    dev.record_failure("crop", ["a"], "broken")
    assert dev.resolve_update("crop", max_attempts=1).counts.stale == 2
    assert dev.failures("crop").to_polars()["id"].to_list() == ["a"]
    assert prod.failures("crop").to_polars().height == 0


def test_an_output_is_compared_with_productions(project: Project, branch, prod) -> None:
    dev, before = branch
    review = project.feature("review", deps=["crop"])
    dev.write(review, dev.resolve_update(review).new)
    bumped(project)
    stale = dev.resolve_update("crop").stale.sort("id")
    scores = stale.with_columns(score=pl.Series([0.5, 0.9, 0.5]))
    dev.write("crop", scores, same=mx.Same(columns=["score"]))
    assert dev.resolve_update(review).stale["id"].to_list() == ["b"]
    assert unchanged(prod, before)


def test_the_branch_compacts_its_own_history_only(project: Project, branch, prod) -> None:
    dev, before = branch
    for version in "234":
        samples = project.samples(a=version, b="1", c="1")
        dev.write("video", dev.resolve_update("video", samples).stale)
    commit = dev.compact("video")
    assert commit is not None
    assert commit.rows == 2
    assert dev.read("video", history=True).to_polars().height == 4
    assert dev.resolve_update("crop").stale["id"].to_list() == ["a"]
    assert dev.compact("crop") is None
    assert unchanged(prod, before)


def test_the_past_of_a_branch_begins_with_production(project: Project, branch, prod) -> None:
    dev, _ = branch
    samples = project.samples(a="2", b="1", c="1")
    dev.write("video", dev.resolve_update("video", samples).stale)
    versions = [
        dev.read("video", as_of=at, filters="id = 'a'").to_polars()["metaxy_provenance"].item()
        for at in (0, 1)
    ]
    assert versions[0] == prod.read("video", filters="id = 'a'").to_polars()["metaxy_provenance"][0]
    assert versions[0] != versions[1]


def test_commits_are_listed_with_productions_before(project: Project, branch, prod) -> None:
    dev, _ = branch
    samples = project.samples(a="2", b="1", c="1")
    dev.write("video", dev.resolve_update("video", samples).stale)
    commits = dev.commits("video")
    assert [(each.rows, each.superseded) for each in commits] == [(1, 0), (3, 0)]
    assert commits[0].id == 1
    assert commits[1].id < 0


def test_a_branch_over_copied_records_tells_its_orphans(project: Project) -> None:
    """Frames of Arrow take part in these joins, which not every way of joining can read."""
    video = project.feature("video")
    with (
        mx.DuckDBMetadataStore(":memory:") as production,
        mx.DuckDBMetadataStore(":memory:", fallback=production) as branch,
    ):
        production.write(video, project.samples(a="1", b="1", c="1"))
        samples = project.samples(a="2", d="1")
        for frame in branch.resolve_update(video, samples).batches():
            branch.write(video, frame)
        orphaned = branch.resolve_update(video, samples).orphaned
    assert sorted(orphaned["id"]) == ["b", "c"]
