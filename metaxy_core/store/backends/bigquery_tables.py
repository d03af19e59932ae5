"""The tables of a dataset: partitioned by commit, clustered by what is looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.store.backends.bigquery_types import fields
from metaxy_core.store.backends.sql.pinned import TABLE
from metaxy_core.store.backends.sql.pins import WRITE

if TYPE_CHECKING:
    from metaxy_core.store.backends.bigquery_client import BigQueryConnection

COMMITS: Final = 1_000_000
COMMITS_A_PARTITION: Final = 250
"""4,000 partitions: one statement may change so many of them, and no more.

Commits beyond the last are in one more partition; nothing but what a query reads depends on it.
"""

_MOST_CLUSTERED: Final = 4
_NOT_CLUSTERED: Final = frozenset({"FLOAT64", "BYTES"})
_GRACE: Final = timedelta(days=1)
_LEFT_BEHIND: Final = timedelta(days=2)


class BigQueryTables:
    """The tables of one dataset.

    Args:
        connection: with the dataset.
    """

    tells_rows = True

    def __init__(self, connection: BigQueryConnection) -> None:
        self._connection = connection

    def create(
        self, name: str, columns: Mapping[str, str], indexes: Sequence[Sequence[str]]
    ) -> None:
        """Make a table."""
        from google.cloud.bigquery import PartitionRange, RangePartitioning, Table

        types = {_plain(column): kind for column, kind in columns.items()}
        types[WRITE] = "INT64"
        table = Table(_plain(name), schema=fields(list(types.items())))
        if sc.COMMIT in types:
            ranges = PartitionRange(start=0, end=COMMITS, interval=COMMITS_A_PARTITION)
            table.range_partitioning = RangePartitioning(field=sc.COMMIT, range_=ranges)
        table.clustering_fields = _clustered([], indexes, types)
        self._connection.make(table)

    def create_frame(self, name: str, columns: Mapping[str, str]) -> None:
        """Make a table for a frame, which goes after two days."""
        types = [(_plain(column), kind) for column, kind in columns.items()]
        self._connection.make_frame(_plain(name), types)

    def clone(self, old: str, new: str) -> None:
        """A copy, which is made by the service and costs no query."""
        self._connection.copy(_plain(old), _plain(new))

    def add(self, name: str, columns: Mapping[str, str]) -> None:
        """Give a table more columns, one by one."""
        for column, kind in columns.items():
            self._connection.execute(f"ALTER TABLE {name} ADD COLUMN {column} {kind}")

    def index(self, name: str, columns: Sequence[str]) -> None:
        """Cluster a table by some columns, after those that it is clustered by."""
        table = self._connection.table(_plain(name))
        if table is None:
            return
        types = {column.name: column.field_type for column in table.schema}
        before = table.clustering_fields
        table.clustering_fields = _clustered(before or [], [columns], types)
        if table.clustering_fields != before:
            self._connection.change(table, "clustering_fields")

    def insert(self, name: str, columns: Sequence[str], sql: str) -> int:
        """Insert the rows of a query; gives their number."""
        return self._connection.execute(f"INSERT INTO {name} ({', '.join(columns)}) {sql}")

    def delete(self, name: str, condition: str) -> None:
        """Delete the rows for which a condition holds."""
        self._connection.execute(f"DELETE FROM {name} WHERE {condition}")  # noqa: S608 - quoted

    def matching(self, frame: str, columns: Sequence[str]) -> str:
        """The condition that a row agrees with one of a frame."""
        row = columns[0] if len(columns) == 1 else f"({', '.join(columns)})"
        return f"{row} IN (SELECT {row} FROM {frame})"  # noqa: S608 - quoted

    def drop(self, name: str) -> None:
        """Drop a table, if it is there."""
        self._connection.drop(_plain(name))

    def retire(self, name: str) -> None:
        """Let a table go after a day."""
        table = self._connection.table(_plain(name))
        if table is not None:
            table.expires = datetime.now(UTC) + _GRACE
            self._connection.change(table, "expires")

    def clean(self, pinned: frozenset[str]) -> None:
        """Drop what writers left behind days ago; everything else goes by its expiration."""
        before = datetime.now(UTC) - _LEFT_BEHIND
        for table in self._connection.tables():
            is_ours = table.table_id.startswith(TABLE) and table.table_id not in pinned
            if is_ours and table.created is not None and table.created < before:
                self._connection.drop(table.table_id)


def _plain(name: str) -> str:
    """A name without quotes; names have none in them."""
    return name.replace("`", "")


def _clustered(
    before: Sequence[str], indexes: Sequence[Sequence[str]], types: Mapping[str, str]
) -> list[str] | None:
    """By which columns a table is clustered; its partitions tell commits apart already."""
    wanted = [*before, *(_plain(column) for columns in indexes for column in columns)]
    kept = [each for each in dict.fromkeys(wanted) if types.get(each) not in _NOT_CLUSTERED]
    return [each for each in kept if each != sc.COMMIT][:_MOST_CLUSTERED] or None
