"""Expansions: the increment is of parents, and a write replaces a parent's whole set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import DuplicateIds

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


@pytest.fixture
def video(project: Project) -> FeatureClass:
    return project.feature("video")


@pytest.fixture
def scene(project: Project, video: FeatureClass) -> FeatureClass:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    return project.feature("scene", ids=["id", "number"], deps=[dep])


def children(parents: pl.DataFrame, **numbers: int) -> pl.DataFrame:
    """Rows of as many children as each parent has."""
    found = [(parent, number) for parent, count in numbers.items() for number in range(count)]
    frame = pl.DataFrame(found, {"id": pl.String, "number": pl.Int64}, orient="row")
    return frame.join(parents, on="id")


def expand(project: Project, scene: FeatureClass, **numbers: int) -> mx.Counts:
    """Do the work of an increment; parents that are not named have no child."""
    increment = project.store.resolve_update(scene)
    parents = pl.concat(increment.batches())
    project.store.write(scene, children(parents, **numbers), processed=parents)
    return increment.counts


def scenes(project: Project, scene: FeatureClass) -> list[tuple[str, int]]:
    return [(row["id"], row["number"]) for row in project.records(scene)]


def test_a_parent_is_stale_until_its_whole_set_has_been_written_in_one_commit(
    project: Project, video: FeatureClass, scene: FeatureClass
) -> None:
    project.store.write(video, project.samples(v1="a"))
    expand(project, scene, v1=3)
    project.store.write(video, project.samples(v1="b"))
    stale = project.store.resolve_update(scene).stale

    interrupted = pl.concat([children(stale, v1=2), children(stale, v1=1)])
    with project.refuses(DuplicateIds, "'scene'", "('v1', 0)"):
        project.store.write(scene, interrupted)

    assert [project.counts(scene) for _ in range(3)] == [mx.Counts(stale=1)] * 3
    assert scenes(project, scene) == [("v1", 0), ("v1", 1), ("v1", 2)]
    commit = project.store.write(scene, children(stale, v1=3))
    assert not project.counts(scene)
    frame = project.store.read(scene, columns=["metaxy_commit"]).to_polars()
    assert commit is not None
    assert frame["metaxy_commit"].to_list() == [commit.id] * 3


def test_a_parent_re_expanded_to_fewer_children_takes_the_others_from_downstream_too(
    project: Project, video: FeatureClass, scene: FeatureClass
) -> None:
    caption = project.feature("caption", ids=["id", "number"], deps=[scene])
    project.store.write(video, project.samples(v1="a", v2="a"))
    expand(project, scene, v1=3, v2=1)
    project.process(caption)
    project.store.write(video, project.samples(v1="b"))

    assert expand(project, scene, v1=1) == mx.Counts(stale=1)

    assert scenes(project, scene) == [("v1", 0), ("v2", 0)]
    increment = project.store.resolve_update(caption)
    assert increment.counts == mx.Counts(stale=1, orphaned=2)
    assert sorted(increment.orphaned.select("id", "number").rows()) == [("v1", 1), ("v1", 2)]


def test_the_former_children_stay_in_the_history(
    project: Project, video: FeatureClass, scene: FeatureClass
) -> None:
    project.store.write(video, project.samples(v1="a"))
    expand(project, scene, v1=2)
    project.store.write(video, project.samples(v1="b"))
    expand(project, scene, v1=1)
    history = project.store.read(scene, history=True, include_deleted=True).to_polars()
    told = history.select("number", "metaxy_commit", pl.col("metaxy_deleted_at").is_not_null())
    assert sorted(told.rows()) == [(0, 2, False), (0, 4, False), (1, 2, False), (1, 4, True)]


def test_a_parent_that_yields_no_child_is_remembered_as_processed(
    project: Project, video: FeatureClass, scene: FeatureClass
) -> None:
    project.store.write(video, project.samples(v1="a", v2="a"))
    assert expand(project, scene, v1=1) == mx.Counts(new=2)
    assert not project.counts(scene)

    project.store.write(video, project.samples(v2="b"))

    assert expand(project, scene) == mx.Counts(stale=1)
    assert not project.counts(scene)
    assert scenes(project, scene) == [("v1", 0)]


def test_every_child_of_a_deleted_parent_is_an_orphan(
    project: Project, video: FeatureClass, scene: FeatureClass
) -> None:
    project.store.write(video, project.samples(v1="a", v2="a"))
    expand(project, scene, v1=3, v2=2)

    project.store.delete(video, filters="id = 'v1'")

    increment = project.store.resolve_update(scene)
    assert increment.counts == mx.Counts(orphaned=3)
    orphaned = increment.orphaned.select("id", "number")
    assert sorted(orphaned.rows()) == [("v1", 0), ("v1", 1), ("v1", 2)]
    project.store.delete(scene, increment.orphaned)
    assert scenes(project, scene) == [("v2", 0), ("v2", 1)]
    assert not project.counts(scene)


def test_removing_three_of_five_parents_orphans_exactly_their_children(
    project: Project, video: FeatureClass, scene: FeatureClass
) -> None:
    numbers = {f"v{n}": n for n in range(1, 6)}
    project.store.write(video, project.samples(**dict.fromkeys(numbers, "a")))
    expand(project, scene, **numbers)

    project.store.delete(video, filters="id IN ('v1', 'v3', 'v5')")

    orphaned = project.store.resolve_update(scene).orphaned
    assert sorted(orphaned["id"]) == ["v1"] + ["v3"] * 3 + ["v5"] * 5


def test_a_parent_without_a_child_is_still_known_when_it_goes_and_comes_back(
    project: Project, video: FeatureClass, scene: FeatureClass
) -> None:
    project.store.write(video, project.samples(v1="a"))
    expand(project, scene, v1=0)
    project.store.delete(video, filters="id = 'v1'")
    assert not project.counts(scene)
    project.store.write(video, project.samples(v1="a"))
    assert not project.counts(scene)


def test_a_child_of_another_parent_is_refused(project: Project) -> None:
    video = project.feature("video")
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    scene = project.feature("scene", ids=["scene"], deps=[dep])
    project.store.write(video, project.samples(a="1", b="1"))
    work = project.store.resolve_update(scene).new
    for_a, for_b = (work.filter(id=id_).with_columns(scene=pl.lit("s1")) for id_ in "ab")
    project.store.write(scene, for_a, processed=work.filter(id="a"))
    with project.refuses(DuplicateIds, "'scene'", "('s1', 'a')", "nothing was written"):
        project.store.write(scene, for_b, processed=work.filter(id="b"))
    project.store.write(scene, for_b, processed=work)
    assert project.records(scene) == [{"id": "b", "scene": "s1"}]
