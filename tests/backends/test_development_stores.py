"""A development store over production: a union per record, and only the first is ever written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


def test_a_development_store_that_wrote_one_of_four_records_still_shows_the_other_three(
    project: Project, branch: mx.MetadataStore
) -> None:
    video = project.feature("video", columns={"path": str})
    project.process(video, project.samples(a="1", b="1", c="1", d="1"), path="production")
    before = project.content(video)
    changed = project.samples(a="1", b="2", c="1", d="1")
    type(project)(branch).process(video, changed, path="branch")
    paths = dict(branch.read(video).to_polars().select("id", "path").iter_rows())
    assert paths == {"a": "production", "b": "branch", "c": "production", "d": "production"}
    assert project.content(video) == before


def test_a_soft_delete_of_one_of_three_production_records_hides_that_one(
    project: Project, branch: mx.MetadataStore
) -> None:
    video = project.feature("video")
    project.process(video, project.samples(a="1", b="1", c="1"))
    branch.delete(video, filters="id = 'b'")
    assert sorted(branch.read(video).to_polars()["id"]) == ["a", "c"]
    assert sorted(project.store.read(video).to_polars()["id"]) == ["a", "b", "c"]
    assert branch.delete(video, filters="id = 'b'") is None


def test_a_fresh_branch_over_processed_production_recomputes_only_what_its_code_changes(
    project: Project, branch: mx.MetadataStore
) -> None:
    video = project.feature("video")
    samples = project.samples(a="1", b="1")
    project.process(video, samples)
    features = {key: project.feature(key, deps=[video]) for key in ("crop", "text")}
    for feature in features.values():
        project.process(feature)
    assert branch.resolve_update(video, samples).counts == mx.Counts()
    assert [branch.resolve_update(f).counts for f in features.values()] == [mx.Counts()] * 2
    crop = project.feature("crop", fields={"default": "2"}, deps=[video])
    assert branch.resolve_update(crop).counts == mx.Counts(stale=2)
    assert branch.resolve_update(features["text"]).counts == mx.Counts()
