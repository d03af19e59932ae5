"""Carrying records over to refactored code, through every lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project


@pytest.fixture
def scenes(project: Project) -> mx.FeatureDep:
    """Scenes of two videos, three of the first and none of the second."""
    video = project.feature("video")
    project.store.write(video, project.samples(a="1", b="1"))
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    scene = project.feature("scene", ids=["scene"], deps=[dep])
    work = project.store.resolve_update(scene).new
    children = work.filter(id="a").join(pl.DataFrame({"scene": ["1", "2", "3"]}), how="cross")
    project.store.write(scene, children, processed=work)
    return dep


def test_rebase_of_an_expansion_keeps_its_children_and_its_childless_parents(
    project: Project, scenes: mx.FeatureDep
) -> None:
    scene = project.feature("scene", fields={"default": "2"}, ids=["scene"], deps=[scenes])
    assert project.counts(scene) == mx.Counts(stale=2)
    assert project.store.rebase(scene).records == 2
    assert project.counts(scene) == mx.Counts()
    assert sorted(project.store.read(scene).to_polars()["scene"]) == ["1", "2", "3"]


def test_rebase_of_an_aggregation_carries_one_row_per_group_over(
    project: Project, scenes: mx.FeatureDep
) -> None:
    dep = mx.FeatureDep(feature="scene", lineage=mx.aggregation())
    film = project.feature("film", deps=[dep])
    project.process(film)
    film = project.feature("film", fields={"default": "2"}, deps=[dep])
    assert project.counts(film) == mx.Counts(stale=1)
    assert project.store.rebase(film).records == 1
    assert project.counts(film) == mx.Counts()
    assert project.store.read(film).to_polars()["id"].to_list() == ["a"]


def test_rebased_members_are_no_change_to_their_group(
    project: Project, scenes: mx.FeatureDep
) -> None:
    film = project.feature("film", deps=[mx.FeatureDep(feature="scene", lineage=mx.aggregation())])
    project.process(film)
    scene = project.feature("scene", fields={"default": "2"}, ids=["scene"], deps=[scenes])
    project.store.rebase(scene)
    assert project.counts(film) == mx.Counts()
