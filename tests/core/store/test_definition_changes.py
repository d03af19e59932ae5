"""Fields, deps, filters and ids that change between two releases of one feature."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project


def version(feature: type[mx.Feature]) -> str:
    return mx.FeatureGraph.active().versions[feature.spec.key].feature


def test_an_added_field_is_settled_by_its_write_in_a_feature_with_a_history(
    project: Project,
) -> None:
    root = project.feature("root", fields={"a": 1})
    project.process(root, project.samples(r1={"a": "x"}))
    project.process(root, project.samples(r1={"a": "y"}))
    root = project.feature("root", fields={"a": 1, "b": 1})
    samples = project.samples(r1={"a": "y", "b": "z"})
    assert project.process(root, samples) == mx.Counts(stale=1)
    assert project.counts(root, samples) == mx.Counts()


def test_until_the_added_field_is_computed_an_earlier_record_has_no_version_for_it(
    project: Project,
) -> None:
    video = project.feature("video", fields=["audio"])
    project.store.write(video, project.samples(v1={"audio": "a"}))
    project.feature("video", fields=["audio", "frames"])
    (versions,) = project.store.read(video).to_polars()["metaxy_provenance_by_field"]
    assert versions["frames"] is None
    assert versions["audio"] is not None


def test_what_reads_an_added_field_is_blocked_and_what_does_not_is_not(project: Project) -> None:
    video = project.feature("video", fields=["audio"])
    project.store.write(video, project.samples(v1={"audio": "a"}))
    project.feature("video", fields=["audio", "frames"])
    text = project.feature("text", deps=[video], fields=["audio"])
    faces = project.feature("faces", deps=[video], fields=["frames"])

    assert project.counts(text) == mx.Counts(new=1)
    assert project.counts(faces) == mx.Counts(blocked=1)

    project.process(video, project.samples(v1={"audio": "a", "frames": "f"}))
    assert project.counts(text) == mx.Counts(new=1)
    assert project.counts(faces) == mx.Counts(new=1)


def test_a_field_taken_away_makes_nothing_stale(project: Project) -> None:
    video = project.feature("video", fields=["audio", "frames"])
    project.store.write(video, project.samples(v1={"audio": "a", "frames": "f"}))
    project.feature("video", fields=["audio"])
    assert not project.counts(video, project.samples(v1={"audio": "a"}))
    (versions,) = project.store.read(video).to_polars()["metaxy_provenance_by_field"]
    assert list(versions) == ["audio"]


def test_a_field_that_comes_back_has_its_records_again(project: Project) -> None:
    video = project.feature("video", fields=["audio", "frames"])
    both = project.samples(v1={"audio": "a", "frames": "f"})
    project.store.write(video, both)
    project.feature("video", fields=["audio"])
    project.store.write(video, project.samples(v2={"audio": "a"}))
    project.feature("video", fields=["audio", "frames"])
    again = project.samples(v1={"audio": "a", "frames": "f"}, v2={"audio": "a", "frames": "f"})
    stale = project.store.resolve_update(video, again).stale
    assert project.rows(stale) == [{"id": "v2", "metaxy_changed_fields": ["frames"]}]


def test_a_renamed_field_is_another_field(project: Project) -> None:
    video = project.feature("video", fields=["sound"])
    project.store.write(video, project.samples(v1={"sound": "a"}))
    project.feature("video", fields=["audio"])
    stale = project.store.resolve_update(video, project.samples(v1={"audio": "a"})).stale
    assert project.rows(stale) == [{"id": "v1", "metaxy_changed_fields": ["audio"]}]


@pytest.mark.parametrize(
    "change",
    [
        lambda video: {"deps": [mx.FeatureDep(feature=video, filter="size > 1")]},
        lambda video: {"deps": [mx.FeatureDep(feature=video, optional=True)]},
        lambda video: {
            "deps": [mx.FeatureDep(feature=video, rename={"id": "key"})],
            "ids": ["key"],
        },
        lambda video: {"deps": [video], "fields": {"default": 2}},
        lambda video: {"deps": [video], "fields": ["default", "more"]},
        lambda video: {"deps": [video], "fields": [reads_only(video, "audio")]},
    ],
    ids=["filter", "optional", "id columns", "code version", "a field more", "what is read"],
)
def test_a_change_of_wiring_is_a_new_feature_version(
    project: Project, change: Callable[[type[mx.Feature]], dict[str, Any]]
) -> None:
    video = project.feature("video", fields=["audio", "frames"], columns={"size": int})
    copy = project.feature("copy", deps=[video])
    before = version(copy)
    project.feature("copy", **change(video))
    assert version(copy) != before


def reads_only(video: type[mx.Feature], field: str) -> mx.FieldSpec:
    return mx.FieldSpec(key="default", deps=[mx.FieldDep(feature=video, fields=[field])])


def test_a_record_that_comes_to_pass_a_filter_is_new_and_then_orphaned(project: Project) -> None:
    video = project.feature("video", columns={"size": int})
    copy = project.feature("copy", deps=[mx.FeatureDep(feature=video, filter="size > 1")])
    seen = []
    for size in (1, 5, 1):
        sample = project.samples(v1="same").with_columns(size=pl.lit(size))
        project.store.write(video, sample)
        seen.append(project.process(copy))
    assert seen == [mx.Counts(), mx.Counts(new=1), mx.Counts(orphaned=1)]


def test_a_dep_added_makes_records_stale_where_it_is_read(project: Project) -> None:
    video = project.feature("video")
    label = project.feature("label")
    both = project.feature("both", deps=[video])
    project.store.write(video, project.samples(v1="a"))
    project.store.write(label, project.samples(v1="l"))
    project.process(both)

    project.feature("both", deps=[video, label])

    assert project.process(both) == mx.Counts(stale=1)
    assert not project.counts(both)


def test_the_feature_version_of_each_record_is_kept(project: Project) -> None:
    video = project.feature("video", fields={"default": 1})
    project.store.write(video, project.samples(v1="a"))
    first = version(video)
    project.feature("video", fields={"default": 2})
    project.store.write(video, project.samples(v2="a"))
    frame = project.store.read(video, columns=["id", "metaxy_feature_version"]).to_polars()
    assert sorted(frame.rows()) == [("v1", first), ("v2", version(video))]
    assert first != version(video)
