"""A bump of a code version: own records are stale, records below wait, the rest is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

import metaxy_core as mx
from metaxy_core.errors import ForeignProvenance

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


class Pipeline:
    """Video (audio, frames) -> crop (audio, frames) -> faces (reads frames); video -> text."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.samples = project.samples(v1={"audio": "a", "frames": "f"})
        self.release()
        project.process(self.video, self.samples)
        for feature in self.below:
            project.process(feature)

    def release(self, **bumped: dict[str, Any]) -> None:
        """Declare every feature, some fields with another code version."""
        both = {"audio": 1, "frames": 1}
        self.video = self.project.feature("video", fields=both | bumped.get("video", {}))
        self.crop = self.project.feature(
            "crop", deps=[self.video], fields=both | bumped.get("crop", {})
        )
        self.faces = self._reader("faces", self.crop, "frames", **bumped)
        self.text = self._reader("text", self.video, "audio", **bumped)

    @property
    def below(self) -> list[FeatureClass]:
        return [self.crop, self.faces, self.text]

    def counts(self) -> dict[str, mx.Counts]:
        found = {
            str(feature.spec.key): self.project.counts(
                feature, self.samples if feature is self.video else None
            )
            for feature in [self.video, *self.below]
        }
        return {key: counts for key, counts in found.items() if counts}

    def _reader(
        self, key: str, upstream: FeatureClass, field: str, **bumped: dict[str, Any]
    ) -> FeatureClass:
        reads = mx.FieldDep(feature=upstream, fields=[field])
        code = bumped.get(key, {}).get("out", 1)
        out = mx.FieldSpec(key="out", code_version=code, deps=[reads])
        return self.project.feature(key, deps=[upstream], fields=[out])


def test_the_same_code_again_changes_nothing(project: Project) -> None:
    pipeline = Pipeline(project)
    pipeline.release()
    assert pipeline.counts() == {}


def test_a_bump_of_audio_leaves_face_detection_alone_to_the_end(project: Project) -> None:
    pipeline = Pipeline(project)
    pipeline.release(video={"audio": 2})

    assert project.process(pipeline.video, pipeline.samples) == mx.Counts(stale=1)
    assert pipeline.counts() == {"crop": mx.Counts(stale=1), "text": mx.Counts(stale=1)}
    crop = project.store.resolve_update(pipeline.crop).stale
    assert project.rows(crop) == [{"id": "v1", "metaxy_changed_fields": ["audio"]}]
    project.process(pipeline.crop)
    project.process(pipeline.text)

    assert pipeline.counts() == {}


def test_a_bump_at_the_end_of_the_graph_concerns_nobody_else(project: Project) -> None:
    pipeline = Pipeline(project)
    pipeline.release(faces={"out": 2})
    assert pipeline.counts() == {"faces": mx.Counts(stale=1)}


def test_a_bump_two_levels_up_waits_behind_the_level_between(project: Project) -> None:
    pipeline = Pipeline(project)
    pipeline.release(video={"frames": 2})
    assert pipeline.counts() == {"video": mx.Counts(stale=1), "crop": mx.Counts(blocked=1)}
    project.process(pipeline.video, pipeline.samples)
    assert pipeline.counts() == {"crop": mx.Counts(stale=1)}
    project.process(pipeline.crop)
    assert pipeline.counts() == {"faces": mx.Counts(stale=1)}


def test_a_new_record_over_outdated_upstream_is_blocked_too(project: Project) -> None:
    video = project.feature("video", fields={"audio": 1})
    text = project.feature("text", deps=[video])
    project.store.write(video, project.samples(v1={"audio": "a"}))

    project.feature("video", fields={"audio": 2})

    assert project.counts(text) == mx.Counts(blocked=1)


def test_a_blocked_record_is_not_an_orphan_but_a_deleted_one_is(project: Project) -> None:
    video = project.feature("video", fields={"audio": 1})
    text = project.feature("text", deps=[video])
    samples = project.samples(v1={"audio": "a"}, v2={"audio": "a"})
    project.store.write(video, samples)
    project.process(text)

    project.feature("video", fields={"audio": 2})
    project.store.delete(video, filters="id = 'v2'")

    assert project.counts(text) == mx.Counts(orphaned=1, blocked=1)


def test_records_become_ready_one_by_one(project: Project) -> None:
    video = project.feature("video", fields={"audio": 1})
    text = project.feature("text", deps=[video])
    samples = project.samples(v1={"audio": "a"}, v2={"audio": "a"}, v3={"audio": "a"})
    project.store.write(video, samples)
    project.process(text)
    video = project.feature("video", fields={"audio": 2})

    stale = project.store.resolve_update(video, samples).stale
    project.store.write(video, stale.filter(stale["id"] == "v2"))

    increment = project.store.resolve_update(text)
    assert increment.counts == mx.Counts(stale=1, blocked=2)
    assert project.rows(increment.stale) == [{"id": "v2", "metaxy_changed_fields": ["default"]}]


def test_a_bump_taken_back_unblocks_without_work(project: Project) -> None:
    pipeline = Pipeline(project)
    pipeline.release(video={"audio": 2})
    assert pipeline.counts()["crop"] == mx.Counts(blocked=1)
    pipeline.release()
    assert pipeline.counts() == {}


def test_a_bump_there_and_back_with_work_between_ends_where_it_began(project: Project) -> None:
    pipeline = Pipeline(project)
    first = project.store.read(pipeline.crop, columns=["metaxy_provenance"]).to_polars()
    for code in (2, 1):
        pipeline.release(video={"audio": code})
        project.process(pipeline.video, pipeline.samples)
        project.process(pipeline.crop)
        project.process(pipeline.text)
    assert pipeline.counts() == {}
    assert (
        project.store.read(pipeline.crop, columns=["metaxy_provenance"]).to_polars().equals(first)
    )


def test_a_description_changes_no_version(project: Project) -> None:
    def release(description: str) -> FeatureClass:
        field = mx.FieldSpec(key="default", description=description)
        return project.feature("video", fields=[field])

    video = release("as it was")
    project.store.write(video, project.samples(v1="a"))
    before = mx.FeatureGraph.active().versions.project

    release("told better")

    assert mx.FeatureGraph.active().versions.project == before
    assert not project.counts(video, project.samples(v1="a"))


# ------------------------------------------------------------------ bumps while work is under way


def test_work_of_former_code_is_not_taken_for_work_of_the_new(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", fields={"box": "1"}, deps=[video])
    project.store.write(video, project.samples(v1="a", v2="a"))
    under_way = project.store.resolve_update(crop).new
    project.store.write(crop, under_way.filter(id="v1"))
    crop = project.feature("crop", fields={"box": "2"}, deps=[video])
    with project.refuses(ForeignProvenance, "'crop'", '{"box": "2"}', "Resolve 'crop' again"):
        project.store.write(crop, under_way.filter(id="v2"))
    assert project.counts(crop) == mx.Counts(new=1, stale=1)


def test_work_under_way_outlives_a_change_of_other_code(project: Project) -> None:
    video = project.feature("video", fields={"audio": "1", "frames": "1"})
    project.store.write(
        video, project.samples(v1={"audio": "a", "frames": "f"}, v2={"audio": "a", "frames": "f"})
    )
    reads = mx.FieldSpec(key="box", deps=[mx.FieldDep(feature=video, fields=["frames"])])
    crop = project.feature("crop", fields=[reads], deps=[video])
    under_way = project.store.resolve_update(crop).new
    project.store.write(crop, under_way.filter(id="v1"))
    video = project.feature(
        "video", fields={"audio": "1", "frames": "1"}, columns={"n": int | None}
    )
    crop = project.feature(
        "crop", fields=[reads], deps=[mx.FeatureDep(feature=video, filter="n IS NULL")]
    )
    project.store.write(crop, under_way.filter(id="v2"))
    assert project.counts(crop) == mx.Counts()


def test_what_was_read_from_the_store_may_be_written_back(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, project.samples(v1="a").with_columns(path=pl.lit("old")))
    frame = project.store.read(video).to_polars().with_columns(path=pl.lit("new"))
    project.store.write(video, frame)
    assert project.records(video) == [{"id": "v1", "path": "new"}]
