"""Data versions that users set: a change spreads only as far as it changed something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project


def test_the_same_output_again_stops_the_change(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", deps=[video])
    faces = project.feature("faces", deps=[crop])
    project.store.write(video, project.samples(v1="a"))
    project.override(crop, default="content-1")
    project.process(faces)

    project.store.write(video, project.samples(v1="b"))
    assert project.override(crop, default="content-1") == mx.Counts(stale=1)

    assert not project.counts(crop)
    assert not project.counts(faces)


def test_a_bump_that_changes_no_output_stops_there(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", deps=[video], fields={"default": 1})
    faces = project.feature("faces", deps=[crop])
    project.store.write(video, project.samples(v1="a"))
    project.override(crop, default="content-1")
    project.process(faces)

    project.feature("crop", deps=[video], fields={"default": 2})
    assert project.counts(faces) == mx.Counts(blocked=1)
    assert project.override(crop, default="content-1") == mx.Counts(stale=1)

    assert not project.counts(faces)


def test_an_override_on_x_moves_only_what_reads_x(project: Project) -> None:
    a = project.feature("a", fields=["x", "y"])
    b = project.feature("b", deps=[a], fields=["x", "y"])
    c = project.feature("c", deps=[b], fields=["x", "y"])
    only_y = project.feature("only_y", deps=[b], fields=["y"])
    project.store.write(a, project.samples(v1={"x": "1", "y": "1"}))
    for feature in (b, c, only_y):
        project.process(feature)

    stored = project.store.read(b).to_polars()
    project.store.write(b, project.overridden(stored.drop("metaxy_data_version_by_field"), x="set"))

    assert not project.counts(b)
    stale = project.store.resolve_update(c).stale
    assert project.rows(stale) == [{"id": "v1", "metaxy_changed_fields": ["x"]}]
    assert not project.counts(only_y)
