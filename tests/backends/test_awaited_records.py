"""Where many records differ, it is known what would settle them: that just these are written.

As in ``test_settled_commits``, rows are taken out of tables behind the catalog's back to see what
is looked at. Here nothing is remembered record by record, so that all depends on what is awaited.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.compute as pc
import pytest

import metaxy_core as mx
from metaxy_core.store.settling import LIMITS, Limits
from metaxy_core.store.tables import SETTLED
from tests.backends.limits import limited
from tests.backends.test_settled_commits import lose

if TYPE_CHECKING:
    from tests.conftest import Project

Opened = Callable[[], mx.MetadataStore]


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    none_left = Limits(
        rows=0, share=math.inf, candidates=math.inf, left=0.0, awaiting=0.0, before=2
    )
    with limited(none_left):
        yield


@pytest.fixture
def copy(project: Project, videos: type[mx.Feature]) -> type[mx.Feature]:
    return project.feature("copy", deps=[videos])


def awaited(store: mx.MetadataStore) -> list[int]:
    """How many records are awaited, in all that is remembered."""
    tables = store._parts.tables
    with store.backend.snapshot() as snapshot:
        rows = tables.rows(snapshot, lambda: tables[SETTLED])
    return sorted(row["awaited"] for row in rows)


@contextmanager
def hidden(store: mx.MetadataStore, table: str, value: str) -> Iterator[None]:
    """Take the rows of a record out of a table without a commit, and put them back."""
    with store.backend.snapshot() as snapshot:
        rows = snapshot.fetch(store.backend.sql(lambda: snapshot.table(table)))
    lose(store, table, "id", value)
    yield
    staged = store.backend.stage("found", rows.filter(pc.equal(rows["id"], value)))
    with store.backend.transaction() as transaction:
        transaction.append(table, store.backend.sql(lambda: staged))
    store.backend.drop(staged)


def test_a_whole_increment_that_was_written_is_settled_without_a_look(
    project: Project, copy: type
) -> None:
    assert project.process(copy) == mx.Counts(new=10)
    lose(project.store, "copy", "id", "v3")
    assert not project.counts(copy)
    assert awaited(project.store) == [0]


def test_it_may_come_in_pieces_and_in_any_order(project: Project, videos: type, copy: type) -> None:
    pieces = list(project.store.resolve_update(copy).batches(3))
    for piece in reversed(pieces):
        project.store.write(copy, piece)
    lose(project.store, "copy", "id", "v3")
    assert not project.counts(copy)


def test_while_a_piece_is_missing_all_records_are_compared(project: Project, copy: type) -> None:
    first, *_, last = project.store.resolve_update(copy).batches(3)
    project.store.write(copy, first)
    lose(project.store, "copy", "id", first["id"][0])
    assert project.counts(copy) == mx.Counts(new=8)
    project.store.write(copy, last)
    assert project.counts(copy) == mx.Counts(new=7)


def test_what_is_left_after_some_was_written_is_awaited_in_turn(
    project: Project, copy: type
) -> None:
    first, *rest = project.store.resolve_update(copy).batches(3)
    project.store.write(copy, first)
    assert project.counts(copy) == mx.Counts(new=7)
    for piece in rest:
        project.store.write(copy, piece)
    lose(project.store, "copy", "id", "v3")
    assert not project.counts(copy)


def test_a_change_upstream_while_work_is_done_is_found(
    project: Project, videos: type, copy: type
) -> None:
    increment = project.store.resolve_update(copy)
    project.store.write(videos, project.samples(v1="b", v11="a"))
    project.store.write(copy, increment.new)
    lose(project.store, "copy", "id", "v3")
    assert project.counts(copy) == mx.Counts(new=1, stale=1)


def test_a_change_between_two_pieces_is_found(project: Project, videos: type, copy: type) -> None:
    first, *rest = project.store.resolve_update(copy).batches(3)
    project.store.write(copy, first)
    project.store.write(videos, project.samples(**{str(first["id"][0]): "b"}))
    for piece in rest:
        project.store.write(copy, piece)
    lose(project.store, "copy", "id", rest[0]["id"][0])
    assert project.counts(copy) == mx.Counts(stale=1)
    lose(project.store, "copy", "id", rest[0]["id"][1])
    assert project.counts(copy) == mx.Counts(stale=1)  # what had come before stays settled


def test_of_a_change_after_the_work_only_its_records_are_compared(
    project: Project, videos: type, copy: type
) -> None:
    project.process(copy)
    project.store.write(videos, project.samples(**{f"v{i}": "b" for i in range(4)}))
    lose(project.store, "copy", "id", "v7")
    for _ in range(2):
        assert project.process(copy) == mx.Counts(stale=4)
        project.store.write(videos, project.samples(**{f"v{i}": "c" for i in range(4)}))
        assert project.counts(copy) == mx.Counts(stale=4)
        project.store.write(videos, project.samples(**{f"v{i}": "d" for i in range(4)}))


def test_the_right_number_of_other_records_settles_nothing(project: Project, copy: type) -> None:
    rows = project.store.resolve_update(copy).new
    twice = rows.head(1).with_columns(id=pl.lit("v77"))
    project.store.write(copy, pl.concat([rows.tail(9), twice]))
    assert project.counts(copy) == mx.Counts(new=1, orphaned=1)


def test_a_record_written_twice_is_not_two_records(project: Project, copy: type) -> None:
    rows = project.store.resolve_update(copy).new
    project.store.write(copy, rows.head(8))
    for _ in range(2):
        project.store.write(copy, rows.head(1))
    assert project.counts(copy) == mx.Counts(new=2)


def test_versions_that_two_records_exchanged_settle_nothing(project: Project, videos: type) -> None:
    """As a join that went wrong would; the ids and the versions are all there, one by one."""
    project.store.write(videos, project.samples(v0="b"))
    copy = project.feature("copy", deps=[videos])
    rows = project.store.resolve_update(copy).new.sort("id")
    names = [name for name in rows.columns if name.startswith("metaxy_")]
    swapped = rows.with_columns(pl.concat([rows[name][1:2], rows[name][:1], rows[name][2:]])
                                for name in names)  # fmt: skip
    project.store.write(copy, swapped)
    assert project.counts(copy) == mx.Counts(stale=2)


def test_a_deletion_among_the_pieces_settles_nothing(project: Project, copy: type) -> None:
    first, *rest = project.store.resolve_update(copy).batches(3)
    project.store.write(copy, first)
    project.store.delete(copy, first.select("id").head(1))
    for piece in rest:
        project.store.write(copy, piece)
    assert project.counts(copy) == mx.Counts(new=1)


def test_rows_erased_later_are_noticed(project: Project, videos: type, copy: type) -> None:
    project.process(copy)
    project.store.delete(copy, filters="id = 'v3'", hard=True)
    assert project.counts(copy) == mx.Counts(new=1)


def test_orphans_do_not_keep_the_work_from_being_settled(
    project: Project, videos: type, copy: type
) -> None:
    project.process(copy)
    assert not project.counts(copy)
    LIMITS.left = 0.4
    project.store.delete(videos, filters="id = 'v5'")
    project.store.write(videos, project.samples(**{f"v{i}": "b" for i in range(4)}))
    increment = project.store.resolve_update(copy)
    assert increment.counts == mx.Counts(stale=4, orphaned=1)
    project.store.write(copy, increment.stale)
    lose(project.store, "copy", "id", "v7")
    for _ in range(2):
        assert project.counts(copy) == mx.Counts(orphaned=1)


def test_what_is_left_for_good_does_not_keep_later_work_from_being_settled(
    project: Project, videos: type, copy: type
) -> None:
    project.process(copy)
    project.store.delete(videos, filters="id = 'v9'")
    LIMITS.left = 0.2
    assert project.counts(copy) == mx.Counts(orphaned=1)
    for version in "bcd":
        project.store.write(videos, project.samples(**{f"v{i}": version for i in range(8)}))
        increment = project.store.resolve_update(copy)
        assert increment.counts == mx.Counts(stale=8, orphaned=1)
        project.store.write(copy, increment.stale)
        with hidden(project.store, "copy", "v3"):
            for _ in range(2):
                assert project.counts(copy) == mx.Counts(orphaned=1)
    assert awaited(project.store) == [0]


@pytest.mark.parametrize("other", ["expansion", "renamed id"])
def test_records_written_under_another_definition_are_not_those_that_are_awaited(
    project: Project, videos: type, copy: type, other: str
) -> None:
    """The ids and the provenance are the same, but not what they are those of."""
    rows = project.store.resolve_update(copy).new
    if other == "expansion":
        dep = mx.FeatureDep(feature=videos, lineage=mx.expansion(on=["id"]))
        branch = project.feature("copy", ids=["id", "number"], deps=[dep])
    else:
        dep = mx.FeatureDep(feature=videos, rename={"id": "key"})
        branch = project.feature("copy", ids=["key"], deps=[dep])
    assert project.counts(branch) == mx.Counts(new=10)
    project.feature("copy", deps=[videos])
    project.store.write("copy", rows)
    if other == "expansion":
        branch = project.feature("copy", ids=["id", "number"], deps=[dep])
    else:
        branch = project.feature("copy", ids=["key"], deps=[dep])
    counts = project.counts(branch)
    assert (counts.new, counts.stale) == (10, 0)


def test_changed_code_awaits_other_records(project: Project, videos: type, copy: type) -> None:
    rows = project.store.resolve_update(copy).new
    bumped = project.feature("copy", fields={"default": "2"}, deps=[videos])
    assert project.counts(bumped) == mx.Counts(new=10)
    copy = project.feature("copy", deps=[videos])
    project.store.write(copy, rows)
    bumped = project.feature("copy", fields={"default": "2"}, deps=[videos])
    assert project.counts(bumped) == mx.Counts(stale=10)


def test_the_parents_of_an_expansion_are_awaited(project: Project, videos: type) -> None:
    dep = mx.FeatureDep(feature=videos, lineage=mx.expansion(on=["id"]))
    crop = project.feature("crop", ids=["id", "number"], deps=[dep])
    first, second = project.store.resolve_update(crop).batches(6)
    project.store.write(crop, first.join(pl.DataFrame({"number": [1, 2]}), how="cross"))
    childless = second.head(0).with_columns(number=pl.lit(1))
    project.store.write(crop, childless, processed=second)
    lose(project.store, "metaxy__parents__crop", "id", "v3")
    assert not project.counts(crop)
    project.store.write(videos, project.samples(v1="b"))
    assert project.counts(crop) == mx.Counts(stale=1)


def test_groups_are_awaited(project: Project) -> None:
    clip = project.feature("clip", columns={"video": str})
    samples = project.samples(c1="a", c2="a", c3="a")
    project.process(clip, samples.with_columns(video=pl.Series(["v1", "v1", "v2"])))
    dep = mx.FeatureDep(feature=clip, lineage=mx.aggregation())
    album = project.feature("album", ids=["video"], deps=[dep])
    project.process(album)
    lose(project.store, "album", "video", "v2")
    assert not project.counts(album)
    moved = project.samples(c2="a").with_columns(video=pl.lit("v2"))
    project.store.write(clip, moved)
    assert project.counts(album) == mx.Counts(new=1, stale=1)


@pytest.mark.needs("durable")
def test_who_writes_and_who_looks_need_not_be_who_resolved(
    project: Project, copy: type, opened: Opened
) -> None:
    rows = project.store.resolve_update(copy).new
    opened().write(copy, rows)
    lose(project.store, "copy", "id", "v3")
    assert not opened().resolve_update(copy).counts


def test_asking_again_remembers_nothing_twice(project: Project, copy: type) -> None:
    for _ in range(3):
        assert project.counts(copy) == mx.Counts(new=10)
    assert awaited(project.store) == [10]
