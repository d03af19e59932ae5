"""Frames whose versions cannot be trusted are refused, with the reason, and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    ForeignProvenance,
    InvalidSamples,
    MissingColumn,
    MissingProvenance,
    NullValue,
    UnknownFeature,
)

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]
BY_FIELD = "metaxy_provenance_by_field"
HEX = "0123456789abcdef"


@pytest.fixture
def video(project: Project) -> FeatureClass:
    video = project.feature("video", fields=["audio", "frames"])
    fields = {"audio": "a", "frames": "f"}
    project.store.write(video, project.samples(v1=fields, v2={"audio": "b", "frames": "g"}))
    return video


@pytest.fixture
def crop(project: Project, video: FeatureClass) -> FeatureClass:
    """Written once already, so that there is something to be left as it is."""
    crop = project.feature("crop", deps=[video], fields=["audio", "frames"])
    new = project.store.resolve_update(crop).new
    project.store.write(crop, new.filter(pl.col("id") == "v1"))
    return crop


@pytest.fixture
def increment(project: Project, crop: FeatureClass) -> pl.DataFrame:
    return project.store.resolve_update(crop).new


def by_field(**versions: Any) -> pl.Expr:
    members = {name: pl.lit(value) for name, value in versions.items()}
    return pl.struct(**members).alias(BY_FIELD)


# --------------------------------------------------------------------------- missing


def test_a_frame_without_provenance_is_refused(
    project: Project, crop: FeatureClass, increment: pl.DataFrame
) -> None:
    bare = increment.select("id")
    with project.refuses(MissingProvenance, "'crop'", BY_FIELD, "store.resolve_update('crop')"):
        project.store.write(crop, bare)


def test_samples_do_not_replace_the_provenance_of_a_feature_with_deps(
    project: Project, crop: FeatureClass
) -> None:
    with project.refuses(ForeignProvenance, "'crop'", "16 hex digits", "'a'", "as they are"):
        project.store.write(crop, project.samples(v2={"audio": "a", "frames": "f"}))


def test_a_root_s_frame_without_versions_is_refused(project: Project, video: FeatureClass) -> None:
    with project.refuses(MissingProvenance, "'video'", BY_FIELD, "version_from"):
        project.store.write(video, pl.DataFrame({"id": ["v3"]}))


def test_samples_without_versions_are_refused(project: Project, video: FeatureClass) -> None:
    with project.refuses(MissingColumn, "'video'", BY_FIELD, "'audio'", "version_from"):
        project.store.resolve_update(video, pl.DataFrame({"id": ["v3"]}))


def test_samples_without_a_column_of_version_from_are_refused(project: Project) -> None:
    field = mx.FieldSpec(key="default", version_from=["etag"])
    clip = project.feature("clip", fields=[field])
    frame = pl.DataFrame({"id": ["c1"], "tag": ["1"]})
    with project.refuses(MissingColumn, "'clip'", "'etag'", "version_from", "id, tag"):
        project.store.resolve_update(clip, frame)
    with project.refuses(MissingColumn, "'clip'", "'etag'", "version_from", "id, tag"):
        project.store.write(clip, frame)


def test_a_root_s_frame_that_may_be_raw_or_not_is_refused(
    project: Project, video: FeatureClass
) -> None:
    frame = pl.DataFrame({"id": ["v3"]}).with_columns(by_field(audio=HEX, frames=HEX))
    with project.refuses(MissingProvenance, "'video'", "raw samples", "Keep both columns"):
        project.store.write(video, frame)


def test_samples_with_versions_that_look_like_ours_are_samples_to_an_increment(
    project: Project, video: FeatureClass
) -> None:
    samples = pl.DataFrame({"id": ["v3"]}).with_columns(by_field(audio=HEX, frames=HEX))
    new = project.store.resolve_update(video, samples).new
    assert new[BY_FIELD].struct.field("audio").item() != HEX
    project.store.write(video, new)
    assert project.store.count(video) == 3


# --------------------------------------------------------------------------- null and incomplete


def test_a_null_struct_in_the_samples_is_refused(project: Project, video: FeatureClass) -> None:
    versions = pl.Series(BY_FIELD, [{"audio": "a", "frames": "f"}, None])
    samples = pl.DataFrame({"id": ["v3", "v4"], BY_FIELD: versions})
    with project.refuses(NullValue, "'audio'", "'video'", "v4"):
        project.store.resolve_update(video, samples)


def test_samples_without_a_version_for_some_field_are_refused(
    project: Project, video: FeatureClass
) -> None:
    samples = project.samples(v3={"audio": "a", "frame": "f"})
    with project.refuses(InvalidSamples, "'video'", "['audio', 'frame']", "not field 'frames'"):
        project.store.resolve_update(video, samples)


@pytest.mark.parametrize("versions", ["a", 7, ["a", "f"]], ids=repr)
def test_samples_whose_versions_are_no_struct_are_refused(
    project: Project, video: FeatureClass, versions: Any
) -> None:
    samples = pl.DataFrame({"id": ["v3"], BY_FIELD: [versions]})
    with project.refuses(InvalidSamples, "'video'", "'audio'", "Give it as a struct"):
        project.store.resolve_update(video, samples)


def test_a_null_provenance_is_refused_with_field_and_ids(
    project: Project, crop: FeatureClass, increment: pl.DataFrame
) -> None:
    holed = increment.with_columns(
        by_field(audio=None, frames=increment[BY_FIELD].struct.field("frames").item())
    )
    with project.refuses(NullValue, "'audio'", "'crop'", "1 record(s)", "v2", "as they are"):
        project.store.write(crop, holed)


def test_rows_that_a_join_added_are_refused(
    project: Project, crop: FeatureClass, increment: pl.DataFrame
) -> None:
    results = pl.DataFrame({"id": ["v2", "stranger"], "score": [1, 2]})
    joined = results.join(increment, on="id", how="left")
    with project.refuses(NullValue, "'crop'", "stranger", "when joining"):
        project.store.write(crop, joined)


# --------------------------------------------------------------------------- foreign and altered


def test_a_frame_of_a_feature_with_other_fields_is_refused(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    faces = project.feature("faces", deps=[crop], fields=["faces"])
    foreign = project.store.resolve_update(faces).new
    with project.refuses(
        ForeignProvenance, "'crop'", "['faces']", "['audio', 'frames']", "Resolve"
    ):
        project.store.write(crop, foreign)


def test_a_frame_of_a_feature_with_the_same_fields_is_refused(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    other = project.feature("other", deps=[video], fields=["audio", "frames"])
    foreign = project.store.resolve_update(other).new
    with project.refuses(ForeignProvenance, "'crop'", "another feature", "v1", "resolve_update"):
        project.store.write(crop, foreign)


def test_what_was_read_of_a_feature_is_not_written_to_another(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    stored = project.store.read(video).to_polars()
    with project.refuses(ForeignProvenance, "'crop'", "another feature", "resolve_update"):
        project.store.write(crop, stored)


def test_altered_provenance_is_refused_and_its_record_named(
    project: Project, crop: FeatureClass, increment: pl.DataFrame
) -> None:
    altered = increment.with_columns(by_field(audio=HEX, frames=HEX))
    with project.refuses(ForeignProvenance, "'crop'", "altered", "v2", "resolve_update('crop')"):
        project.store.write(crop, altered)


def test_provenance_with_two_fields_exchanged_is_refused(
    project: Project, crop: FeatureClass, increment: pl.DataFrame
) -> None:
    versions = increment[BY_FIELD].struct
    audio, frames = versions.field("audio").item(), versions.field("frames").item()
    exchanged = increment.with_columns(by_field(audio=frames, frames=audio))
    with project.refuses(ForeignProvenance, "'crop'", "v2"):
        project.store.write(crop, exchanged)


@pytest.mark.parametrize("version", ["xyz", "", HEX[:-1], HEX + "0", "F" + HEX[1:], "0x" + HEX[2:]])
def test_a_provenance_that_is_no_version_is_refused(
    project: Project, crop: FeatureClass, increment: pl.DataFrame, version: str
) -> None:
    altered = increment.with_columns(by_field(audio=version, frames=HEX))
    with project.refuses(ForeignProvenance, "'audio'", "'crop'", "16 hex digits", repr(version)):
        project.store.write(crop, altered)


def test_the_provenance_that_is_wrong_is_the_one_that_is_shown(
    project: Project, crop: FeatureClass
) -> None:
    new = project.store.resolve_update(crop).new
    stored = project.store.read(crop).to_polars().select(new.columns)
    both = pl.concat([stored, new])
    audio = both[BY_FIELD].struct.field("audio").to_list()
    altered = both.with_columns(
        pl.Series(BY_FIELD, [{"audio": audio[0], "frames": HEX}, {"audio": "bad", "frames": HEX}])
    )
    with project.refuses(ForeignProvenance, "'audio'", "'crop'", "'bad'"):
        project.store.write(crop, altered)


def test_rows_with_each_other_s_provenance_are_refused(
    project: Project, crop: FeatureClass
) -> None:
    new = project.store.resolve_update(crop).new
    both = pl.concat([project.store.read(crop).to_polars().select(new.columns), new])
    mixed = both.with_columns(both[BY_FIELD].reverse())
    with project.refuses(ForeignProvenance, "'crop'", "v1, v2"):
        project.store.write(crop, mixed)


def test_an_increment_from_before_a_field_was_added_is_refused(
    project: Project, video: FeatureClass
) -> None:
    faces = project.feature("faces", deps=[video], fields=["faces"])
    old = project.store.resolve_update(faces).new
    project.feature("faces", deps=[video], fields=["faces", "mood"])
    with project.refuses(
        ForeignProvenance, "'faces'", "['faces', 'mood']", "Resolve 'faces' again"
    ):
        project.store.write(faces, old)


# --------------------------------------------------------------------------- samples and deps


def test_samples_for_a_feature_with_deps_are_refused(project: Project, crop: FeatureClass) -> None:
    with project.refuses(InvalidSamples, "'crop'", "video", "without samples"):
        project.store.resolve_update(crop, project.samples(v1={"audio": "a", "frames": "f"}))


def test_a_root_without_samples_is_refused(project: Project, video: FeatureClass) -> None:
    with project.refuses(InvalidSamples, "'video'", "root feature", "samples=frame"):
        project.store.resolve_update(video)


def test_an_unknown_feature_is_refused_with_its_neighbour(
    project: Project, video: FeatureClass
) -> None:
    said = ("'vidoe'", "did you mean 'video'?", "entrypoints")
    for call in (
        lambda: project.store.resolve_update("vidoe"),
        lambda: project.store.write("vidoe", project.samples(v1="a")),
        lambda: project.store.delete("vidoe", filters="id = 'v1'"),
        lambda: project.store.read("vidoe"),
        lambda: project.store.history("vidoe"),
    ):
        with project.refuses(UnknownFeature, *said):
            call()
