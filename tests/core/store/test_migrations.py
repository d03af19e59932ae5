"""A migration carries the whole store over to refactored code, one feature and commit at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core import errors

if TYPE_CHECKING:
    from tests.conftest import Project

DONE = mx.Counts()
RENAMED = {"video": {"audio": "sound"}}


class Studio:
    """Releases of video -> text -> summary; each is a graph of its own."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.store = project.store
        self.release()
        self.samples = pl.DataFrame({"id": ["a", "b"], "etag": ["1", "1"]})
        self.process()

    def release(self, *, field: str = "sound", text: int = 1, **root: Any) -> mx.FeatureGraph:
        """A state of the code: the name of the field that the text reads, and code versions."""
        self.graph = mx.FeatureGraph()
        with self.graph.use():
            spec = mx.FieldSpec(key=field, **{"version_from": ["etag"], **root})
            columns = {"etag": str}
            self.video = self.project.feature("video", fields=[spec], columns=columns)
            reads = mx.FieldDep(feature=self.video, fields=[field])
            self.text = self.project.feature(
                "text",
                deps=[mx.FeatureDep(feature=self.video, columns=[])],
                fields=[mx.FieldSpec(key="words", code_version=text, deps=[reads])],
            )
            self.summary = self.project.feature("summary", deps=[self.text])
        return self.graph

    def process(self, **options: Any) -> None:
        self.project.process(self.video, self.samples)
        self.project.process(self.text, **options)
        self.project.process(self.summary, **options)

    def todo(self) -> list[mx.Counts]:
        counts = [self.project.counts(self.text), self.project.counts(self.summary)]
        return [self.project.counts(self.video, self.samples), *counts]

    def state(self) -> Any:
        with self.graph.use():
            return self.project.state()


@pytest.fixture
def studio(project: Project) -> Studio:
    """Two videos, their texts and summaries, all up to date."""
    return Studio(project)


def tally(migration: mx.Migration) -> dict[str, tuple[int, int, int]]:
    return {str(r.feature): (r.records, r.left, r.already) for r in migration.rebases}


def commits(migration: mx.Migration) -> dict[str, int]:
    return {str(r.feature): r.commit.id for r in migration.rebases if r.commit is not None}


def test_the_same_code_needs_no_migration(studio: Studio) -> None:
    plan = studio.store.plan_migration(studio.graph)
    assert (plan.rebases, plan.refused, bool(plan)) == ((), {}, False)


def test_a_store_without_records_needs_none(project: Project) -> None:
    project.feature("clip")
    assert not project.store.plan_migration()
    assert not project.store.migrate()
    assert project.store.migrations() == ()


@pytest.mark.slow
def test_a_renamed_field_is_carried_through_the_graph(studio: Studio) -> None:
    studio.release(field="audio")
    assert studio.todo() == [mx.Counts(stale=2), mx.Counts(blocked=2), DONE]

    done = studio.store.migrate(studio.graph, fields=RENAMED)

    assert tally(done) == {"video": (2, 0, 0), "text": (2, 0, 0), "summary": (0, 0, 2)}
    assert commits(done) == {"video": 4, "text": 5}
    assert studio.todo() == [DONE, DONE, DONE]


def test_the_plan_counts_what_will_be_done_and_does_nothing(studio: Studio) -> None:
    studio.release(field="audio")
    before = studio.state()

    plan = studio.store.plan_migration(studio.graph, fields=RENAMED)

    assert [str(r.feature) for r in plan.to_do] == ["video", "text"]
    assert commits(plan) == {}
    assert studio.state() == before
    assert tally(plan) == tally(studio.store.migrate(studio.graph, fields=RENAMED))


@pytest.mark.slow
def test_what_was_stale_is_left_and_so_is_what_reads_it(studio: Studio) -> None:
    studio.samples = pl.DataFrame({"id": ["a", "b"], "etag": ["1", "2"]})
    studio.project.process(studio.video, studio.samples)
    graph = studio.release(field="audio", text=2)
    with graph.use():
        words = mx.FieldSpec(key="transcript", code_version=2)
        studio.text = studio.project.feature("text", deps=[studio.video], fields=[words])
    fields = RENAMED | {"text": {"transcript": "words"}}

    plan = studio.store.plan_migration(graph, fields=fields)

    assert tally(plan) == {"video": (2, 0, 0), "text": (1, 1, 0), "summary": (1, 1, 0)}
    assert tally(studio.store.migrate(graph, fields=fields)) == tally(plan)
    assert studio.todo() == [DONE, mx.Counts(stale=1), mx.Counts(blocked=1)]
    studio.project.process(studio.text)
    assert studio.todo() == [DONE, DONE, mx.Counts(stale=1)]


def test_each_feature_is_named_before_its_commit(studio: Studio) -> None:
    begun: list[str] = []
    studio.release(field="audio")
    studio.store.migrate(studio.graph, fields=RENAMED, begin=lambda key: begun.append(str(key)))
    assert begun == ["video", "text"]


def test_a_crash_between_features_leaves_the_rest_for_later(studio: Studio) -> None:
    studio.release(field="audio")

    def crash(feature: mx.FeatureKey) -> None:
        if str(feature) == "text":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        studio.store.migrate(studio.graph, fields=RENAMED, begin=crash)
    assert studio.todo() == [DONE, mx.Counts(stale=2), DONE]

    rest = studio.store.migrate(studio.graph, fields=RENAMED)

    assert tally(rest) == {"text": (2, 0, 0), "summary": (0, 0, 2)}
    assert studio.todo() == [DONE, DONE, DONE]
    first, second = studio.store.migrations()
    assert first.migration == second.migration == studio.graph.versions.project


def test_a_second_migration_does_nothing(studio: Studio) -> None:
    studio.release(field="audio")
    studio.store.migrate(studio.graph, fields=RENAMED)
    before = studio.state()

    again = studio.store.migrate(studio.graph, fields=RENAMED)

    assert (commits(again), bool(again)) == ({}, False)
    assert studio.state() == before


def test_every_rebase_is_recorded(studio: Studio) -> None:
    former = studio.graph.versions[studio.video.spec.key].feature
    studio.release(field="audio")
    done = studio.store.migrate(studio.graph, fields=RENAMED, materialization_id="deploy-7")

    video, text = studio.store.migrations()

    assert (str(video.feature), str(text.feature)) == ("video", "text")
    assert video.from_version == former
    assert video.to_version == studio.graph.versions[studio.video.spec.key].feature
    assert {str(new): str(old) for new, old in video.fields.items()} == {"audio": "sound"}
    assert text.fields == {}
    assert (video.records, video.left) == (2, 0)
    last = studio.store.history(studio.video).last
    assert (video.commit, last.materialization_id) == (last.id, "deploy-7")
    assert done.version == video.migration


@pytest.mark.slow
def test_releases_are_migrated_one_after_the_other(studio: Studio) -> None:
    for former, field in [("sound", "audio"), ("audio", "track"), ("track", "sound")]:
        studio.release(field=field)
        studio.store.migrate(studio.graph, fields={"video": {field: former}})
        assert studio.todo() == [DONE, DONE, DONE]
    studio.samples = pl.DataFrame({"id": ["a", "b"], "etag": ["1", "2"]})
    assert studio.todo() == [mx.Counts(stale=1), DONE, DONE]


def test_a_release_that_was_skipped_does_not_matter(studio: Studio) -> None:
    studio.release(field="audio")
    studio.store.migrate(studio.graph, features=[studio.video], fields=RENAMED)
    studio.release(field="track")
    fields = {"video": {"track": "audio"}}

    done = studio.store.migrate(studio.graph, fields=fields)

    assert tally(done)["text"] == (2, 0, 0)
    assert studio.todo() == [DONE, DONE, DONE]


def test_chosen_features_only(studio: Studio) -> None:
    studio.release(field="audio")
    done = studio.store.migrate(studio.graph, features=["video"], fields=RENAMED)
    assert commits(done) == {"video": 4}
    assert studio.todo() == [DONE, mx.Counts(stale=2), DONE]


def test_a_feature_without_its_upstream_is_left(studio: Studio) -> None:
    studio.release(field="audio")
    plan = studio.store.plan_migration(studio.graph, features=["text"], fields=RENAMED)
    assert (tally(plan), bool(plan)) == ({"text": (0, 2, 0)}, False)


def test_a_field_of_unknown_origin_stops_the_migration(studio: Studio) -> None:
    studio.release(field="audio", text=2)
    before = studio.state()

    plan = studio.store.plan_migration(studio.graph)

    assert list(map(str, plan.refused)) == ["video"]
    assert bool(plan)
    with pytest.raises(errors.MigrationRefused, match="fields={'audio': 'sound'}"):
        studio.store.migrate(studio.graph)
    assert studio.state() == before


def test_a_root_that_needs_samples_gets_them(studio: Studio) -> None:
    given = {"version_from": (), "code_version": 2}
    studio.release(field="sound", **given)
    plan = studio.store.plan_migration(studio.graph)
    assert "store.migrate(samples={'video': frame})" in plan.refused[studio.video.spec.key]

    etags = [{"sound": "1"}, {"sound": "1"}]
    samples = studio.samples.with_columns(metaxy_provenance_by_field=pl.Series(etags))
    done = studio.store.migrate(studio.graph, samples={studio.video: samples})

    studio.samples = samples
    assert tally(done)["video"] == (2, 0, 0)
    assert studio.todo() == [DONE, DONE, DONE]


def test_expansions_and_aggregations_are_carried_along(project: Project) -> None:
    def release(field: str) -> tuple[mx.FeatureGraph, list[type[mx.Feature]]]:
        graph = mx.FeatureGraph()
        with graph.use():
            spec = mx.FieldSpec(key=field, version_from=["etag"])
            clip = project.feature("clip", fields=[spec], columns={"etag": str})
            dep = mx.FeatureDep(feature=clip, columns=[], lineage=mx.expansion())
            scene = project.feature("scene", ids=["id", "n"], deps=[dep], fields=[field])
            dep = mx.FeatureDep(feature=scene, lineage=mx.aggregation(on=["id"]))
            total = project.feature("total", deps=[dep], fields=[field])
        return graph, [clip, scene, total]

    _, (clip, scene, total) = release("media")
    project.process(clip, pl.DataFrame({"id": ["a", "b"], "etag": ["1", "1"]}))
    parents = project.store.resolve_update(scene).new
    numbers = pl.DataFrame({"id": ["a", "a"], "n": [1, 2]})
    project.store.write(scene, parents.join(numbers, on="id"), processed=parents)
    project.process(total)

    graph, (clip, scene, total) = release("frames")
    fields = {each: {"frames": "media"} for each in (clip, scene, total)}
    plan = project.store.plan_migration(graph, fields=fields)
    done = project.store.migrate(graph, fields=fields)

    assert tally(done) == {"clip": (2, 0, 0), "scene": (2, 0, 0), "total": (1, 0, 0)}
    assert tally(plan) == tally(done)
    assert [project.counts(scene), project.counts(total)] == [DONE, DONE]


def test_a_text_is_no_list_of_features(studio: Studio) -> None:
    with pytest.raises(errors.InvalidWrite, match="features is 'video'"):
        studio.store.migrate(studio.graph, features="video")


@pytest.mark.parametrize("option", ["fields", "samples"])
def test_fields_and_samples_are_given_by_feature(studio: Studio, option: str) -> None:
    with pytest.raises(errors.InvalidWrite, match=f"{option} is .'video'.; give a mapping"):
        studio.store.migrate(studio.graph, **{option: ["video"]})


@pytest.mark.parametrize("option", ["features", "fields", "samples"])
def test_an_unknown_feature_is_named(studio: Studio, option: str) -> None:
    value = ["vidio"] if option == "features" else {"vidio": {}}
    with pytest.raises(errors.UnknownFeature, match="did you mean 'video'"):
        studio.store.plan_migration(studio.graph, **{option: value})


def test_code_that_is_rolled_back_is_migrated_back(studio: Studio) -> None:
    studio.release(field="audio")
    studio.store.migrate(studio.graph, fields=RENAMED)
    studio.release(field="sound")

    done = studio.store.migrate(studio.graph, fields={"video": {"sound": "audio"}})

    assert tally(done) == {"video": (2, 0, 0), "text": (2, 0, 0)}
    assert studio.todo() == [DONE, DONE, DONE]
