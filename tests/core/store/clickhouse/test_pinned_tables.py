"""Tables of ClickHouse change together, though it has no transactions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import ibis
import pyarrow as pa
import pytest

from metaxy_core.errors import StoreLocked, WriteOvertaken
from metaxy_core.store.backends.clickhouse import ClickHouseBackend
from metaxy_core.store.backends.heads.log import Heads
from metaxy_core.store.backends.sql import pinned_session
from metaxy_core.store.backends.sql.pins import WRITE
from tests.servers import clickhouse_in

pytestmark = pytest.mark.slow


@pytest.fixture
def again(tmp_path: Path) -> Iterator[Callable[[], ClickHouseBackend]]:
    """Opens the store once more."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(clickhouse_in(tmp_path)).backend


@pytest.fixture
def backend(again: Callable[[], ClickHouseBackend]) -> ClickHouseBackend:
    return again()


def put(backend: ClickHouseBackend, transaction, table: str, **columns: list) -> int:
    staged = backend.stage("given", pa.table(columns))
    try:
        return transaction.append(table, backend.sql(lambda: staged))
    finally:
        backend.drop(staged)


def append(backend: ClickHouseBackend, table: str, **columns: list) -> int:
    with backend.transaction() as transaction:
        return put(backend, transaction, table, **columns)


def remove(backend: ClickHouseBackend, table: str, **columns: list) -> int:
    staged = backend.stage("gone", pa.table(columns))
    with backend.transaction() as transaction:
        return transaction.remove(table, staged, list(columns))


def rows(backend: ClickHouseBackend, table: str) -> list[dict]:
    with backend.snapshot() as snapshot:
        found = snapshot.table(table)
        if found is None:
            return []
        return snapshot.fetch(backend.sql(lambda: found)).sort_by("x").to_pylist()


def values(backend: ClickHouseBackend, table: str) -> list:
    return [row["x"] for row in rows(backend, table)]


def physical(backend: ClickHouseBackend, prefix: str) -> list[str]:
    """The tables that the database really has."""
    found = backend.connection.query(
        f"SELECT name FROM system.tables WHERE database = '{backend._database}' "
        f"AND startsWith(name, '{prefix}') ORDER BY name"
    )
    return found["name"].to_pylist()


def test_what_fails_leaves_nothing(backend):
    append(backend, "a", x=[1])
    with suppress(ZeroDivisionError), backend.transaction() as transaction:
        assert put(backend, transaction, "a", x=[2, 3]) == 2
        put(backend, transaction, "b", x=[4])
        assert transaction.has("b")
        raise ZeroDivisionError
    append(backend, "a", x=[5])
    assert values(backend, "a") == [1, 5]
    assert rows(backend, "b") == []
    assert len(physical(backend, "metaxy__table_")) == 1


def test_a_change_sees_itself_and_others_do_not(backend, again):
    append(backend, "a", x=[1])
    other = again()
    with backend.transaction() as transaction:
        put(backend, transaction, "a", x=[2])
        assert values(backend, "a") == [1, 2]
        assert values(other, "a") == [1]
    assert values(other, "a") == [1, 2]


def test_a_table_is_replaced_by_what_it_says_itself(backend):
    append(backend, "a", x=[1, 2], y=["p", "q"])
    with backend.transaction() as transaction:
        found = transaction.table("a")
        transaction.replace("a", backend.sql(lambda: found.select(x=found.x + 10)))
        assert values(backend, "a") == [11, 12]
    assert rows(backend, "a") == [{"x": 11}, {"x": 12}]


def test_columns_are_added_and_a_change_that_failed_leaves_none(backend):
    append(backend, "a", x=[1])
    with suppress(ZeroDivisionError), backend.transaction() as transaction:
        put(backend, transaction, "a", x=[2], y=["text"])
        raise ZeroDivisionError
    append(backend, "a", x=[3], y=[0.5])
    append(backend, "a", x=[4])
    assert [row["y"] for row in rows(backend, "a")] == [None, 0.5, None]
    assert values(backend, "a") == [1, 3, 4]


@pytest.mark.parametrize("is_large", [False, True])
def test_rows_are_erased_in_a_copy(backend, again, monkeypatch, is_large):
    monkeypatch.setattr(pinned_session, "_WORTH_A_CLONE", 0 if is_large else 10)
    append(backend, "a", x=[1, 2, 3, None], y=["p", "q", None, "r"])
    with suppress(ZeroDivisionError), backend.transaction() as transaction:
        put(backend, transaction, "a", x=[7], y=["never"])
        raise ZeroDivisionError
    other = again()
    with other.snapshot() as before:
        table = before.table("a")
        assert remove(backend, "a", x=[2, 3, 9, None]) == 2
        assert remove(backend, "a", x=[2]) == 0
        assert before.fetch(other.sql(lambda: table)).num_rows == 4
    append(backend, "a", x=[7], y=["s"])
    assert remove(backend, "a", x=[1, 7], y=["p", "r"]) == 1
    found = {(row["x"], row["y"]) for row in rows(other, "a")}
    assert found == {(None, "r"), (7, "s")}


def test_what_was_appended_and_removed_in_one_change_is_counted(backend):
    append(backend, "a", x=[1])
    with backend.transaction() as transaction:
        assert put(backend, transaction, "a", x=[2, 3]) == 2
        staged = backend.stage("gone", pa.table({"x": [1, 2]}))
        assert transaction.remove("a", staged, ["x"]) == 2
        assert put(backend, transaction, "a", x=[4, 5]) == 2
        assert transaction.remove("a", staged, ["x"]) == 0
        assert put(backend, transaction, "a", x=[6], y=["text"]) == 1
        assert put(backend, transaction, "a", x=[7, 8]) == 2
    assert values(backend, "a") == [3, 4, 5, 6, 7, 8]


def test_a_writer_that_is_late_changes_nothing_that_is_read(backend, again, monkeypatch):
    """It was taken for gone, and goes on after another has taken over."""
    append(backend, "a", x=[1])
    late = again()
    rows(late, "a")
    monkeypatch.setattr(late._log, "lease", 0.2)
    monkeypatch.setattr("metaxy_core.store.backends.heads.turns.Turn._give_signs", lambda _: None)
    with pytest.raises(WriteOvertaken), late.transaction() as transaction:  # noqa: PT012 - as it ends
        put(late, transaction, "a", x=[30])
        time.sleep(0.3)
        with backend.transaction() as other:
            put(late, transaction, "a", x=[31])
            put(backend, other, "a", x=[2])
            put(late, transaction, "a", x=[32], y=["text"])
            put(backend, other, "b", x=[2])
            put(late, transaction, "b", x=[33])
        assert values(backend, "a") == [1, 2]
        put(late, transaction, "a", x=[34], y=["text"])
    append(backend, "a", x=[4])
    append(backend, "b", x=[4])
    assert values(again(), "a") == [1, 2, 4]
    assert values(again(), "b") == [2, 4]


def test_only_a_writer_that_left_rows_is_remembered(backend):
    append(backend, "a", x=[1])

    def without() -> frozenset[int]:
        with backend.snapshot():
            return backend.state.without

    for _ in range(3):
        with suppress(ZeroDivisionError), backend.transaction() as transaction:
            put(backend, transaction, "b", x=[2])
            raise ZeroDivisionError
    assert without() == frozenset()
    with suppress(ZeroDivisionError), backend.transaction() as transaction:
        put(backend, transaction, "a", x=[2])
        raise ZeroDivisionError
    append(backend, "a", x=[3])
    assert len(without()) == 1


def test_a_number_is_not_begun_with_again_once_its_head_is_gone(backend, again):
    append(backend, "a", x=[1])
    late = again()
    rows(late, "a")
    stale = late._log.newest()
    log = Heads(backend.heads(), backend.address, keep=4)
    for number in range(2, 6):
        append(backend, "a", x=[number])
    log.clean()
    assert late._log._put_beginning(stale) is None
    assert values(again(), "a") == [1, 2, 3, 4, 5]


def test_who_does_not_wait_is_told(backend, again):
    append(backend, "a", x=[1])
    with backend.transaction(), pytest.raises(StoreLocked), again().transaction(wait=False):
        pass


def test_frames_are_dropped(backend):
    kept = []
    staged = backend.stage("given", pa.table({"x": [1]}))
    with backend.snapshot() as snapshot:
        kept.append(snapshot.keep(backend.sql(lambda: staged)))
    with suppress(ZeroDivisionError), backend.snapshot() as snapshot:
        snapshot.keep(backend.sql(lambda: staged))
        raise ZeroDivisionError
    assert len(physical(backend, "metaxy__frame_")) == 2
    backend.drop(staged)
    backend.drop(kept[0])
    assert physical(backend, "metaxy__frame_") == []


def test_frames_go_with_the_store(tmp_path, backend):
    other = clickhouse_in(tmp_path)
    with other:
        other.backend.stage("given", pa.table({"x": [1]}))
        assert len(physical(backend, "metaxy__frame_")) == 1
    assert physical(backend, "metaxy__frame_") == []


def test_what_was_replaced_is_dropped_after_its_time(backend, monkeypatch):
    append(backend, "a", x=[1, 2])
    remove(backend, "a", x=[1])
    pinned = _pinned(backend)
    backend.physical.clean(pinned)
    assert len(physical(backend, "metaxy__table_")) == 2  # an open snapshot may read the other
    monkeypatch.setattr("metaxy_core.store.backends.clickhouse_tables._GRACE", "-1 HOUR")
    backend.physical.clean(pinned)
    assert physical(backend, "metaxy__table_") == sorted(pinned)
    monkeypatch.setattr("metaxy_core.store.backends.clickhouse_tables._LEFT_BEHIND", "-1 DAY")
    backend.physical.clean(pinned)
    assert values(backend, "a") == [2]


def _pinned(backend: ClickHouseBackend) -> frozenset[str]:
    with backend.snapshot():
        return frozenset(pin.at for pin in backend.state.tables.values())


def test_few_rows_are_found_without_reading_all(backend):
    many = 200_000
    append(backend, "a", metaxy_commit=[1] * many, id=[f"v{n}" for n in range(many)])
    with backend.transaction() as transaction:
        transaction.index("a", ["id"])
    append(backend, "a", metaxy_commit=[2], id=["new"])
    staged = backend.stage("few", pa.table({"id": ["v77", "v150000"]}))
    with backend.snapshot() as snapshot:
        table = snapshot.table("a")
        recent = backend.sql(lambda: table.filter(table.metaxy_commit > 1))
        few = backend.sql(lambda: table.semi_join(staged, "id"))
        assert snapshot.fetch(recent)["id"].to_pylist() == ["new"]
        assert sorted(snapshot.fetch(few)["id"].to_pylist()) == ["v150000", "v77"]
        assert _share_read(backend, recent) < 0.1
        assert _share_read(backend, few) < 0.3


def _share_read(backend: ClickHouseBackend, sql: str) -> float:
    """How many of a table's granules a query reads after all indexes."""
    plan = backend.connection.query(f"EXPLAIN indexes = 1 {backend.rendered(sql)}")
    lines = plan.column(0).to_pylist()
    counts = [found for line in lines if (found := re.search(r"Granules: (\d+)/(\d+)", line))]
    first, last = counts[0], counts[-1]
    return int(last[1]) / int(first[2])


def test_the_hidden_column_stays_hidden(backend):
    append(backend, "a", x=[1])
    with backend.snapshot() as snapshot:
        table = snapshot.table("a")
        assert table.schema() == ibis.schema({"x": "int64"})
        found = snapshot.fetch(backend.sql(lambda: table))
    assert WRITE not in found.column_names
