"""Deleting: softly, as one more entry of a record's history, or with the history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import MissingColumn, NullId, UnknownColumn, WrongColumnType

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Project


def with_path(project: Project, path: str, *ids: str) -> pl.DataFrame:
    return project.samples(**dict.fromkeys(ids, path)).with_columns(path=pl.lit(path))


def test_a_deleted_record_is_gone_from_reads_and_kept_in_its_history(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, with_path(project, "a", "v1", "v2"))
    commit = project.store.delete(video, pl.DataFrame({"id": ["v1"]}))

    assert commit is not None
    assert project.records(video) == [{"id": "v2", "path": "a"}]
    everything = project.store.read(video, include_deleted=True).to_polars().sort("id")
    assert everything["id"].to_list() == ["v1", "v2"]
    assert everything["metaxy_deleted_at"].to_list() == [commit.created_at, None]
    assert commit.created_at <= datetime.now(UTC)
    assert project.records(video, history=True) == [
        {"id": "v1", "path": "a"},
        {"id": "v2", "path": "a"},
    ]


def test_a_record_written_again_is_new_downstream_only_if_it_was_removed_there(
    project: Project,
) -> None:
    video = project.feature("video")
    kept, removed = (project.feature(key, deps=[video]) for key in ("kept", "removed"))
    project.store.write(video, project.samples(v1="a"))
    project.process(kept)
    project.process(removed)

    project.store.delete(video, filters="id = 'v1'")
    project.process(removed)
    project.store.write(video, project.samples(v1="a"))

    assert project.counts(kept) == mx.Counts()
    assert project.counts(removed) == mx.Counts(new=1)


def test_deleting_what_is_deleted_already_makes_no_commit(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a"))
    assert project.store.delete(video, filters="id = 'v1'") is not None
    assert project.store.delete(video, filters="id = 'v1'") is None
    assert project.store.delete(video, pl.DataFrame({"id": ["v1", "v9"]})) is None


def test_deleting_from_a_feature_that_was_never_written_makes_no_commit(project: Project) -> None:
    video = project.feature("video")
    assert project.store.delete(video, pl.DataFrame({"id": ["v1"]})) is None
    assert project.store.delete(video, filters="id = 'v1'") is None
    assert project.store.history(video).last is None


def test_an_id_named_twice_is_deleted_once(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a", v2="a"))
    commit = project.store.delete(video, pl.DataFrame({"id": ["v1", "v1"]}))
    assert commit is not None
    assert commit.rows == 1
    assert project.records(video) == [{"id": "v2"}]


def test_a_frame_and_a_filter_have_to_hold_both(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, with_path(project, "a", "v1", "v2"))
    project.store.write(video, with_path(project, "b", "v3"))
    ids = pl.DataFrame({"id": ["v1", "v3"]})
    project.store.delete(video, ids, filters="path = 'a'")
    assert project.records(video) == [{"id": "v2", "path": "a"}, {"id": "v3", "path": "b"}]


def test_a_hard_delete_leaves_no_row_of_the_record(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, with_path(project, "a", "v1", "v2"))
    project.store.write(video, with_path(project, "b", "v1"))

    commit = project.store.delete(video, pl.DataFrame({"id": ["v1"]}), hard=True)

    assert commit is not None
    assert (commit.operation, commit.rows) == ("hard_delete", 2)
    left = project.records(video, history=True, include_deleted=True)
    assert left == [{"id": "v2", "path": "a"}]


def test_a_hard_delete_erases_a_record_that_was_softly_deleted_before(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, with_path(project, "a", "v1", "v2"))
    project.store.delete(video, pl.DataFrame({"id": ["v1"]}))

    project.store.delete(video, pl.DataFrame({"id": ["v1"]}), hard=True)

    left = project.records(video, history=True, include_deleted=True)
    assert left == [{"id": "v2", "path": "a"}]


def test_a_record_hard_deleted_upstream_is_orphaned_and_new_when_it_comes_back(
    project: Project,
) -> None:
    video = project.feature("video")
    copy = project.feature("copy", deps=[video])
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.process(copy)
    project.store.delete(video, filters="id = 'v1'", hard=True)
    assert project.process(copy) == mx.Counts(orphaned=1)
    project.store.write(video, project.samples(v1="a"))
    assert project.process(copy) == mx.Counts(new=1)
    assert not project.counts(copy)


def test_a_hard_delete_and_then_writes_in_order(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, with_path(project, "a", "v1"))
    project.store.write(video, with_path(project, "b", "v1"))
    project.store.delete(video, filters="id = 'v1'", hard=True)
    assert project.records(video) == []
    project.store.write(video, with_path(project, "c", "v1"))
    assert project.records(video) == [{"id": "v1", "path": "c"}]
    project.store.write(video, with_path(project, "d", "v1"))
    assert project.records(video) == [{"id": "v1", "path": "d"}]


def test_ids_of_several_columns_are_deleted_as_a_whole(project: Project) -> None:
    clip = project.feature("clip", ids=["show", "number"])
    rows = pl.DataFrame({"show": ["s1", "s1", "s2"], "number": [1, 2, 1]})
    version = pl.struct(default=pl.lit("a")).alias("metaxy_provenance_by_field")
    project.store.write(clip, rows.with_columns(version))
    project.store.delete(clip, pl.DataFrame({"number": [1], "show": ["s1"]}))
    assert project.records(clip) == [{"show": "s1", "number": 2}, {"show": "s2", "number": 1}]


def test_a_delete_that_names_nothing_is_refused(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a"))
    with project.refuses(MissingColumn, "'video'", "['id']", "filters=", "Nothing was deleted"):
        project.store.delete(video)


def test_a_delete_without_the_id_column_is_refused(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a"))
    with project.refuses(MissingColumn, "'video'", "'id'", "video_id", "Add the column"):
        project.store.delete(video, pl.DataFrame({"video_id": ["v1"]}))


def test_a_delete_of_a_null_id_is_refused(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a"))
    with project.refuses(NullId, "'video'", "'id'", "row 1"):
        project.store.delete(video, pl.DataFrame({"id": ["v1", None]}))


def test_a_delete_by_ids_of_another_type_is_refused(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a"))
    with project.refuses(WrongColumnType, "'video'", "'id'", "int64", "string", "Cast it"):
        project.store.delete(video, pl.DataFrame({"id": [1]}))


def test_a_delete_by_an_unknown_column_is_refused(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, with_path(project, "a", "v1"))
    with project.refuses(UnknownColumn, "'video'", "'paht'", "did you mean 'path'?"):
        project.store.delete(video, filters="paht = 'a'")


def test_erasing_a_former_child_leaves_its_parent_processed(project: Project) -> None:
    video = project.feature("video")
    dep = mx.FeatureDep(feature=video, columns=[], lineage=mx.expansion())
    clip = project.feature("clip", deps=[dep], ids=["clip"])
    for version, clips in (("1", ["c1", "c2"]), ("2", ["c1"])):
        project.process(video, project.samples(v1=version))
        found = next(project.store.resolve_update(clip).batches())
        children = pl.DataFrame({"clip": clips, "id": "v1"}).join(found, on="id")
        project.store.write(clip, children, processed=found)

    project.store.delete(clip, pl.DataFrame({"clip": ["c2"]}), hard=True)

    assert project.counts(clip) == mx.Counts()
    assert project.records(clip, include_deleted=True) == [{"clip": "c1", "id": "v1"}]


def test_deleting_from_a_store_that_is_not_there_makes_none(
    graph: mx.FeatureGraph, tmp_path: Path
) -> None:
    spec = mx.FeatureSpec(key="video", id_columns=["id"])
    graph.add(FeatureDefinition(spec=spec))
    with mx.DuckDBMetadataStore(tmp_path / "metadata.duckdb") as store:
        assert store.delete("video", filters="id = 'v1'") is None
        assert store.compact("video") is None
        with pytest.raises(UnknownColumn, match="'ids'"):
            store.delete("video", filters="ids = 'v1'")
    assert not (tmp_path / "metadata.duckdb").exists()


def test_a_hard_delete_counts_records_and_rows_apart(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    for path in "abc":
        project.store.write(video, with_path(project, path, "v1", "v2"))
    project.store.delete(video, filters="id = 'v2'")
    commit = project.store.delete(video, pl.DataFrame({"id": ["v1", "v2"]}), hard=True)
    assert commit is not None
    assert (commit.rows, commit.deleted) == (7, 1)
