"""The past of records: read as of a moment, and erased on request."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidWrite

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


@pytest.fixture
def video(project: Project) -> FeatureClass:
    return project.feature("video", columns={"path": str})


def write(project: Project, feature: FeatureClass, **paths: str) -> mx.Commit:
    frame = project.samples(**paths).with_columns(path=pl.Series(list(paths.values())))
    commit = project.store.write(feature, frame)
    assert commit is not None
    return commit


def paths(project: Project, feature: FeatureClass, **options: Any) -> dict[str, str]:
    return {row["id"]: row["path"] for row in project.records(feature, **options)}


def test_records_are_read_as_they_were_after_each_commit(
    project: Project, video: FeatureClass
) -> None:
    first = write(project, video, v1="a", v2="a")
    second = write(project, video, v2="b", v3="b")
    third = project.store.delete(video, filters="id = 'v1'")
    assert third is not None
    assert paths(project, video, as_of=0) == {}
    assert paths(project, video, as_of=first.id) == {"v1": "a", "v2": "a"}
    assert paths(project, video, as_of=second.id) == {"v1": "a", "v2": "b", "v3": "b"}
    assert paths(project, video, as_of=third.id) == {"v2": "b", "v3": "b"}
    assert paths(project, video, as_of=99) == paths(project, video)


def test_records_are_read_as_they_were_at_a_time(project: Project, video: FeatureClass) -> None:
    before = dt.datetime.now(dt.UTC)
    time.sleep(0.002)
    first = write(project, video, v1="a")
    time.sleep(0.002)
    write(project, video, v1="b")
    east = dt.timezone(dt.timedelta(hours=5))
    assert paths(project, video, as_of=before) == {}
    assert paths(project, video, as_of=first.created_at) == {"v1": "a"}
    assert paths(project, video, as_of=first.created_at.astimezone(east)) == {"v1": "a"}
    assert paths(project, video, as_of=dt.datetime.now(dt.UTC)) == {"v1": "b"}


def test_filters_and_history_see_only_what_was_there(project: Project, video: FeatureClass) -> None:
    first = write(project, video, v1="a")
    write(project, video, v1="b")
    assert paths(project, video, as_of=first.id, filters="path = 'b'") == {}
    rows = project.store.read(video, as_of=first.id, history=True).to_polars()
    assert rows["path"].to_list() == ["a"]


def test_a_feature_never_written_has_no_past(project: Project, video: FeatureClass) -> None:
    assert paths(project, video, as_of=3) == {}


@pytest.mark.parametrize("moment", ["yesterday", 1.5, True, dt.datetime(2030, 1, 1)])  # noqa: DTZ001
def test_what_is_no_moment_is_refused(
    project: Project, video: FeatureClass, moment: object
) -> None:
    write(project, video, v1="a")
    with project.refuses(InvalidWrite, "id of a commit", "time zone"):
        project.store.read(video, as_of=moment)  # type: ignore[arg-type]
    with project.refuses(InvalidWrite, "id of a commit", "time zone"):
        project.store.compact(video, keep_history=moment)  # type: ignore[arg-type]


# ------------------------------------------------------------------ compaction


def test_compaction_keeps_what_is_current_and_erases_what_was(
    project: Project, video: FeatureClass
) -> None:
    write(project, video, v1="a", v2="a", v3="a")
    write(project, video, v1="b", v2="b")
    write(project, video, v1="c")
    project.store.delete(video, filters="id = 'v3'")
    before = project.store.read(video, include_deleted=True).to_polars().sort("id")
    commit = project.store.compact(video)
    assert commit is not None
    assert (commit.operation, commit.rows) == ("compact", 4)
    after = project.store.read(video, include_deleted=True).to_polars().sort("id")
    assert after.equals(before)
    history = project.store.read(video, history=True, include_deleted=True).to_polars()
    assert history.height == 3
    assert project.store.compact(video) is None


def test_a_kept_moment_reads_as_before(project: Project, video: FeatureClass) -> None:
    write(project, video, v1="a", v2="a")
    second = write(project, video, v1="b")
    third = write(project, video, v1="c", v2="c")
    project.store.compact(video, keep_history=second.id)
    assert paths(project, video, as_of=second.id) == {"v1": "b", "v2": "a"}
    assert paths(project, video, as_of=third.id) == {"v1": "c", "v2": "c"}
    assert paths(project, video, as_of=1) == {"v2": "a"}  # v1's first version is gone


def test_history_is_kept_for_a_span_of_time(project: Project, video: FeatureClass) -> None:
    for path in "abc":
        write(project, video, v1=path)
    assert project.store.compact(video, keep_history=dt.timedelta(hours=1)) is None
    kept = project.store.compact(video, keep_history=dt.timedelta(0))
    assert kept is not None
    assert kept.rows == 2
    with project.refuses(InvalidWrite, "a span of time from 0 on"):
        project.store.compact(video, keep_history=dt.timedelta(days=-1))


def test_compaction_changes_no_increment(project: Project, video: FeatureClass) -> None:
    crop = project.feature("crop", deps=[video])
    write(project, video, v1="a", v2="a", v3="a")
    project.process(crop)
    write(project, video, v1="b")
    project.process(crop)
    write(project, video, v2="c")
    project.store.delete(video, filters="id = 'v3'")
    before = project.counts(crop)
    assert before == mx.Counts(stale=1, orphaned=1)
    project.store.compact(video)
    project.store.compact(crop)
    assert project.counts(crop) == before


def test_the_processed_parents_of_an_expansion_are_compacted_too(
    project: Project, video: FeatureClass
) -> None:
    scene = project.feature(
        "scene", ids=["scene"], deps=[mx.FeatureDep(feature=video, lineage=mx.expansion())]
    )
    for path in "ab":
        write(project, video, v1=path, v2=path)
        found = project.store.resolve_update(scene)
        work = pl.concat(list(found.batches()))
        children = work.filter(pl.col("id") == "v1").with_columns(scene=pl.lit("v1.0"))
        project.store.write(scene, children, processed=work)
    commit = project.store.compact(scene)
    assert commit is not None
    assert commit.rows == 3
    assert project.counts(scene) == mx.Counts()
    write(project, video, v2="c")
    assert project.counts(scene) == mx.Counts(stale=1)


def test_nothing_to_compact_makes_no_commit(project: Project, video: FeatureClass) -> None:
    assert project.store.compact(video) is None
    only = write(project, video, v1="a")
    assert project.store.compact(video) is None
    assert project.store.history(video).last == only


def test_an_expansion_without_any_child_is_compacted(project: Project, video: FeatureClass) -> None:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    scene = project.feature("scene", ids=["scene"], deps=[dep])
    for path in "abc":
        write(project, video, v1=path)
        work = pl.concat(list(project.store.resolve_update(scene).batches()))
        project.store.write(scene, work.clear().with_columns(scene=pl.lit("")), processed=work)
    commit = project.store.compact(scene)
    assert commit is not None
    assert commit.rows == 2
    assert project.counts(scene) == mx.Counts()
