"""Optional deps: a record may exist without them, and their coming and going is a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


def test_a_record_is_there_with_and_without_its_optional_part(
    project: Project, video: FeatureClass, label: FeatureClass, both: FeatureClass
) -> None:
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.store.write(label, project.labels(v2="l", v3="l"))
    assert project.rows(project.store.resolve_update(both).new) == [
        {"id": "v1", "name": None},
        {"id": "v2", "name": "cat"},
    ]


@pytest.mark.parametrize("version", ["l", "", "-", "?", "\\N"])
def test_an_optional_record_that_appears_makes_its_record_stale(
    project: Project, video: FeatureClass, label: FeatureClass, both: FeatureClass, version: str
) -> None:
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.process(both)

    project.store.write(label, project.labels(v1=version))

    increment = project.store.resolve_update(both)
    assert increment.counts == mx.Counts(stale=1)
    assert project.rows(increment.stale) == [
        {"id": "v1", "name": "cat", "metaxy_changed_fields": ["default"]}
    ]


def test_an_optional_record_that_goes_makes_its_record_stale_and_not_orphaned(
    project: Project, video: FeatureClass, label: FeatureClass, both: FeatureClass
) -> None:
    project.store.write(video, project.samples(v1="a"))
    project.store.write(label, project.labels(v1="l"))
    project.process(both)

    project.store.delete(label, filters="id = 'v1'")

    assert project.process(both) == mx.Counts(stale=1)
    assert not project.counts(both)


def test_a_required_record_that_goes_orphans_its_record(
    project: Project, video: FeatureClass, label: FeatureClass, both: FeatureClass
) -> None:
    project.store.write(video, project.samples(v1="a"))
    project.store.write(label, project.labels(v1="l"))
    project.process(both)
    project.store.delete(video, filters="id = 'v1'")
    assert project.counts(both) == mx.Counts(orphaned=1)


def test_an_optional_dep_that_is_filtered_out_counts_as_missing(
    project: Project, video: FeatureClass, label: FeatureClass
) -> None:
    dogs = mx.FeatureDep(feature=label, optional=True, filter="name = 'dog'")
    both = project.feature("both", deps=[video, dogs])
    project.store.write(video, project.samples(v1="a"))
    project.process(both)
    project.store.write(label, project.labels(v1="l"))
    assert not project.counts(both)


def test_an_optional_feature_s_outdated_record_blocks_only_where_it_is(
    project: Project, video: FeatureClass, label: FeatureClass, both: FeatureClass
) -> None:
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.store.write(label, project.labels(v1="l"))
    project.process(both)
    columns = {"name": str | None}
    project.feature("label", fields={"default": 2}, columns=columns)
    assert project.counts(both) == mx.Counts(blocked=1)


def test_deps_that_are_all_optional_give_every_record_that_one_of_them_has(
    project: Project, video: FeatureClass, label: FeatureClass
) -> None:
    deps = [mx.FeatureDep(feature=dep, optional=True) for dep in (video, label)]
    either = project.feature("either", deps=deps)
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.store.write(label, project.labels(v2="l", v3="l"))

    increment = project.store.resolve_update(either)
    assert project.rows(increment.new) == [
        {"id": "v1", "name": None},
        {"id": "v2", "name": "cat"},
        {"id": "v3", "name": "cat"},
    ]
    project.store.write(either, increment.new)
    project.store.delete(label, filters="id IN ('v2', 'v3')")
    assert project.counts(either) == mx.Counts(stale=1, orphaned=1)


def test_a_missing_optional_record_is_missing_for_each_of_its_fields(project: Project) -> None:
    video = project.feature("video", fields=["audio", "frames"])
    extra = project.feature("extra", fields=["audio", "frames"])
    optional = mx.FeatureDep(feature=extra, optional=True)
    both = project.feature("both", deps=[video, optional], fields=["audio", "frames"])
    fields = {"audio": "a", "frames": "f"}
    project.store.write(video, project.samples(v1=fields))
    project.process(both)
    project.store.write(extra, project.samples(v1=fields))
    stale = project.store.resolve_update(both).stale
    assert project.rows(stale) == [{"id": "v1", "metaxy_changed_fields": ["audio", "frames"]}]


def test_an_optional_record_without_the_field_that_is_read_is_blocked_until_it_has_it(
    project: Project, video: FeatureClass
) -> None:
    extra = project.feature("extra", fields=["audio"])
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.store.write(extra, project.samples(v1={"audio": "a"}))
    extra = project.feature("extra", fields=["audio", "frames"])
    optional = mx.FeatureDep(feature=extra, optional=True)
    reads = mx.FieldDep(feature=extra, fields=["frames"])
    faces = project.feature(
        "faces", deps=[video, optional], fields=[mx.FieldSpec(key="faces", deps=[reads])]
    )
    assert project.counts(faces) == mx.Counts(new=1, blocked=1)
    project.process(extra, project.samples(v1={"audio": "a", "frames": "f"}))
    assert project.counts(faces) == mx.Counts(new=2)
