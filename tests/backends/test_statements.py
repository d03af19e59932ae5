"""An increment is compared once, and the same question again compiles nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project


class Watched:
    """A snapshot or transaction that notes the queries whose rows it sets aside."""

    def __init__(self, session: Any, kept: list[str]) -> None:
        self._session = session
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def keep(self, sql: str, *name: str) -> Any:
        self._kept.append(sql)
        return self._session.keep(sql, *name)


@pytest.fixture
def kept(store: mx.MetadataStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The comparisons that the store runs."""
    found: list[str] = []
    snapshot = store._parts.backend.snapshot

    @contextmanager
    def watched() -> Iterator[Watched]:
        with snapshot() as session:
            yield Watched(session, found)

    monkeypatch.setattr(store._parts.backend, "snapshot", watched)
    return found


@pytest.fixture
def built(store: mx.MetadataStore, monkeypatch: pytest.MonkeyPatch) -> list[Hashable]:
    """The keys of the expressions that were built to be compiled."""
    found: list[Hashable] = []
    compiled = store._parts.backend.sql

    def watched(build: Callable[[], Any], key: Hashable = None) -> str:
        def noted() -> Any:
            found.append(key)
            return build()

        return compiled(noted, key)

    monkeypatch.setattr(store._parts.backend, "sql", watched)
    return found


@pytest.fixture
def copy(project: Project) -> type[mx.Feature]:
    """A feature of two deps, with a record that is new and one that is stale."""
    video, label = project.feature("video"), project.feature("label")
    copy = project.feature("copy", deps=[video, label])
    for root in (video, label):
        project.store.write(root, project.samples(v1="a"))
    project.process(copy)
    for root in (video, label):
        project.store.write(root, project.samples(v1="b", v2="b"))
    return copy


def test_new_stale_counts_and_batches_come_from_one_comparison(
    project: Project, copy: type[mx.Feature], kept: list[str]
) -> None:
    increment = project.store.resolve_update(copy)
    assert increment.counts == mx.Counts(new=1, stale=1)
    assert increment.new["id"].to_list() == ["v2"]
    assert increment.stale["id"].to_list() == ["v1"]
    assert pl.concat(increment.batches(1)).height == 2
    assert len(kept) == 1


def test_the_same_question_again_builds_no_expression(
    project: Project, copy: type[mx.Feature], built: list[Hashable]
) -> None:
    first = project.store.resolve_update(copy)
    assert first.counts == mx.Counts(new=1, stale=1)
    first.close()
    built.clear()
    assert project.store.resolve_update(copy).counts == first.counts
    assert built == []
