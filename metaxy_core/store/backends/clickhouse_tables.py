"""The tables of ClickHouse in which a store keeps its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.store.backends.clickhouse_heads import identifier, literal
from metaxy_core.store.backends.sql.pinned import FRAME, TABLE
from metaxy_core.store.backends.sql.pins import WRITE

if TYPE_CHECKING:
    from metaxy_core.store.backends.clickhouse_connection import ClickHouseConnection

_RETIRED: Final = "replaced by another table of the store"
_GRACE: Final = "1 HOUR"
_LEFT_BEHIND: Final = "2 DAY"
_WRITE: Final = identifier(WRITE)
_COMMIT: Final = identifier(sc.COMMIT)


class ClickHouseTables:
    """The tables of one database.

    Args:
        connection: the session.
        database: its name.
        engine: of the tables, in words of ``CREATE TABLE``.
    """

    tells_rows = False

    def __init__(
        self, connection: Callable[[], ClickHouseConnection], database: str, engine: str
    ) -> None:
        self._connection = connection
        self._database = database
        self._engine = engine

    def create(
        self, name: str, columns: Mapping[str, str], indexes: Sequence[Sequence[str]]
    ) -> None:
        """Make a table, sorted by the writers of its rows."""
        indexed = {column for each in indexes for column in each}
        parts = [f"{column} {kind}" for column, kind in columns.items()]
        parts.append(f"{_WRITE} Int64")
        parts += [f"INDEX {_index(column)}" for column in sorted(indexed)]
        self._make(name, parts, _WRITE)

    def create_frame(self, name: str, columns: Mapping[str, str]) -> None:
        """Make a table for a frame."""
        self._make(name, [f"{column} {kind}" for column, kind in columns.items()], "tuple()")

    def _make(self, name: str, parts: Sequence[str], order: str) -> None:
        self._execute(
            f"CREATE TABLE {name} ({', '.join(parts)}) ENGINE = {self._engine} ORDER BY {order}"
        )

    def clone(self, old: str, new: str) -> None:
        """Make a table with the parts of another one, which share their files on the disk."""
        self._execute(f"CREATE TABLE {new} AS {old}")
        self._execute(f"ALTER TABLE {new} ATTACH PARTITION ALL FROM {old}")

    def add(self, name: str, columns: Mapping[str, str]) -> None:
        """Give a table more columns, which costs nothing."""
        added = ", ".join(f"ADD COLUMN {column} {kind}" for column, kind in columns.items())
        self._execute(f"ALTER TABLE {name} {added}")

    def index(self, name: str, columns: Sequence[str]) -> None:
        """Let each part of a table say which values it may have."""
        for column in columns:
            self._execute(f"ALTER TABLE {name} ADD INDEX IF NOT EXISTS {_index(column)}")
            self._execute(f"ALTER TABLE {name} MATERIALIZE INDEX {_index(column).split()[0]}")

    def insert(self, name: str, columns: Sequence[str], sql: str) -> int:
        """Insert the rows of a query; the server does not tell how many it inserted."""
        self._execute(f"INSERT INTO {name} ({', '.join(columns)}) {sql}")
        return 0

    def delete(self, name: str, condition: str) -> None:
        """Delete the rows for which a condition holds."""
        self._execute(f"DELETE FROM {name} WHERE {condition}")  # noqa: S608 - quoted

    def matching(self, frame: str, columns: Sequence[str]) -> str:
        """The condition that a row agrees with one of a frame."""
        listed = ", ".join(columns)
        return f"({listed}) IN (SELECT {listed} FROM {frame})"  # noqa: S608 - quoted

    def drop(self, name: str) -> None:
        """Drop a table, if it is there."""
        self._execute(f"DROP TABLE IF EXISTS {name}")

    def retire(self, name: str) -> None:
        """Say of a table that it has been replaced, and since when."""
        self._execute(f"ALTER TABLE {name} MODIFY COMMENT {literal(_RETIRED)}")

    def clean(self, pinned: frozenset[str]) -> None:
        """Drop what was replaced an hour ago, or left behind two days ago."""
        changed = "metadata_modification_time"
        rows = self._connection().query(
            f"SELECT name FROM system.tables "  # noqa: S608 - quoted
            f"WHERE database = {literal(self._database)} "
            f"AND (startsWith(name, {literal(TABLE)}) OR startsWith(name, {literal(FRAME)})) "
            f"AND ({changed} < now() - INTERVAL {_LEFT_BEHIND} OR "
            f"comment = {literal(_RETIRED)} AND {changed} < now() - INTERVAL {_GRACE})"
        )
        for name in rows["name"].to_pylist():
            if name not in pinned:
                self.drop(f"{identifier(self._database)}.{identifier(name)}")

    def _execute(self, sql: str) -> None:
        self._connection().execute(sql)


def _index(column: str) -> str:
    """An index of a column; commits are in order, more or less, and other values are in none."""
    kind = "minmax" if column == _COMMIT else "bloom_filter"
    name = identifier(column.strip('"') + "__index")
    return f"{name} {column} TYPE {kind} GRANULARITY 1"
