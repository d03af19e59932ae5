"""The attached DuckDB file inside one transaction: what a snapshot or a change can do with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import duckdb
import pyarrow as pa

from metaxy_core.store.backends.base import KEPT
from metaxy_core.store.backends.durations import with_durations

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis
    import ibis.expr.types as ir

    from metaxy_core.store.backends.base import Backend

CATALOG: Final = "metaxy_store"
_TABLES: Final = "SELECT table_name FROM duckdb_tables() WHERE database_name = '{}'"


def quoted(name: str) -> str:
    """An identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


class Keeper(Protocol):
    """What a session needs of the backend that opened it."""

    def kept_name(self, name: str) -> str:
        """A free name for a kept table, which begins so."""

    def release_name(self, name: str) -> None:
        """Give back the name of a table that was not made after all."""


class DuckDBTables:
    """The tables of one attached file inside one transaction.

    Args:
        connection: what the file is attached to.
        catalog: the name under which it is.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: str = CATALOG) -> None:
        self._connection = connection
        self._catalog = catalog
        self._tables = self._listed()
        self._opened: dict[str, ir.Table] = {}

    def _listed(self) -> set[str]:
        """The names of the tables."""
        return self._first(_TABLES.format(self._catalog))  # parameters import pandas

    def _first(self, sql: str) -> set[str]:
        """The first column of a query, as texts."""
        return {str(row[0]) for row in self._connection.execute(sql).fetchall()}

    def has(self, name: str) -> bool:
        """Whether the file has a table."""
        return name in self._tables

    def table(self, name: str) -> ir.Table | None:
        """A table of the file."""
        if name not in self._tables:
            return None
        if name not in self._opened:
            schema = schema_of(self._connection, f"{self._catalog}.main.{quoted(name)}")
            self._opened[name] = unbound(schema, name, self._catalog)
        return self._opened[name]

    def fetch(self, sql: str) -> pa.Table:
        """Run a query."""
        return with_durations(self._connection.execute(sql).to_arrow_table())


class DuckDBSession(DuckDBTables):
    """The attached file of a store inside one transaction, with those that it joined.

    Args:
        backend: the store's database.
        connection: what the files are attached to.
        joined: the names under which other databases are attached.
    """

    def __init__(
        self,
        backend: Keeper,
        connection: duckdb.DuckDBPyConnection,
        joined: Mapping[Any, str],
    ) -> None:
        super().__init__(connection)
        self._backend = backend
        self._joined = joined

    def beside(self, other: Backend) -> DuckDBTables:
        """The tables of a joined database."""
        return DuckDBTables(self._connection, self._joined[other])

    def keep(self, sql: str, name: str = KEPT) -> ir.Table:
        """Materialise a query in the in-memory database, which may spill to disk."""
        return kept(self._backend, self._connection, sql, name)

    def append(self, table: str, sql: str) -> int:
        """Insert by column name."""
        if table not in self._tables:
            self._connection.execute(f"CREATE TABLE {_stored(table)} AS {sql} WITH NO DATA")
            self._tables.add(table)
        self._add_columns(table, sql)
        self._opened.pop(table, None)
        inserted = self._connection.execute(
            f"INSERT INTO {_stored(table)} BY NAME {sql}"
        ).fetchone()
        return int(inserted[0]) if inserted else 0

    def index(self, table: str, columns: Sequence[str]) -> None:
        """Nothing is done: the least and greatest values of each part of a column are known."""

    def replace(self, table: str, sql: str) -> None:
        """Make a table from scratch."""
        self._connection.execute(f"CREATE OR REPLACE TABLE {_stored(table)} AS {sql}")
        self._tables.add(table)
        self._opened.pop(table, None)

    def remove(self, table: str, staged: ir.Table, columns: Sequence[str]) -> int:
        """Delete by equality with a staged frame."""
        matches = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in columns)
        erased = self._connection.execute(
            f"DELETE FROM {_stored(table)} AS t USING {quoted(staged.get_name())} AS s "  # noqa: S608
            f"WHERE {matches}"
        ).fetchone()
        return int(erased[0]) if erased else 0

    def _add_columns(self, table: str, sql: str) -> None:
        known = {name.lower() for name in self._types(f"TABLE {_stored(table)}")}
        for name, kind in self._types(sql).items():
            if name.lower() not in known:
                self._connection.execute(
                    f"ALTER TABLE {_stored(table)} ADD COLUMN {quoted(name)} {kind}"
                )

    def _types(self, sql: str) -> dict[str, str]:
        rows = self._connection.execute(f"DESCRIBE {sql}").fetchall()
        return {str(row[0]): str(row[1]) for row in rows}


def kept(backend: Keeper, connection: duckdb.DuckDBPyConnection, sql: str, name: str) -> ir.Table:
    """Materialise a query in the in-memory database, which may spill to disk."""
    name = backend.kept_name(name)
    try:
        connection.execute(f"CREATE TABLE {quoted(name)} AS {sql}")
    except duckdb.Error:
        backend.release_name(name)
        raise
    return unbound(schema_of(connection, quoted(name)), name)


def schema_of(connection: duckdb.DuckDBPyConnection, table: str) -> ibis.Schema:
    """The columns of a table, as queries give them."""
    rows = connection.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608 - quoted
    return _ibis_schema(with_durations(rows.to_arrow_table()).schema.serialize().to_pybytes())


@lru_cache(maxsize=1024)
def unbound(schema: ibis.Schema, name: str, catalog: str | None = None) -> ir.Table:
    """A table as an expression; the same one for the same names."""
    import ibis

    database = None if catalog is None else "main"
    return ibis.table(schema, name=name, catalog=catalog, database=database)


@lru_cache(maxsize=1024)
def _ibis_schema(arrow: bytes) -> ibis.Schema:
    import ibis

    return ibis.Schema.from_pyarrow(pa.ipc.read_schema(pa.py_buffer(arrow)))


def _stored(table: str) -> str:
    return f"{CATALOG}.main.{quoted(table)}"
