"""Commits order everything: the latest row of an id is its state, whatever the clock says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project


def test_commits_are_numbered_in_their_order_over_all_features(project: Project) -> None:
    video, audio = project.feature("video"), project.feature("audio")
    commits = [
        project.store.write(video, project.samples(v1="a")),
        project.store.write(audio, project.samples(v1="a", v2="a")),
        project.store.write(video, project.samples(v1="b", v2="b")),
        project.store.delete(video, filters="id = 'v2'"),
        project.store.delete(audio, filters="id = 'v2'", hard=True),
    ]
    told = [(c.id, str(c.feature), c.operation, c.rows, c.superseded) for c in commits if c]
    assert told == [
        (1, "video", "write", 1, 0),
        (2, "audio", "write", 2, 0),
        (3, "video", "write", 2, 1),
        (4, "video", "delete", 1, 1),
        (5, "audio", "hard_delete", 1, 0),
    ]
    assert project.store.history(video).last == commits[3]
    assert project.store.history(audio).last == commits[4]


def test_writes_of_one_id_in_quick_succession_are_ordered_by_their_commits(
    project: Project,
) -> None:
    video = project.feature("video", columns={"take": int})
    for take in range(20):
        project.store.write(video, project.samples(v1="a").with_columns(take=pl.lit(take)))
    assert project.records(video) == [{"id": "v1", "take": 19}]
    takes = project.store.read(video, history=True).to_polars().sort("metaxy_commit")["take"]
    assert takes.to_list() == list(range(20))


def test_a_record_that_was_not_written_again_keeps_its_commit(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.store.write(video, project.samples(v2="b", v3="b"))
    frame = project.store.read(video, columns=["id", "metaxy_commit"]).to_polars()
    assert sorted(frame.rows()) == [("v1", 1), ("v2", 2), ("v3", 2)]


def test_a_frame_without_rows_makes_no_commit(project: Project) -> None:
    video = project.feature("video")
    samples = project.samples(v1="a")
    assert project.store.write(video, samples.head(0)) is None
    assert project.store.history(video).last is None
    increment = project.store.resolve_update(video, samples)
    assert project.store.write(video, increment.new.head(0)) is None
    assert project.records(video) == []


def test_a_commit_remembers_what_made_it(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a", v2="a"), materialization_id="run-1")
    project.store.delete(video, filters="id = 'v1'", materialization_id="run-2")
    columns = ["id", "metaxy_materialization_id"]
    frame = project.store.read(video, columns=columns, include_deleted=True).to_polars()
    assert sorted(frame.rows()) == [("v1", "run-2"), ("v2", "run-1")]
    last = project.store.history(video).last
    assert last is not None
    assert last.materialization_id == "run-2"


def test_history_says_what_the_commits_add_up_to(project: Project) -> None:
    video = project.feature("video")
    said = []
    for change in (
        lambda: project.store.write(video, project.samples(v1="a", v2="a")),
        lambda: project.store.write(video, project.samples(v1="b")),
        lambda: project.store.delete(video, filters="id = 'v1'"),
    ):
        change()
        history = project.store.history(video)
        said.append((history.superseding, history.deleting))
    assert said == [(False, False), (True, False), (True, True)]


def test_count_is_the_number_of_records_not_of_rows(project: Project) -> None:
    video = project.feature("video")
    assert project.store.count(video) == 0
    project.store.write(video, project.samples(v1="a", v2="a"))
    project.store.write(video, project.samples(v2="b", v3="b"))
    project.store.delete(video, filters="id = 'v1'")
    assert project.store.count(video) == 2


def test_what_was_written_is_there_when_the_store_is_opened_again(
    project: Project, tmp_path: Path
) -> None:
    video = project.feature("video")
    copy = project.feature("copy", deps=[video])
    path = tmp_path / "metadata.duckdb"
    with mx.DuckDBMetadataStore(path) as store:
        store.write(video, project.samples(v1="a", v2="a"))
        store.write(copy, store.resolve_update(copy).new)
        store.write(video, project.samples(v1="b"))
        store.delete(video, filters="id = 'v2'")
        before = store.read(video, history=True, include_deleted=True).to_polars()
        counts = store.resolve_update(copy).counts
    with mx.DuckDBMetadataStore(path) as store:
        after = store.read(video, history=True, include_deleted=True).to_polars()
        assert after.sort("metaxy_commit", "id").equals(before.sort("metaxy_commit", "id"))
        assert store.resolve_update(copy).counts == counts == mx.Counts(stale=1, orphaned=1)


def test_one_store_s_write_is_seen_by_another_that_is_open(
    project: Project, tmp_path: Path
) -> None:
    video = project.feature("video")
    path = tmp_path / "metadata.duckdb"
    with mx.DuckDBMetadataStore(path) as writer, mx.DuckDBMetadataStore(path) as reader:
        assert reader.count(video) == 0
        writer.write(video, project.samples(v1="a"))
        assert reader.count(video) == 1
        assert reader.resolve_update(video, project.samples(v1="a")).counts == mx.Counts()
        reader.write(video, project.samples(v2="a"))
        assert writer.count(video) == 2


def test_a_write_inside_a_read_of_the_same_file_works(project: Project, tmp_path: Path) -> None:
    video = project.feature("video")
    copy = project.feature("copy", deps=[video])
    path = tmp_path / "metadata.duckdb"
    with mx.DuckDBMetadataStore(path) as first:
        first.write(video, project.samples(v1="a", v2="a", v3="a"))
    with mx.DuckDBMetadataStore(path, read_only=True) as reading:
        increment = reading.resolve_update(copy)
        for frame in increment.batches(1):
            with mx.DuckDBMetadataStore(path) as writing:
                writing.write(copy, frame)
        assert reading.count(copy) == 3
        assert increment.counts == mx.Counts(new=3)


def test_an_increment_may_be_written_through_another_store_object(
    project: Project, tmp_path: Path
) -> None:
    video = project.feature("video")
    path = tmp_path / "metadata.duckdb"
    with mx.DuckDBMetadataStore(path) as first, mx.DuckDBMetadataStore(path) as second:
        second.write(video, first.resolve_update(video, project.samples(v1="a")).new)
        assert not first.resolve_update(video, project.samples(v1="a")).counts
