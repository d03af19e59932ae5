"""A DuckLake inside one transaction: as a DuckDB file, but for types that it does not have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from metaxy_core.errors import WrongColumnType
from metaxy_core.store.backends.duckdb_session import CATALOG, DuckDBSession, quoted

if TYPE_CHECKING:
    import ibis.expr.types as ir

_REPLACED: Final = (
    (re.compile(r"\bENUM\((?:'(?:[^']|'')*'(?:, )?)*\)|\bBIT\b"), "VARCHAR"),
    (re.compile(r"\[\d+\]"), "[]"),
    (re.compile(r"\bTIME_NS\b"), "TIME"),
    (re.compile(r"\bU?HUGEINT\b"), "DECIMAL(38,0)"),
)
_TYPE: Final = "SELECT type FROM duckdb_databases() WHERE database_name = '{}'"
_TABLES: Final = "SELECT table_name FROM ducklake_table_info('{}')"
_INTERVAL: Final = re.compile(r"\bINTERVAL\b")
_MICROSECONDS: Final = "metaxy_microseconds"
_FILLING: Final = "temp.metaxy_filling"


class DuckLakeSession(DuckDBSession):
    """The attached DuckLake of a store inside one transaction.

    Parquet has no durations below zero or of microseconds: they stand as a number in a struct of
    one member, which tells them from numbers. Inside of nested types too, arrays of a fixed length
    become lists, enums and bits become text, times of day have microseconds, and whole numbers of
    128 bits become decimals. Everything else is as in DuckDB.
    """

    def _listed(self) -> set[str]:
        """The names of the tables, from the catalog: DuckDB would load what each of them is."""
        is_lake = self._first(_TYPE.format(self._catalog)) == {"ducklake"}
        return self._first(_TABLES.format(self._catalog)) if is_lake else set()

    def table(self, name: str) -> ir.Table | None:
        """A table, with durations as such."""
        found = super().table(name)
        if found is None:
            return None
        durations = {
            column: found[column][_MICROSECONDS].as_interval("us")
            for column, kind in found.schema().items()
            if kind.is_struct() and kind.names == (_MICROSECONDS,)
        }
        return found.mutate(**durations) if durations else found

    def append(self, table: str, sql: str) -> int:
        """Insert by column name."""
        return super().append(table, self._storable(sql))

    def replace(self, table: str, sql: str) -> None:
        """Fill a table anew; a new one of the same columns would stay in the catalog forever."""
        sql = self._storable(sql)
        own = f"{CATALOG}.main.{quoted(table)}"
        if not self.has(table) or self._types(f"TABLE {own}") != self._types(sql):
            super().replace(table, sql)
            return
        self._connection.execute(f"CREATE TEMPORARY TABLE {_FILLING} AS {sql}")  # may read the old
        self._connection.execute(f"DELETE FROM {own}")  # noqa: S608 - quoted
        self._connection.execute(f"INSERT INTO {own} BY NAME TABLE {_FILLING}")
        self._connection.execute(f"DROP TABLE {_FILLING}")

    def _storable(self, sql: str) -> str:
        """A query whose columns are of types that DuckLake has."""
        columns = {name: _stored(name, kind) for name, kind in self._types(sql).items()}
        changed = [f"{told} AS {quoted(name)}" for name, told in columns.items() if told]
        return f"SELECT * REPLACE ({', '.join(changed)}) FROM ({sql})" if changed else sql  # noqa: S608 - quoted


def _stored(name: str, kind: str) -> str | None:
    """What stands for a column, in SQL; None where it stands as it is.

    Raises:
        WrongColumnType: there is a duration inside of another value.
    """
    own = quoted(name)
    if kind == "INTERVAL":
        number = f"{{'{_MICROSECONDS}': epoch_us({own})}}"
        return f"CASE WHEN {own} IS NOT NULL THEN {number} END"
    if kind == "TIME_NS":  # a cast would round, and up to the next day
        return f"TIME '00:00:00' + to_microseconds(epoch_ns({own}) // 1000)"
    to = storable(kind)
    if _INTERVAL.search(to) and '"' not in to:
        raise WrongColumnType(
            f"Column {name!r} is {kind}; a DuckLake store holds durations only as columns of their "
            f"own. Give them as numbers there."
        )
    return f"CAST({own} AS {to})" if to != kind else None


def storable(kind: str) -> str:
    """The type that DuckLake has for one of DuckDB's."""
    if '"' in kind:  # a name of a member may look like a type; DuckLake refuses what it lacks
        return kind
    for pattern, to in _REPLACED:
        kind = pattern.sub(to, kind)
    return kind
