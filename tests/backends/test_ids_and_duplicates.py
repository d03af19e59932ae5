"""Ids and versions that are missing or come twice are refused, and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from metaxy_core.errors import DuplicateIds, NullId, NullValue

if TYPE_CHECKING:
    from tests.conftest import Project

VERSION = pl.struct(default=pl.lit("a")).alias("metaxy_provenance_by_field")


def identified(*ids: str | None) -> pl.DataFrame:
    return pl.DataFrame({"id": ids}, {"id": pl.String}).with_columns(VERSION)


def test_duplicate_ids_in_one_write_are_refused_and_nothing_is_written(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, identified("v0"))
    twice = identified("v1", "v2", "v1", "v3", "v3", "v3")
    with project.refuses(
        DuplicateIds, "The frame for 'video'", "2 id(s)", "v1, v3", "Keep one row"
    ):
        project.store.write(video, twice)


def test_duplicate_ids_in_the_samples_are_refused(project: Project) -> None:
    video = project.feature("video")
    with project.refuses(DuplicateIds, "The samples for 'video'", "1 id(s)", "v1", "Keep one row"):
        project.store.resolve_update(video, identified("v1", "v2", "v1"))


def test_a_null_id_is_refused_at_write_and_its_row_named(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, identified("v0"))
    with project.refuses(NullId, "'id'", "'video'", "2 row(s)", "row 1", "give them an id"):
        project.store.write(video, identified("v1", None, None))


def test_a_null_version_in_the_samples_is_refused_with_field_and_ids(
    project: Project,
) -> None:
    video = project.feature("video", fields=["audio", "frames"])
    project.store.write(video, project.samples(v1={"audio": "a", "frames": "f"}))
    samples = project.samples(
        v3={"audio": "a", "frames": None},
        v4={"audio": "a", "frames": "f"},
        v5={"audio": "a", "frames": None},
    )
    said = ("'frames'", "'video'", "2 record(s)", "v3, v5", "Give every sample a version")
    with project.refuses(NullValue, *said):
        project.store.resolve_update(video, samples)
    with project.refuses(NullValue, *said):
        project.store.write(video, samples)
