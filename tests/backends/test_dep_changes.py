"""A dep that is wired otherwise: what is new and orphaned follows from the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project


def test_a_filter_added_orphans_what_fails_it_and_nothing_else(project: Project) -> None:
    video = project.feature("video", columns={"size": int})
    copy = project.feature("copy", deps=[video])
    sizes = pl.Series("size", [1, 5])
    project.store.write(video, project.samples(small="a", large="a").with_columns(sizes))
    project.process(copy)

    project.feature("copy", deps=[mx.FeatureDep(feature=video, filter="size > 1")])

    increment = project.store.resolve_update(copy)
    assert increment.counts == mx.Counts(orphaned=1)
    assert project.rows(increment.orphaned) == [{"id": "small", "size": 1}]


def test_a_filter_taken_away_makes_what_failed_it_new(project: Project) -> None:
    video = project.feature("video", columns={"size": int})
    copy = project.feature("copy", deps=[mx.FeatureDep(feature=video, filter="size > 1")])
    sizes = pl.Series("size", [1, 5])
    project.store.write(video, project.samples(small="a", large="a").with_columns(sizes))
    assert project.process(copy) == mx.Counts(new=1)

    project.feature("copy", deps=[video])

    assert project.rows(project.store.resolve_update(copy).new) == [{"id": "small", "size": 1}]


def test_a_dep_made_required_orphans_records_without_it(project: Project) -> None:
    video = project.feature("video")
    label = project.feature("label")
    optional = mx.FeatureDep(feature=label, optional=True)
    both = project.feature("both", deps=[video, optional])
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.store.write(label, project.samples(v1="l"))
    project.process(both)

    project.feature("both", deps=[video, label])

    increment = project.store.resolve_update(both)
    assert increment.counts == mx.Counts(orphaned=1)
    assert project.rows(increment.orphaned) == [{"id": "v2"}]


def test_another_lineage_makes_what_it_calls_for_new_and_the_rest_orphaned(
    project: Project,
) -> None:
    player = project.feature("player", columns={"team": str})
    roster = project.feature("roster", deps=[mx.FeatureDep(feature=player, columns=[])])
    before = mx.FeatureGraph.active().versions[roster.spec.key].feature
    project.store.write(player, project.samples(p1="a", p2="a").with_columns(team=pl.lit("red")))
    project.process(roster)

    renamed = {"id": "player", "team": "id"}
    grouped = mx.FeatureDep(feature=player, rename=renamed, lineage=mx.aggregation(on=["id"]))
    project.feature("roster", deps=[grouped])

    assert mx.FeatureGraph.active().versions[roster.spec.key].feature != before
    increment = project.store.resolve_update(roster)
    assert increment.counts == mx.Counts(new=1, orphaned=2)
    assert project.rows(increment.new) == [{"id": "red"}]
    assert sorted(increment.orphaned["id"]) == ["p1", "p2"]


def test_an_id_column_more_is_a_new_feature_version_and_tells_records_apart(
    project: Project,
) -> None:
    clip = project.feature("clip", columns={"number": int})
    before = mx.FeatureGraph.active().versions[clip.spec.key].feature
    project.store.write(clip, project.samples(v1="a").with_columns(number=pl.lit(1)))

    project.feature("clip", ids=["id", "number"])

    assert mx.FeatureGraph.active().versions[clip.spec.key].feature != before
    first, second = (project.samples(v1="a").with_columns(number=pl.lit(n)) for n in (1, 2))
    increment = project.store.resolve_update(clip, pl.concat([first, second]))
    assert increment.counts == mx.Counts(new=1)
    assert project.rows(increment.new) == [{"id": "v1", "number": 2}]
