"""A store's tables inside one transaction of its database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.store.backends.sql.registry import COLUMNS, REGISTRY, Registry
from metaxy_core.store.backends.sql.snapshot import SqlSnapshot, columns_of

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

    from metaxy_core.store.backends.sql.backend import SqlBackend


class SqlSession(SqlSnapshot):
    """What a snapshot or a change can do.

    Args:
        backend: the database, with a transaction open.
    """

    def __init__(self, backend: SqlBackend) -> None:
        super().__init__(backend, _registry(backend))
        self._own = backend

    def append(self, table: str, sql: str) -> int:
        """Insert by column name."""
        columns = columns_of(sql)
        if table not in self._registry:
            self._make(table, columns)
        self._add(table, columns)
        names = ", ".join(map(self._dialect.quoted, columns))
        rows = self._typed(table, sql, columns)
        return self._backend.execute(f"INSERT INTO {self._dialect.stored(table)} ({names}) {rows}")

    def replace(self, table: str, sql: str) -> None:
        """Make a table from scratch."""
        stored = self._dialect.stored(table)
        if table in self._registry:
            self._backend.execute(f"DROP TABLE {stored}")
            self._registry.drop(table)
            text = "'" + table.replace("'", "''") + "'"
            self._backend.execute(
                f"DELETE FROM {self._dialect.stored(COLUMNS)} WHERE table_name = {text}"  # noqa: S608
            )
        self.append(table, sql)

    def remove(self, table: str, staged: ir.Table, columns: Sequence[str]) -> int:
        """Delete by equality with a staged frame."""
        quoted, own = self._dialect.quoted, self._dialect.stored(table)
        same = " AND ".join(f"s.{quoted(name)} = {own}.{quoted(name)}" for name in columns)
        return self._backend.execute(
            f"DELETE FROM {own} WHERE EXISTS "  # noqa: S608 - quoted
            f"(SELECT 1 FROM {quoted(staged.get_name())} AS s WHERE {same})"
        )

    def index(self, table: str, columns: Sequence[str]) -> None:
        """Make rows of a table fast to find by some columns."""
        if table in self._registry:
            self._index(table, columns)

    # ------------------------------------------------------------------ tables

    def _make(self, table: str, columns: ibis.Schema) -> None:
        if not self._own.has_registry:
            self._create(COLUMNS, _schema(REGISTRY))
            self._own.has_registry = True
        self._create(table, columns)
        self._register(table, columns)
        if sc.COMMIT in columns:
            self._index(table, [sc.COMMIT])

    def _create(self, table: str, columns: ibis.Schema) -> None:
        quoted, declared = self._dialect.quoted, self._dialect.declared
        parts = ", ".join(f"{quoted(name)} {declared(kind)}" for name, kind in columns.items())
        self._backend.execute(f"CREATE TABLE {self._dialect.stored(table)} ({parts})")

    def _add(self, table: str, columns: ibis.Schema) -> None:
        missing = self._registry.missing(table, columns)
        for name, kind in missing.items():
            declared = f"{self._dialect.quoted(name)} {self._dialect.declared(kind)}"
            stored = self._dialect.stored(table)
            self._backend.execute(f"ALTER TABLE {stored} ADD COLUMN {declared}")
        self._register(table, _schema(missing))

    def _register(self, table: str, columns: ibis.Schema) -> None:
        rows = self._registry.added(table, dict(columns))
        if not rows:
            return
        staged = self._backend.stage("metaxy_columns_staged", pa.Table.from_pylist(rows))
        try:
            sql = self._backend.sql(lambda: staged.select(*REGISTRY))
            names = ", ".join(map(self._dialect.quoted, REGISTRY))
            self._backend.execute(f"INSERT INTO {self._dialect.stored(COLUMNS)} ({names}) {sql}")
        finally:
            self._backend.drop(staged)

    def _index(self, table: str, columns: Sequence[str]) -> None:
        name = self._dialect.quoted(f"{table}__{'__'.join(columns)}__index")
        self._backend.execute(self._own.index_statement(name, table, columns))


def _registry(backend: SqlBackend) -> Registry:
    if not backend.has_registry:
        return Registry(())
    table = backend.stored(COLUMNS, REGISTRY)
    return Registry(backend.fetch(backend.sql(lambda: table, ("registry",))).to_pylist())


def _schema(columns: object) -> ibis.Schema:
    import ibis

    return ibis.schema(columns)
