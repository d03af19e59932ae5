"""Increments are forgotten whenever the interpreter gets to it, which may be at any time."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project


def kept_tables(store: mx.MetadataStore) -> int:
    """Tables of increments that are left once the store is used again."""
    store.snapshots()
    backend: Any = store._parts.backend
    query = "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'metaxy_kept_%'"
    return backend.connection.execute(query).fetchone()[0]


def test_a_forgotten_increment_leaves_no_table_behind(project: Project) -> None:
    video = project.feature("video")
    for _ in range(5):
        project.counts(video, project.samples(v1="a"))
    gc.collect()
    assert kept_tables(project.store) == 0


def test_an_increment_that_is_part_of_a_circle_is_released_too(project: Project) -> None:
    video = project.feature("video")
    increment: Any = project.store.resolve_update(video, project.samples(v1="a"))
    increment.itself = increment
    assert kept_tables(project.store) == 1
    del increment
    gc.collect()
    assert kept_tables(project.store) == 0


def test_a_released_increment_may_be_released_again(project: Project) -> None:
    video = project.feature("video")
    increment = project.store.resolve_update(video, project.samples(v1="a"))
    fetched = increment.new
    increment.close()
    increment.close()
    assert increment.new is fetched
    assert kept_tables(project.store) == 0


def test_an_increment_forgotten_after_the_store_was_closed_does_no_harm(project: Project) -> None:
    video = project.feature("video")
    increment = project.store.resolve_update(video, project.samples(v1="a"))
    project.store.close()
    increment.close()


def test_an_increment_forgotten_while_a_commit_is_made_does_not_disturb_it(
    project: Project,
) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a"))
    increment = project.store.resolve_update(video, project.samples(v2="a"))
    backend: Any = project.store._parts.backend

    with backend.transaction() as transaction:
        increment.close()
        added = transaction.append("video", "SELECT * FROM metaxy_store.main.video")

    assert added == 1
    assert kept_tables(project.store) == 0


def test_an_increment_forgotten_while_a_commit_fails_does_not_disturb_the_next_increment(
    project: Project,
) -> None:
    video = project.feature("video")
    increment = project.store.resolve_update(video, project.samples(v1="a"))
    backend: Any = project.store._parts.backend

    def failing_commit() -> None:
        with backend.transaction():
            increment.close()
            raise InterruptedError

    with pytest.raises(InterruptedError):
        failing_commit()

    assert project.counts(video, project.samples(v1="a")) == mx.Counts(new=1)
