"""No two different inputs share a version, whatever characters they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project


def hashed_from(project: Project, *columns: str) -> type[mx.Feature]:
    field = mx.FieldSpec(key="default", version_from=columns)
    return project.feature("clip", fields=[field])


def test_values_that_move_between_two_columns_make_the_root_and_its_downstream_stale(
    project: Project,
) -> None:
    clip = hashed_from(project, "etag", "size")
    copy = project.feature("copy", deps=[clip])
    before = pl.DataFrame({"id": ["c"], "etag": ["x|y"], "size": ["z"]})
    project.process(clip, before)
    project.process(copy)

    after = pl.DataFrame({"id": ["c"], "etag": ["x"], "size": ["y|z"]})

    assert project.process(clip, after) == mx.Counts(stale=1)
    assert project.counts(copy) == mx.Counts(stale=1)


def test_versions_that_move_between_two_fields_make_both_stale(project: Project) -> None:
    pair = project.feature("pair", fields=["x", "y"])
    project.store.write(pair, project.samples(v1={"x": "x|y", "y": "z"}))
    increment = project.store.resolve_update(pair, project.samples(v1={"x": "x", "y": "y|z"}))
    assert project.rows(increment.stale) == [{"id": "v1", "metaxy_changed_fields": ["x", "y"]}]


def test_fields_whose_names_look_alike_keep_versions_of_their_own(project: Project) -> None:
    video = project.feature("video", fields=["x/y", "x_y"])
    project.store.write(video, project.samples(v1={"x/y": "a", "x_y": "b"}))
    increment = project.store.resolve_update(video, project.samples(v1={"x/y": "b", "x_y": "b"}))
    assert project.rows(increment.stale) == [{"id": "v1", "metaxy_changed_fields": ["x/y"]}]
