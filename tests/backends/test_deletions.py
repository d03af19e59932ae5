"""Deletions: one more entry of a record's history, or the end of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from tests.conftest import Project


def with_path(project: Project, path: str, *ids: str) -> pl.DataFrame:
    return project.samples(**dict.fromkeys(ids, path)).with_columns(path=pl.lit(path))


def test_delete_write_delete_write_ends_with_the_last_write(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    seen = []
    for path in ("first", "second", "third"):
        project.store.write(video, with_path(project, path, "v1"))
        seen.append(project.records(video))
        project.store.delete(video, filters="id = 'v1'")
        seen.append(project.records(video))
    project.store.write(video, with_path(project, "last", "v1"))
    assert seen == [
        [{"id": "v1", "path": "first"}], [],
        [{"id": "v1", "path": "second"}], [],
        [{"id": "v1", "path": "third"}], [],
    ]  # fmt: skip
    assert project.records(video) == [{"id": "v1", "path": "last"}]
    history = project.store.read(video, history=True, include_deleted=True).to_polars()
    assert history.height == 7
    assert history["metaxy_deleted_at"].null_count() == 4


def test_deleting_by_an_old_value_does_not_hide_the_current_one(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, with_path(project, "old", "v1", "v2"))
    project.store.write(video, with_path(project, "new", "v1"))

    project.store.delete(video, filters="path = 'old'")

    assert project.records(video) == [{"id": "v1", "path": "new"}]


def test_a_hard_delete_by_an_old_value_keeps_the_current_one(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, with_path(project, "old", "v1", "v2"))
    project.store.write(video, with_path(project, "new", "v1"))

    project.store.delete(video, filters="path = 'old'", hard=True)

    assert project.records(video) == [{"id": "v1", "path": "new"}]
