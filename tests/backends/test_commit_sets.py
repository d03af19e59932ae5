"""Whoever asks again and again whether something was done gets the answer from the catalog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest

import metaxy_core as mx
from metaxy_core import errors
from metaxy_core.store.commit_sets import CommitSet
from metaxy_core.store.tables import COMMITS
from tests.backends.backups import Backup

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


def found(project: Project, feature: FeatureClass) -> CommitSet:
    return project.store.commit_sets(feature)[feature.spec.key]


def told(project: Project, feature: FeatureClass) -> tuple[int | None, int, int]:
    commits = found(project, feature)
    return commits.newest, commits.commits, commits.records


# ------------------------------------------------------------------ what counts


def test_a_feature_that_was_never_written_has_an_empty_set(
    project: Project, video: FeatureClass, label: FeatureClass
) -> None:
    assert found(project, video) == CommitSet()
    project.store.write(label, project.labels(v1="a"))
    assert found(project, video) == CommitSet()


def test_records_of_writes_and_deletes_add_up(project: Project, video: FeatureClass) -> None:
    project.store.write(video, project.samples(v1="a", v2="a"))
    assert told(project, video) == (1, 1, 2)
    project.store.write(video, project.samples(v2="b"))
    assert told(project, video) == (2, 2, 3)
    project.store.delete(video, filters="id = 'v1'")
    assert told(project, video) == (3, 3, 4)
    project.store.delete(video, filters="id = 'v2'", hard=True)
    assert told(project, video) == (4, 4, 5)


def test_several_features_come_in_one_answer(
    project: Project, video: FeatureClass, label: FeatureClass
) -> None:
    project.store.write_all({video: project.samples(v1="a"), label: project.labels(v1="a", v2="a")})
    answer = project.store.commit_sets(video, label)
    assert {str(key): each.records for key, each in answer.items()} == {"video": 1, "label": 2}
    assert {each.newest for each in answer.values()} == {1}


def test_children_that_are_gone_count(project: Project, video: FeatureClass) -> None:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion(on=["id"]))
    chunk = project.feature("chunk", ids=["id", "number"], deps=[dep])
    project.store.write(video, project.samples(v1="a"))
    parents = project.store.resolve_update(chunk).new
    children = parents.join(pl.DataFrame({"number": [1, 2, 3]}), how="cross")
    project.store.write(chunk, children, processed=parents)
    assert told(project, chunk) == (2, 1, 3)
    project.store.write(chunk, children.head(0), processed=parents)
    assert told(project, chunk) == (3, 2, 6)


def test_compaction_is_nothing_that_was_done(project: Project, video: FeatureClass) -> None:
    for version in ("a", "b"):
        project.store.write(video, project.samples(v1=version))
    before = found(project, video)
    assert project.store.compact(video) is not None
    assert found(project, video) == before


def test_a_rebase_counts_since_records_may_have_waited_for_it(project: Project) -> None:
    def release(code: int) -> tuple[FeatureClass, FeatureClass]:
        video = project.feature("video", fields={"default": code})
        return video, project.feature("copy", deps=[video])

    video, copy = release(1)
    project.store.write(video, project.samples(v1="a"))
    video, copy = release(2)
    assert project.counts(copy) == mx.Counts(blocked=1)
    project.store.rebase(video, samples=project.samples(v1="a"))
    assert project.counts(copy) == mx.Counts(new=1)
    assert told(project, video) == (2, 2, 2)


def test_an_unknown_feature_is_refused(project: Project) -> None:
    with project.refuses(errors.UnknownFeature, "nobody"):
        project.store.commit_sets("nobody")


# ------------------------------------------------------------------ in which order


def test_a_commit_that_arrives_late_makes_another_set(
    project: Project, video: FeatureClass
) -> None:
    """A writer on another machine took its number before others, and commits after them."""
    late = project.store.write(video, project.samples(v1="a"))
    project.store.write(video, project.samples(v2="a"))
    take_out(project.store, late)
    before = found(project, video)
    with project.store.backend.transaction() as transaction:
        project.store._parts.catalog.add(transaction, late)
    after = found(project, video)
    assert (before.newest, after.newest) == (2, 2)
    assert (before.commits, after.commits) == (1, 2)


def test_more_commits_continue_a_set_and_fewer_do_not(
    project: Project, video: FeatureClass
) -> None:
    empty = found(project, video)
    project.store.write(video, project.samples(v1="a"))
    first = found(project, video)
    project.store.write(video, project.samples(v1="b"))
    second = found(project, video)
    assert second.continues(first)
    assert second.continues(second)
    assert first.continues(empty)
    assert not first.continues(second)
    assert not empty.continues(first)


@pytest.mark.needs("files")
def test_a_store_that_was_put_back_does_not_continue_with_as_many_commits(
    project: Project, video: FeatureClass, opened: Callable[[], mx.MetadataStore], tmp_path: Path
) -> None:
    project.store.write(video, project.samples(v1="a"))
    backup = Backup(tmp_path)
    project.store.write(video, project.samples(v1="b"))
    before = found(project, video)
    backup.put_back()
    opened().write(video, project.samples(v1="c"))
    after = found(project, video)
    assert (after.newest, after.commits, after.records) == (2, 2, 2)
    assert not after.continues(before)


def test_commits_of_a_fallback_count(
    project: Project, video: FeatureClass, branch: mx.MetadataStore
) -> None:
    project.store.write(video, project.samples(v1="a"))
    before = branch.commit_sets(video)[video.spec.key]
    project.store.write(video, project.samples(v2="a"))
    after = branch.commit_sets(video)[video.spec.key]
    assert (before.records, after.records) == (1, 2)
    assert after.continues(before)


# ------------------------------------------------------------------ what is settled


def test_a_feature_is_settled_once_a_resolve_found_nothing(
    project: Project, video: FeatureClass
) -> None:
    copy = project.feature("copy", deps=[video])
    project.store.write(video, project.samples(v1="a"))
    assert not project.store.is_settled(copy)
    project.process(copy)
    assert not project.store.is_settled(copy)
    assert not project.counts(copy)
    assert project.store.is_settled(copy)


@pytest.mark.parametrize("change", ["write above", "delete above", "delete", "new code"])
def test_whatever_may_bring_work_unsettles_it(
    project: Project, video: FeatureClass, change: str
) -> None:
    copy = project.feature("copy", deps=[video])
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.process(copy)
    assert not project.counts(copy)
    assert project.store.is_settled(copy)
    if change == "write above":
        project.store.write(video, project.samples(v1="b"))
    elif change == "new code":
        copy = project.feature("copy", fields={"default": 2}, deps=[video])
    else:
        of = copy if change == "delete" else video
        project.store.delete(of, filters="id = 'v1'")
    assert not project.store.is_settled(copy)


def test_a_root_is_never_settled(project: Project, video: FeatureClass) -> None:
    samples = project.samples(v1="a")
    project.process(video, samples)
    assert not project.counts(video, samples)
    assert not project.store.is_settled(video)


def test_over_a_fallback_nothing_is_settled(
    project: Project, video: FeatureClass, branch: mx.MetadataStore
) -> None:
    copy = project.feature("copy", deps=[video])
    project.store.write(video, project.samples(v1="a"))
    project.process(copy)
    assert not branch.resolve_update(copy).counts
    assert not branch.is_settled(copy)


# ------------------------------------------------------------------ samples


def test_the_version_of_samples_is_that_of_ids_and_versions_in_any_order(
    project: Project, video: FeatureClass
) -> None:
    def version(**versions: str) -> str:
        return project.store.samples_version(video, project.samples(**versions))

    known = version(v1="a", v2="b")
    assert known == version(v2="b", v1="a") == "66a479a8e7dcefd2"
    others = [version(v1="a"), version(v1="b", v2="a"), version(v1="a", v2="c")]
    others += [version(v1="a", v2="b", v3="a"), version(v1="a", v3="b")]
    assert len({known, *others}) == 6
    assert project.store.samples_version(video, project.samples(v1="a").head(0)) not in others


def test_samples_of_a_feature_with_deps_have_no_version(
    project: Project, video: FeatureClass
) -> None:
    copy = project.feature("copy", deps=[video])
    with project.refuses(errors.InvalidSamples, "copy", "deps"):
        project.store.samples_version(copy, project.samples(v1="a"))


def test_samples_that_could_not_be_resolved_have_no_version(
    project: Project, video: FeatureClass
) -> None:
    twice = project.samples(v1="a")
    with project.refuses(errors.DuplicateIds, "v1"):
        project.store.samples_version(video, twice.vstack(twice))


# ------------------------------------------------------------------ details


def take_out(store: mx.MetadataStore, commit: mx.Commit) -> None:
    """Take a commit out of the catalog, as if it had not arrived yet."""
    staged = store.backend.stage("taken", pa.table({"metaxy_commit": [commit.id]}))
    with store.backend.transaction() as transaction:
        transaction.remove(COMMITS, staged, ["metaxy_commit"])
    store.backend.drop(staged)
