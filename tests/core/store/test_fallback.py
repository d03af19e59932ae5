"""A development store shows production's records below its own, and only ever writes its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import WrongColumnType
from metaxy_core.store.layers import SHIFT

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


def four_videos(project: Project, store: mx.MetadataStore, at) -> FeatureClass:
    video = project.feature("video", columns={"path": str})
    samples = project.samples(a="1", b="1", c="1", d="1")
    at(store).process(video, samples, path="prod")
    return video


# ------------------------------------------------------------------ records


def test_a_deleted_record_stays_hidden_when_production_writes_it_again(project, place, prod, at):
    video = project.feature("video")
    at(prod).process(video, project.samples(a="1", b="1"))
    dev = place.over(prod)
    dev.delete(video, filters="id = 'b'")
    at(prod).process(video, project.samples(a="1", b="2"))
    assert at(dev).ids(video) == ["a"]
    assert at(dev).process(video, project.samples(a="1", b="2")).new == 1
    assert at(dev).ids(video) == ["a", "b"]


def test_a_record_that_production_deleted_is_gone_unless_it_was_written_here(
    project, place, prod, at
):
    video = project.feature("video")
    at(prod).process(video, project.samples(a="1", b="1"))
    dev = place.over(prod)
    at(dev).process(video, project.samples(a="1", b="2"))
    prod.delete(video, filters="true")
    assert at(dev).ids(video) == ["b"]


def test_production_rewriting_its_own_record_shows_its_newest_row(project, place, prod, at):
    video = project.feature("video", columns={"path": str})
    for version in ("1", "2", "3"):
        at(prod).process(video, project.samples(a=version), path=version)
    dev = place.over(prod)
    at(dev).process(video, project.samples(a="3", z="1"), path="dev")
    assert dict(dev.read(video).to_polars().select("id", "path").iter_rows()) == {
        "a": "3", "z": "dev",
    }  # fmt: skip


def test_history_has_productions_rows_before_ones_own_under_negative_commits(
    project, place, prod, at
):
    video = project.feature("video")
    first = at(prod).process(video, project.samples(a="1"))
    prod_row = prod.read(video).to_polars().row(0, named=True)
    dev = place.over(prod)
    increment = dev.resolve_update(video, project.samples(a="2"))
    dev.write(video, increment.stale, materialization_id="branch")

    rows = dev.read(video, history=True).to_polars().sort("metaxy_commit")
    assert first.new == 1
    assert rows["metaxy_commit"].to_list() == [1 - SHIFT, 1]
    assert rows["metaxy_materialization_id"].to_list() == [None, "branch"]
    assert rows["metaxy_created_at"][0] == prod_row["metaxy_created_at"]
    assert rows["metaxy_feature_version"][0] == prod_row["metaxy_feature_version"]
    assert dev.read(video).to_polars()["metaxy_commit"].to_list() == [1]


def test_the_history_of_an_unwritten_branch_is_that_of_production(project, place, prod, at):
    video = four_videos(project, prod, at)
    dev = place.over(prod)
    last = dev.history(video).last
    assert (last.id, last.rows, last.operation) == (1 - SHIFT, 4, "write")
    assert dev.delete(video, filters="id = 'a'").id == 1
    assert dev.history(video).last.id == 1


def test_a_column_that_only_one_of_the_stores_has_is_null_in_the_others_rows(
    project, place, prod, at
):
    video = four_videos(project, prod, at)
    video = project.feature("video", columns={"path": (str | None, None), "size": (int | None, 0)})
    dev = place.over(prod)
    at(dev).process(video, project.samples(a="1", b="1", c="1", d="1", e="1"), path="x", size=7)
    rows = dev.read(video).to_polars().sort("id").select("id", "path", "size").rows()
    assert rows[0] == ("a", "prod", None)
    assert rows[-1] == ("e", "x", 7)


def test_ids_of_another_type_are_refused_with_both_stores(project, place, prod, at):
    clip = project.feature("clip", ids=["n"])
    versions = {"metaxy_provenance_by_field": [{"default": "1"}]}
    prod.write(clip, pl.DataFrame({"n": [1], **versions}))
    dev = place.over(prod)
    with at(dev).refuses(WrongColumnType, "'n'", "int64"):
        dev.write(clip, pl.DataFrame({"n": ["1"], **versions}))
    alone = place.over(name="alone")
    alone.write(clip, pl.DataFrame({"n": ["1"], **versions}))
    over = place.over(alone, prod, name="over")
    with pytest.raises(WrongColumnType) as caught:
        over.read(clip).to_polars()
    assert "in the fallback" in str(caught.value)
    assert repr(prod.address) in str(caught.value)
    assert repr(alone.address) in str(caught.value)


def test_ids_of_another_width_are_one(project, place, prod):
    clip = project.feature("clip", ids=["n"])
    versions = {"metaxy_provenance_by_field": [{"default": "1"}] * 2}
    prod.write(clip, pl.DataFrame({"n": pl.Series([1, 2], dtype=pl.Int32), **versions}))
    with_wide = place.below("staging")
    with_wide.write(clip, pl.DataFrame({"n": pl.Series([2, 3], dtype=pl.Int64), **versions}))
    dev = place.over(with_wide, prod)
    assert sorted(dev.read(clip).to_polars()["n"]) == [1, 2, 3]


# ------------------------------------------------------------------ hard deletes


def test_a_hard_delete_erases_own_rows_and_hides_what_production_still_has(
    project, place, prod, at
):
    video = four_videos(project, prod, at)
    dev = place.over(prod)
    at(dev).process(video, project.samples(a="2", b="1", c="1", d="1", e="1"), path="dev")
    commit = dev.delete(video, filters="id in ('a', 'b', 'e')", hard=True)

    # a: own row and production's; b: production's; e: own row
    assert (commit.operation, commit.rows, commit.superseded) == ("hard_delete", 4, 0)
    assert at(dev).ids(video) == ["c", "d"]
    assert at(dev).ids(video, include_deleted=True) == ["a", "b", "c", "d"]
    assert at(prod).ids(video) == ["a", "b", "c", "d"]


# ------------------------------------------------------------------ chains


def test_the_nearest_store_of_a_chain_wins(project, place, prod, at):
    video = project.feature("video", columns={"path": str})
    staging = place.below("staging", fallback=prod)
    dev = place.over(staging)
    at(prod).process(video, project.samples(a="1", b="1", c="1"), path="prod")
    at(staging).process(video, project.samples(a="1", b="2", c="2"), path="staging")
    at(dev).process(video, project.samples(a="1", b="2", c="3"), path="dev")

    assert [store.address for store in dev.fallbacks] == [staging.address, prod.address]
    assert dict(dev.read(video).to_polars().select("id", "path").iter_rows()) == {
        "a": "prod", "b": "staging", "c": "dev",
    }  # fmt: skip
    commits = dev.read(video, history=True).to_polars()["metaxy_commit"].unique().sort()
    assert commits.to_list() == [1 - 2 * SHIFT, 1 - SHIFT, 1]
    assert dict(staging.read(video).to_polars().select("id", "path").iter_rows()) == {
        "a": "prod", "b": "staging", "c": "staging",
    }  # fmt: skip


def test_an_empty_store_in_the_middle_of_a_chain_is_looked_through(project, place, prod, at):
    video = four_videos(project, prod, at)
    dev = place.over(place.below("staging"), prod)
    assert dev.count(video) == 4
    assert at(dev).counts(video, project.samples(a="1", b="1", c="1", d="1")) == mx.Counts()


def test_a_store_named_twice_on_the_way_counts_once(project, place, prod, at):
    video = four_videos(project, prod, at)
    staging = place.below("staging", fallback=prod)
    dev = place.over(staging, prod)
    assert dev.fallbacks == (staging, prod)
    assert dev.read(video, history=True).to_polars().height == 4


def test_nothing_anywhere_reads_as_nothing(project, place, prod, at):
    video = project.feature("video")
    faces = project.feature("faces", deps=[video])
    dev = place.over(prod)
    assert dev.count(video) == 0
    assert dev.history(video).last is None
    assert at(dev).counts(faces) == mx.Counts()
    assert dev.delete(video, filters="true") is None
    assert at(dev).process(video, project.samples(a="1")) == mx.Counts(new=1)
    assert at(dev).ids(video) == ["a"]


# ------------------------------------------------------------------ definitions


def test_snapshots_are_the_stores_own_and_else_those_of_its_fallback(project, place, prod):
    video = project.feature("video")
    pushed = prod.push()
    dev = place.over(prod)
    assert dev.snapshots() == (pushed,)
    assert [str(each.key) for each in dev.recorded_graph()] == ["video"]
    project.feature("faces", deps=[video])
    own = dev.push()
    assert own.id == 1
    assert dev.snapshots() == (own,)
    assert sorted(str(each.key) for each in dev.recorded_graph()) == ["faces", "video"]
    assert prod.snapshots() == (pushed,)


def test_definitions_last_written_with_are_found_in_the_fallback(project, place, prod, at):
    four_videos(project, prod, at)
    recorded = place.over(prod).recorded_graph()
    assert recorded.versions == mx.FeatureGraph.active().versions
