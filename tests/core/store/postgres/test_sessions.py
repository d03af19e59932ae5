"""A server ends sessions whenever it likes; a store says what that means, and begins another."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

import metaxy_core as mx
from metaxy_core.errors import ReadOnlyStore, SessionLost, StoreUnreachable, TransientError
from metaxy_core.store.backends import postgres
from metaxy_core.store.backends.postgres_connection import PostgresConnection

if TYPE_CHECKING:
    from tests.conftest import Project

pytestmark = pytest.mark.slow

End = Callable[[int], None]
Session = Callable[[mx.MetadataStore], int]


def kept_tables(store: mx.MetadataStore) -> int:
    """Tables of increments that the session has."""
    found = store.backend.fetch(
        "SELECT count(*) AS n FROM pg_class WHERE relname LIKE 'metaxy#_kept%' ESCAPE '#' "
        "AND relkind = 'r' AND relnamespace = pg_my_temp_schema()"
    )
    return int(found["n"][0].as_py())


@pytest.fixture
def video(project: Project, store: mx.MetadataStore) -> type[mx.Feature]:
    feature = project.feature("video")
    store.write(feature, project.samples(v1="a", v2="a"))
    return feature


def test_a_call_after_a_lost_session_says_so_and_the_next_one_works(
    project: Project, store: mx.MetadataStore, video: type[mx.Feature], end: End, session: Session
) -> None:
    end(session(store))
    with pytest.raises(SessionLost) as caught:
        store.count(video)
    assert isinstance(caught.value, TransientError)
    assert store.address in str(caught.value)
    assert "nothing was changed" in str(caught.value)
    assert "SELECT" not in str(caught.value)
    assert store.count(video) == 2

    end(session(store))
    with pytest.raises(SessionLost):
        store.write(video, project.samples(v3="a"))
    store.write(video, project.samples(v3="a"))
    assert store.count(video) == 3


def test_a_session_that_ended_while_it_was_idle_is_replaced_before_a_call(
    store: mx.MetadataStore,
    video: type[mx.Feature],
    end: End,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end(session(store))
    monkeypatch.setattr(postgres, "_IDLE", 0.0)
    assert store.count(video) == 2


def test_an_increment_of_a_lost_session_is_never_taken_for_another(
    project: Project, store: mx.MetadataStore, video: type[mx.Feature], end: End, session: Session
) -> None:
    samples = project.samples(v1="b", v2="b")
    held = store.resolve_update(video, samples)
    end(session(store))
    with pytest.raises(SessionLost):
        store.count(video)
    other = store.resolve_update(video, project.samples(v4="a"))
    with pytest.raises(StoreUnreachable, match="was lost; resolve it again"):
        len(held.stale)
    assert [row["id"] for row in project.rows(other.new)] == ["v4"]
    assert len(store.resolve_update(video, samples).stale) == 2


def test_an_increment_of_a_lost_session_is_released_without_a_word(
    project: Project,
    store: mx.MetadataStore,
    video: type[mx.Feature],
    end: End,
    session: Session,
    capfd: pytest.CaptureFixture[str],
) -> None:
    held = store.resolve_update(video, project.samples(v1="b"))
    end(session(store))
    del held
    gc.collect()
    assert capfd.readouterr().err == ""
    assert store.count(video) == 2


def test_a_session_that_is_lost_at_the_commit_leaves_its_outcome_open(
    project: Project,
    store: mx.MetadataStore,
    video: type[mx.Feature],
    end: End,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number, execute = session(store), PostgresConnection.execute

    def executed(self: PostgresConnection, sql: str) -> int:
        if sql == "COMMIT":
            end(number)
        return execute(self, sql)

    monkeypatch.setattr(PostgresConnection, "execute", executed)
    with pytest.raises(StoreUnreachable, match="whether it was made is not known") as caught:
        store.write(video, project.samples(v3="a"))
    assert not isinstance(caught.value, TransientError)
    monkeypatch.undo()
    assert store.count(video) == 2


def test_a_session_that_is_lost_in_a_transaction_is_not_begun_anew_within_it(
    store: mx.MetadataStore, video: type[mx.Feature], end: End, session: Session
) -> None:
    backend = store.backend
    table = backend.stored("video", {"id": "string"})
    sql = backend.sql(lambda: table)

    def went_on() -> None:
        with backend.transaction() as transaction:
            end(session(store))
            with pytest.raises(SessionLost):
                transaction.fetch(sql)
            transaction.append("video", sql)

    with pytest.raises(SessionLost):
        went_on()
    assert store.count(video) == 2


def test_an_increment_that_is_collected_in_the_middle_of_a_query_waits_for_its_end(
    project: Project,
    store: mx.MetadataStore,
    video: type[mx.Feature],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = store.resolve_update(video, project.samples(v1="b"))
    before = kept_tables(store)
    circle: dict[str, object] = {"held": store.resolve_update(video, project.samples(v2="b"))}
    circle["circle"] = circle
    cursor = store.backend.connection._cursor
    fetch = cursor.fetch_arrow_table

    def collected() -> object:
        gc.collect()
        return fetch()

    gc.disable()
    try:
        del circle
        with monkeypatch.context() as patched:
            patched.setattr(cursor, "fetch_arrow_table", collected)
            assert [row["id"] for row in project.rows(held.stale)] == ["v1"]
    finally:
        gc.enable()
    store.count(video)
    assert kept_tables(store) == before


@pytest.mark.parametrize("seconds", [math.inf, 3e6, 0])
def test_a_writer_may_wait_as_long_as_it_likes(
    project: Project, opened: Callable[..., mx.MetadataStore], seconds: float
) -> None:
    video = project.feature("video")
    store = opened(lock_timeout=seconds)
    store.write(video, project.samples(v1="a"))
    assert store.count(video) == 1


@pytest.mark.parametrize("is_closed", [True, False], ids=["closes", "uses"])
def test_a_forked_process_leaves_the_session_of_its_parent_alone(
    project: Project,
    store: mx.MetadataStore,
    video: type[mx.Feature],
    session: Session,
    is_closed: bool,
) -> None:
    own = session(store)
    held = store.resolve_update(video, project.samples(v1="b"))
    child = os.fork()
    if not child:
        try:
            if is_closed:
                store.close()
            elif session(store) == own:
                os._exit(1)
        except BaseException:  # noqa: BLE001 - the parent sees it
            os._exit(2)
        gc.collect()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert session(store) == own
    assert [row["id"] for row in project.rows(held.stale)] == ["v1"]


def test_a_user_whose_transactions_only_read_by_default_reads_a_store(
    project: Project, opened: Callable[..., mx.MetadataStore], video: type[mx.Feature]
) -> None:
    reads = {"parameters": {"options": "-c default_transaction_read_only=on"}}
    samples = project.samples(v1="b")
    with opened(read_only=True, **reads) as reader:
        assert reader.count(video) == 2
        assert reader.resolve_update(video, samples).counts == mx.Counts(stale=1, orphaned=1)
        with pytest.raises(ReadOnlyStore, match="opened with read_only=True"):
            reader.write(video, samples)
    with opened(**reads) as writer, pytest.raises(ReadOnlyStore, match="open the store with"):
        writer.write(video, samples)
