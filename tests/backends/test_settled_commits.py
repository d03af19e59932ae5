"""What was found up to date and has not been touched since is not looked at again.

To see what is looked at, rows are taken out of tables behind the catalog's back: whoever reads the
table notices, and nobody else does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest

import metaxy_core as mx
from metaxy_core.store.settling import Limits
from metaxy_core.store.tables import COMMITS, SETTLED
from tests.backends.backups import Backup
from tests.backends.limits import limited

if TYPE_CHECKING:
    from tests.conftest import Project

Opened = Callable[[], mx.MetadataStore]
PEER = Path(__file__).with_name("peer.py")


@pytest.fixture(autouse=True)
def _few_rows() -> Iterator[None]:
    """Candidates are looked for in small tables too."""
    with limited(Limits(rows=0, share=0.4, left=1.0, awaiting=0.0, before=2)):
        yield


@pytest.fixture
def copy(project: Project, videos: type[mx.Feature]) -> type[mx.Feature]:
    """A feature of which every record is up to date, as is known."""
    feature = project.feature("copy", deps=[videos])
    project.process(feature)
    assert not project.counts(feature)
    return feature


def lose(store: mx.MetadataStore, table: str, column: str, value: object) -> None:
    """Take rows out of a table without a commit."""
    staged = store.backend.stage("lost", pa.table({column: [value]}))
    with store.backend.transaction() as transaction:
        assert transaction.remove(table, staged, [column])
    store.backend.drop(staged)


def remembered(store: mx.MetadataStore) -> int:
    """Of how many features the store knows what is settled."""
    with store.backend.snapshot() as snapshot:
        return len(store._parts.tables.rows(snapshot, lambda: store._parts.tables[SETTLED]))


# ------------------------------------------------------------------ what is looked at


def test_where_nothing_was_done_no_table_of_records_is_read(project: Project, copy: type) -> None:
    lose(project.store, "copy", "id", "v3")
    increment = project.store.resolve_update(copy)
    assert not increment.counts
    assert increment.new.is_empty()
    assert increment.new.columns[0] == "id"
    assert list(increment.batches()) == []


def test_of_a_change_only_the_records_that_it_touched_are_compared(
    project: Project, videos: type, copy: type
) -> None:
    lose(project.store, "copy", "id", "v3")
    project.store.write(videos, project.samples(v1="b"))
    assert project.counts(copy) == mx.Counts(stale=1)


def test_a_deletion_is_a_change(project: Project, videos: type, copy: type) -> None:
    lose(project.store, "copy", "id", "v3")
    project.store.delete(videos, filters="id = 'v5'")
    assert project.store.resolve_update(copy).orphaned["id"].to_list() == ["v5"]


def test_what_was_done_is_settled_once_it_was_looked_at(
    project: Project, videos: type, copy: type
) -> None:
    project.store.write(videos, project.samples(v1="b", v11="a"))
    assert project.process(copy) == mx.Counts(new=1, stale=1)
    assert not project.counts(copy)
    lose(project.store, "copy", "id", "v1")
    assert not project.counts(copy)


def test_changed_code_is_compared_with_everything(project: Project, videos: type) -> None:
    copy = project.feature("copy", deps=[videos])
    project.process(copy)
    project.counts(copy)
    bumped = project.feature("copy", fields={"default": "2"}, deps=[videos])
    assert project.counts(bumped) == mx.Counts(stale=10)
    again = project.feature("copy", deps=[videos])
    assert not project.counts(again)


def test_code_bumped_upstream_blocks_what_was_settled(project: Project) -> None:
    video = project.feature("video")
    project.process(video, project.samples(v1="a", v2="a"))
    label = project.feature("label", deps=[video])
    copy = project.feature("copy", deps=[label])
    for feature in (label, copy):
        project.process(feature)
    assert not project.counts(copy)
    label = project.feature("label", fields={"default": "2"}, deps=[video])
    copy = project.feature("copy", deps=[label])
    assert project.counts(copy) == mx.Counts(blocked=2)


@pytest.mark.parametrize("erase", ["hard", "compact"])
def test_after_rows_were_erased_everything_is_compared(
    project: Project, videos: type, copy: type, erase: str
) -> None:
    project.store.write(videos, project.samples(v1="b"))
    project.process(copy)
    assert not project.counts(copy)
    lose(project.store, "copy", "id", "v3")
    if erase == "hard":
        project.store.delete(videos, filters="id = 'v5'", hard=True)
    else:
        project.store.compact(videos)
    assert project.counts(copy) == mx.Counts(new=1, orphaned=int(erase == "hard"))


def test_a_commit_that_arrives_late_is_not_overlooked(
    project: Project, videos: type, copy: type
) -> None:
    """A writer on another machine took its number before others, and commits after them."""
    project.store.write(videos, project.samples(v1="b"))
    project.process(copy)
    early = project.store.write(videos, project.samples(v2="b"))
    later = project.store.write(videos, project.samples(v3="b"))
    store = project.store
    catalog = store._parts.catalog
    with store.backend.snapshot() as snapshot:
        (late,) = (c for c in catalog.commits_of(snapshot, early.feature, None) if c.id == early.id)
    with store.backend.snapshot() as snapshot:
        rows = snapshot.fetch(store.backend.sql(lambda: snapshot.table("video"))).to_pylist()
    lose(store, "video", "metaxy_commit", early.id)
    lose(store, COMMITS, "metaxy_commit", early.id)
    assert project.process(copy) == mx.Counts(stale=1)
    assert not project.counts(copy)

    kept = [row for row in rows if row["metaxy_commit"] == early.id]
    staged = store.backend.stage("late", pa.Table.from_pylist(kept))
    with store.backend.transaction() as transaction:
        transaction.append("video", store.backend.sql(lambda: staged))
        catalog.add(transaction, late)
    store.backend.drop(staged)
    assert later.id > late.id
    assert project.store.resolve_update(copy).stale["id"].to_list() == ["v2"]


# ------------------------------------------------------------------ what is left


def test_a_record_that_always_fails_does_not_keep_the_others_from_being_settled(
    project: Project, videos: type, copy: type
) -> None:
    project.store.write(videos, project.samples(v1="b", v2="b", v3="b"))
    increment = project.store.resolve_update(copy)
    project.store.write(copy, increment.stale.filter(pl.col("id") != "v2"))
    for _ in range(2):
        assert project.store.resolve_update(copy).stale["id"].to_list() == ["v2"]
    lose(project.store, "copy", "id", "v7")
    assert project.store.resolve_update(copy).stale["id"].to_list() == ["v2"]
    project.store.write(copy, project.store.resolve_update(copy).stale)
    assert not project.counts(copy)


def test_with_a_limit_or_a_filter_nothing_is_settled(
    project: Project, videos: type, copy: type
) -> None:
    project.store.write(videos, project.samples(v1="b", v2="b"))
    assert project.store.resolve_update(copy, limit=1).counts == mx.Counts(stale=1)
    assert not project.store.resolve_update(copy, filters="id = 'v9'").counts
    assert project.counts(copy) == mx.Counts(stale=2)


def test_what_failed_too_often_is_left_and_comes_back(
    project: Project, videos: type, copy: type
) -> None:
    project.store.write(videos, project.samples(v1="b", v2="b"))
    project.store.record_failure(copy, ["v1"], "out of memory")
    found = project.store.resolve_update(copy, max_attempts=1)
    assert (found.counts, found.failed) == (mx.Counts(stale=1), 1)
    project.store.write(copy, found.stale)
    assert project.store.resolve_update(copy, max_attempts=1).failed == 1
    assert project.counts(copy) == mx.Counts(stale=1)


# ------------------------------------------------------------------ lineage


def test_a_member_that_moves_touches_the_group_that_it_left(project: Project) -> None:
    clip = project.feature("clip", columns={"video": str})
    samples = project.samples(c1="a", c2="a", c3="a", c4="a")
    project.process(clip, samples.with_columns(video=pl.Series(["v1", "v1", "v2", "v3"])))
    album = project.feature(
        "album", ids=["video"], deps=[mx.FeatureDep(feature=clip, lineage=mx.aggregation())]
    )
    project.process(album)
    assert not project.counts(album)
    lose(project.store, "album", "video", "v3")
    moved = project.samples(c2="a").with_columns(video=pl.lit("v2"))
    project.store.write(clip, moved)
    assert project.store.resolve_update(album).stale["video"].sort().to_list() == ["v1", "v2"]


def test_a_coarser_dep_touches_every_record_that_belongs_to_it(project: Project) -> None:
    video = project.feature("video", ids=["video_id"])
    frame = project.feature("frame", ids=["video_id", "number"])
    video_ids = [f"v{i}" for i in range(4)]
    versions = [{"default": "a"}] * 4
    videos = pl.DataFrame({"video_id": video_ids, "metaxy_provenance_by_field": versions})
    frames = videos.join(pl.DataFrame({"number": [1, 2]}), how="cross")
    project.process(video, videos)
    project.process(frame, frames)
    box = project.feature("box", ids=["video_id", "number"], deps=[frame, video])
    project.process(box)
    assert not project.counts(box)
    lose(project.store, "box", "video_id", "v3")
    changed = videos.head(1).with_columns(metaxy_provenance_by_field=pl.struct(default=pl.lit("b")))
    project.store.write(video, changed)
    stale = project.store.resolve_update(box).stale
    assert sorted(stale.select("video_id", "number").rows()) == [("v0", 1), ("v0", 2)]


def test_a_member_that_changes_leaves_the_others_in_its_group(project: Project) -> None:
    """The group is a part of the members' id, so that several of them have it."""
    clip = project.feature("clip", ids=["video", "number"])
    ids = pl.DataFrame({"video": ["v1", "v1", "v1", "v2"], "number": [1, 2, 3, 1]})
    samples = ids.with_columns(metaxy_provenance_by_field=pl.struct(default=pl.lit("a")))
    project.process(clip, samples)
    dep = mx.FeatureDep(feature=clip, lineage=mx.aggregation(on=["video"]))
    album = project.feature("album", ids=["video"], deps=[dep])
    project.process(album)
    assert not project.counts(album)
    project.store.write(clip, samples.head(1))
    assert not project.counts(album)
    project.store.delete(clip, ids.head(1))
    assert project.process(album) == mx.Counts(stale=1)
    assert not project.counts(album)


def test_a_changed_parent_is_found_and_its_orphaned_children_are_told(project: Project) -> None:
    video = project.feature("video")
    project.process(video, project.samples(v1="a", v2="a", v3="a"))
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion(on=["id"]))
    crop = project.feature("crop", ids=["id", "number"], deps=[dep])
    increment = project.store.resolve_update(crop)
    numbers = pl.DataFrame({"number": [1, 2]})
    project.store.write(crop, increment.new.join(numbers, how="cross"))
    assert not project.counts(crop)
    lose(project.store, "metaxy__parents__crop", "id", "v3")
    project.store.write(video, project.samples(v1="b"))
    project.store.delete(video, filters="id = 'v2'")
    found = project.store.resolve_update(crop)
    assert found.counts == mx.Counts(stale=1, orphaned=2)
    assert found.orphaned["id"].to_list() == ["v2", "v2"]


# ------------------------------------------------------------------ what cannot be remembered


def test_what_was_left_under_other_ids_does_not_get_in_the_way(project: Project) -> None:
    video = project.feature("video")
    project.process(video, project.samples(v1="a", v2="a"))
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion(on=["id"]))
    crop = project.feature("crop", ids=["id", "number"], deps=[dep])
    assert project.counts(crop) == mx.Counts(new=2)
    box = project.feature("box", ids=["id", "number"])
    boxes = pl.DataFrame({"id": ["v1", "v2"], "number": [1, 1]})
    versions = pl.struct(default=pl.lit("a"))
    project.process(box, boxes.with_columns(metaxy_provenance_by_field=versions))
    crop = project.feature("crop", ids=["id", "number"], deps=[box])
    for _ in range(2):
        assert project.counts(crop) == mx.Counts(new=2)


def test_an_answer_holds_where_it_cannot_be_remembered(
    project: Project,
    videos: type,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    copy = project.feature("copy", deps=[videos])

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(project.store._parts.tables, "append", full)
        assert project.counts(copy) == mx.Counts(new=10)
    assert "'copy' is not remembered" in caplog.text
    assert remembered(project.store) == 0
    assert project.counts(copy) == mx.Counts(new=10)
    assert remembered(project.store) == 1


# ------------------------------------------------------------------ a table rewritten as a whole


def test_rows_before_a_rewrite_of_all_records_are_not_read(
    project: Project, videos: type, copy: type
) -> None:
    everything = {f"v{i}": "b" for i in range(10)}
    project.store.write(videos, project.samples(**everything))
    lose(project.store, "video", "metaxy_commit", 1)
    project.store.write(videos, project.samples(v1="c"))
    assert project.process(copy) == mx.Counts(stale=10)
    assert not project.counts(copy)


def test_a_rewrite_of_most_records_hides_none_of_the_others(
    project: Project, videos: type, copy: type
) -> None:
    project.store.write(videos, project.samples(**{f"v{i}": "b" for i in range(1, 10)}))
    assert project.counts(copy) == mx.Counts(stale=9)
    project.store.write(videos, project.samples(v10="a"))
    assert project.counts(copy) == mx.Counts(new=1, stale=9)


def test_ids_of_other_columns_are_no_rewrite_of_all_records(project: Project) -> None:
    version = mx.FieldSpec(key="default", version_from=["x"])
    shot = project.feature("shot", ids=["id"], fields=[version])
    for x in (1, 2):
        project.store.write(shot, pl.DataFrame({"id": ["a"], "x": [x]}))
    take = project.feature("shot", ids=["id", "x"], fields=[version])
    project.store.write(take, pl.DataFrame({"id": ["a"], "x": [2]}))
    copy = project.feature("copy", ids=["id", "x"], deps=[take])
    assert project.store.resolve_update(copy).new.select("id", "x").sort("x").rows() == [
        ("a", 1),
        ("a", 2),
    ]


@pytest.mark.parametrize("change", ["rebase", "hard deletion"])
@pytest.mark.needs("durable")
def test_what_a_branch_did_is_no_rewrite_without_its_fallback(
    project: Project, opened: Opened, change: str, tmp_path: Path
) -> None:
    """A branch writes rows of records that it had none of, which count as none of its ids."""
    fields = {"default": "1"}
    video = project.feature("video", fields=fields)
    project.store.write(video, project.samples(v1="a", v2="a", v3="a"))
    path = tmp_path / "branch.duckdb"
    with mx.DuckDBMetadataStore(path, fallback=[opened()]) as branch:
        if change == "rebase":
            video = project.feature("video", fields={"default": "2"})
            samples = project.samples(v1="a", v2="a", v3="a")
            assert branch.rebase(video, samples=samples).records == 3
        else:
            branch.write(video, project.samples(v9="a"))
            branch.delete(video, filters="id = 'v1'", hard=True)
    with mx.DuckDBMetadataStore(path) as alone:
        alone.write(video, project.samples(v1="b"))
        copy = project.feature("copy", deps=[video])
        found = alone.resolve_update(copy).new["id"].sort().to_list()
    assert found == (["v1", "v2", "v3"] if change == "rebase" else ["v1", "v9"])


# ------------------------------------------------------------------ others at the same store


@pytest.mark.needs("files")
def test_a_store_that_is_replaced_by_another_is_read_anew(
    project: Project, videos: type, copy: type, opened: Opened, tmp_path: Path
) -> None:
    """The copy has as many commits as what it replaces, but others."""
    backup = Backup(tmp_path)
    project.store.write(videos, project.samples(v1="b"))
    assert project.counts(copy) == mx.Counts(stale=1)
    backup.put_back()
    opened().delete(videos, filters="id = 'v2'")
    assert project.counts(copy) == mx.Counts(orphaned=1)


@pytest.mark.needs("durable")
def test_what_is_settled_is_known_to_who_opens_the_store_later(
    project: Project, copy: type, opened: Opened
) -> None:
    lose(project.store, "copy", "id", "v3")
    assert not opened().resolve_update(copy).counts


@pytest.mark.needs("durable")
def test_a_store_notices_what_another_object_did_to_it(
    project: Project, videos: type, copy: type, opened: Opened
) -> None:
    other = opened()
    other.write(videos, project.samples(v1="b"))
    assert project.counts(copy) == mx.Counts(stale=1)
    other.write(copy, other.resolve_update(copy).stale)
    assert not project.counts(copy)
    other.write(videos, project.samples(v2="b"))
    assert project.counts(copy) == mx.Counts(stale=1)


@pytest.mark.needs("durable")
def test_a_write_that_is_taken_back_is_not_remembered(
    project: Project, videos: type, copy: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = project.store._parts.catalog.add

    def broken(transaction, commit):
        record(transaction, commit)
        project.store._parts.catalog.histories(transaction, [commit.feature])
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(project.store._parts.catalog, "add", broken)
        with pytest.raises(InterruptedError):
            project.store.write(videos, project.samples(v1="b"))
    assert not project.counts(copy)
    project.store.write(videos, project.samples(v2="b"))
    assert project.store.resolve_update(copy).stale["id"].to_list() == ["v2"]


@pytest.mark.needs("durable")
def test_over_a_production_store_nothing_is_remembered(
    project: Project, copy: type, opened: Opened
) -> None:
    before = remembered(project.store)
    with mx.DuckDBMetadataStore(":memory:", fallback=[opened()]) as branch:
        assert not branch.resolve_update(copy).counts
        with branch.backend.snapshot() as snapshot:
            assert not snapshot.has(SETTLED)
    assert remembered(project.store) == before


@pytest.mark.slow
@pytest.mark.needs("processes")
def test_processes_that_change_process_and_break_off_at_once_lose_nothing(
    project: Project, videos: type, copy: type, opened: Opened, kind, tmp_path: Path
) -> None:
    """Each changes records, does part of the work, and is killed between a write and a look."""
    commands = [[sys.executable, PEER, kind.name, tmp_path, str(seed)] for seed in range(3)]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    for peer in started:
        assert peer.communicate(timeout=600)[1] == ""
        assert peer.returncode == -9
    found = opened().resolve_update(copy)
    lose(project.store, SETTLED, "feature", "copy")
    whole = opened().resolve_update(copy)
    assert found.counts == whole.counts
    assert sorted(found.stale["id"]) == sorted(whole.stale["id"])
    assert sorted(found.new["id"]) == sorted(whole.new["id"])
    project.process(copy)
    assert not project.counts(copy)
