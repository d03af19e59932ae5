"""A bump of a code version: own records are stale, records below wait, the rest is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


class Pipeline:
    """Video (audio, frames) -> crop (audio, frames) -> faces, which reads frames; all processed."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.samples = project.samples(v1={"audio": "a", "frames": "f"})
        self.release()
        project.process(self.video, self.samples)
        project.process(self.crop)
        project.process(self.faces)

    def release(self, *, video_audio: int = 1, crop_frames: int = 1) -> None:
        """Declare every feature, some fields with another code version."""
        self.video = self.project.feature("video", fields={"audio": video_audio, "frames": 1})
        self.crop = self.project.feature(
            "crop", deps=[self.video], fields={"audio": 1, "frames": crop_frames}
        )
        self.faces = self.project.feature("faces", deps=[self.crop], fields=["frames"])

    def counts(self) -> list[mx.Counts]:
        """Of video, crop and faces."""
        of_video = self.project.counts(self.video, self.samples)
        return [of_video, self.project.counts(self.crop), self.project.counts(self.faces)]


@pytest.fixture
def pipeline(project: Project) -> Pipeline:
    return Pipeline(project)


def test_a_bump_of_the_root_makes_it_stale_and_blocks_what_reads_it(pipeline: Pipeline) -> None:
    pipeline.release(video_audio=2)
    assert pipeline.counts() == [mx.Counts(stale=1), mx.Counts(blocked=1), mx.Counts()]
    stale = pipeline.project.store.resolve_update(pipeline.video, pipeline.samples).stale
    assert pipeline.project.rows(stale) == [{"id": "v1", "metaxy_changed_fields": ["audio"]}]


def test_a_bumped_root_stays_visible(pipeline: Pipeline) -> None:
    before = pipeline.project.store.read(pipeline.video).to_polars()
    pipeline.release(video_audio=2)
    assert pipeline.project.store.read(pipeline.video).to_polars().equals(before)


def test_what_was_blocked_is_stale_once_the_root_is_recomputed(pipeline: Pipeline) -> None:
    pipeline.release(video_audio=2)
    pipeline.project.process(pipeline.video, pipeline.samples)
    assert pipeline.counts() == [mx.Counts(), mx.Counts(stale=1), mx.Counts()]


def test_a_bump_of_an_own_field_makes_every_record_stale_and_none_new(pipeline: Pipeline) -> None:
    pipeline.release(crop_frames=2)
    assert pipeline.counts() == [mx.Counts(), mx.Counts(stale=1), mx.Counts(blocked=1)]
    stale = pipeline.project.store.resolve_update(pipeline.crop).stale
    assert pipeline.project.rows(stale) == [{"id": "v1", "metaxy_changed_fields": ["frames"]}]
