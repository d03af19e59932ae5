"""Aggregations: one row per group, whose version says which members it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


@pytest.fixture
def player(project: Project) -> FeatureClass:
    return project.feature("player", columns={"team": str})


@pytest.fixture
def team(project: Project, player: FeatureClass) -> FeatureClass:
    dep = mx.FeatureDep(feature=player, lineage=mx.aggregation(on=["team"]))
    return project.feature("team", ids=["team"], deps=[dep])


def members(project: Project, team: str, **versions: str) -> pl.DataFrame:
    return project.samples(**versions).with_columns(team=pl.lit(team))


def test_another_member_with_the_same_version_makes_the_group_stale(
    project: Project, player: FeatureClass, team: FeatureClass
) -> None:
    project.store.write(player, members(project, "red", p1="A", p2="B"))
    project.process(team)

    project.store.delete(player, filters="id = 'p2'")
    project.store.write(player, members(project, "red", p3="B"))

    assert project.process(team) == mx.Counts(stale=1)
    assert not project.counts(team)


def test_two_members_that_trade_their_versions_make_the_group_stale(
    project: Project, player: FeatureClass, team: FeatureClass
) -> None:
    project.store.write(player, members(project, "red", p1="A", p2="B"))
    project.process(team)
    project.store.write(player, members(project, "red", p1="B", p2="A"))
    assert project.counts(team) == mx.Counts(stale=1)


def test_two_values_that_become_one_joined_value_make_the_group_stale(
    project: Project, player: FeatureClass, team: FeatureClass
) -> None:
    project.store.write(player, members(project, "red", p1="A", p2="B"))
    project.process(team)

    project.store.delete(player, filters="id = 'p2'")
    project.store.write(player, members(project, "red", p1="A|B"))

    assert project.counts(team) == mx.Counts(stale=1)


def test_an_increment_has_one_row_per_group(
    project: Project, player: FeatureClass, team: FeatureClass
) -> None:
    project.store.write(player, members(project, "red", p1="A", p2="B", p3="C"))
    project.store.write(player, members(project, "blue", p4="A"))
    increment = project.store.resolve_update(team)
    assert increment.counts == mx.Counts(new=2)
    assert project.rows(increment.new) == [{"team": "blue"}, {"team": "red"}]
    project.store.write(team, increment.new)
    project.store.write(player, members(project, "red", p1="D", p2="D", p3="D"))
    stale = project.store.resolve_update(team).stale
    assert project.rows(stale) == [{"team": "red", "metaxy_changed_fields": ["default"]}]


def test_a_changed_member_leaves_the_other_groups_alone(
    project: Project, player: FeatureClass, team: FeatureClass
) -> None:
    project.store.write(player, members(project, "red", p1="A", p2="B"))
    project.store.write(player, members(project, "blue", p3="A"))
    project.process(team)
    project.store.write(player, members(project, "red", p2="C"))
    stale = project.store.resolve_update(team).stale
    assert project.rows(stale) == [{"team": "red", "metaxy_changed_fields": ["default"]}]


def test_two_aggregations_into_one_feature_give_one_row_per_group(
    project: Project, player: FeatureClass
) -> None:
    match = project.feature("match", columns={"team": str})
    deps = [
        mx.FeatureDep(feature=dep, lineage=mx.aggregation(on=["team"])) for dep in (player, match)
    ]
    season = project.feature("season", ids=["team"], deps=deps)
    project.store.write(player, members(project, "red", p1="A", p2="B", p3="C"))
    project.store.write(match, members(project, "red", m1="A", m2="B"))

    increment = project.store.resolve_update(season)
    assert increment.counts == mx.Counts(new=1)
    assert project.rows(increment.new) == [{"team": "red"}]
    project.store.write(season, increment.new)

    for feature, member in ((player, "p2"), (match, "m2")):
        project.store.write(feature, members(project, "red", **{member: "Z"}))
        assert project.process(season) == mx.Counts(stale=1)
    assert not project.counts(season)
