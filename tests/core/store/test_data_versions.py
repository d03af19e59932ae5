"""Data versions that users set: a change spreads only as far as it changed something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.engine.hashing import hash_text
from metaxy_core.errors import InvalidSamples

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


def data_versions(project: Project, feature: FeatureClass) -> dict[str, str]:
    (versions,) = project.store.read(feature).to_polars()["metaxy_data_version_by_field"]
    return dict(versions)


def test_a_data_version_is_the_provenance_until_somebody_sets_it(project: Project) -> None:
    video = project.feature("video", fields=["audio", "frames"])
    project.store.write(video, project.samples(v1={"audio": "a", "frames": "f"}))
    frame = project.store.read(video).to_polars()
    assert frame["metaxy_data_version_by_field"].equals(frame["metaxy_provenance_by_field"])
    assert frame["metaxy_data_version"].equals(frame["metaxy_provenance"])


def test_another_output_spreads(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", deps=[video])
    faces = project.feature("faces", deps=[crop])
    project.store.write(video, project.samples(v1="a"))
    project.override(crop, default="content-1")
    project.process(faces)
    project.store.write(video, project.samples(v1="b"))
    project.override(crop, default="content-2")
    assert project.process(faces) == mx.Counts(stale=1)


def test_a_field_that_is_not_overridden_keeps_its_provenance(project: Project) -> None:
    video = project.feature("video", fields=["audio", "frames"])
    samples = project.samples(v1={"audio": "a", "frames": "f"})
    project.store.write(video, project.overridden(samples, audio="set", frames=None))
    frame = project.store.read(video).to_polars()
    (provenance,) = frame["metaxy_provenance_by_field"]
    assert data_versions(project, video) == {
        "audio": f"{hash_text('set'):016x}",
        "frames": provenance["frames"],
    }


def test_writing_again_without_the_override_takes_it_back(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", deps=[video])
    project.store.write(video, project.overridden(project.samples(v1="a"), default="set"))
    project.process(crop)
    project.store.write(video, project.samples(v1="a"))
    assert project.counts(crop) == mx.Counts(stale=1)


def test_writing_back_what_was_read_changes_nothing(project: Project) -> None:
    video = project.feature("video", fields=["audio", "frames"], columns={"path": str})
    crop = project.feature("crop", deps=[video])
    samples = project.samples(v1={"audio": "a", "frames": "f"}).with_columns(path=pl.lit("p"))
    project.store.write(video, project.overridden(samples, audio="set", frames=None))
    project.process(crop)
    before = project.store.read(video).to_polars()

    project.store.write(video, before)

    same = [name for name in before.columns if name not in {"metaxy_commit", "metaxy_created_at"}]
    assert project.store.read(video).to_polars().select(same).equals(before.select(same))
    assert not project.counts(crop)


@pytest.mark.parametrize("value", ["0123456789abcdef", "ABCDEF", 17, ""])
def test_a_version_of_any_kind_can_be_set(project: Project, value: str | int) -> None:
    video = project.feature("video")
    project.store.write(video, project.overridden(project.samples(v1="a"), default=value))
    expected = value if value == "0123456789abcdef" else f"{hash_text(str(value)):016x}"
    assert data_versions(project, video) == {"default": expected}


@pytest.mark.parametrize("value", ["0123456789abcdef", "0123456789ABCDEF", "F123456789abcdef"])
def test_what_a_version_becomes_does_not_depend_on_the_rows_beside_it(
    project: Project, value: str
) -> None:
    video = project.feature("video")
    project.store.write(video, project.overridden(project.samples(alone="a"), default=value))
    together = project.samples(first="a", second="a").with_columns(
        metaxy_data_version_by_field=pl.Series([{"default": value}, {"default": "other"}])
    )
    project.store.write(video, together)
    frame = project.store.read(video).to_polars()
    found = dict(frame.select("id", pl.col("metaxy_data_version_by_field").struct[0]).iter_rows())
    assert found["alone"] == found["first"]


def test_the_record_s_data_version_tells_outputs_apart_where_its_fields_agree(
    project: Project,
) -> None:
    video = project.feature("video", fields=["audio", "frames"])
    fields = {"audio": "a", "frames": "f"}
    found = []
    for etag in ("etag-1", "etag-2"):
        sample = project.overridden(project.samples(v1=fields), audio=etag, frames=etag)
        project.store.write(video, sample)
        found += project.store.read(video).to_polars()["metaxy_data_version"].to_list()
    assert found[0] != found[1]


def test_an_override_for_a_field_that_is_none_is_refused(project: Project) -> None:
    video = project.feature("video", fields=["audio"])
    samples = project.samples(v1={"audio": "a"})
    with project.refuses(InvalidSamples, "'video'", "adio", "fields of the feature (audio)"):
        project.store.write(video, project.overridden(samples, adio="set"))


def test_an_override_that_is_no_struct_is_refused(project: Project) -> None:
    video = project.feature("video", fields=["audio"])
    samples = project.samples(v1={"audio": "a"})
    with project.refuses(InvalidSamples, "'video'", "string", "struct"):
        project.store.write(video, samples.with_columns(metaxy_data_version_by_field=pl.lit("set")))
