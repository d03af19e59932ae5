"""A store's tables in one state of its database, open for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaxy_core.store.backends.base import KEPT
from metaxy_core.store.backends.statements import Statement

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir
    import pyarrow as pa

    from metaxy_core.store.backends.sql.database import SqlDatabase
    from metaxy_core.store.backends.sql.registry import Registry


class SqlSnapshot:
    """What a snapshot can do.

    Args:
        backend: the database, opened.
        registry: the tables of the store.
    """

    def __init__(self, backend: SqlDatabase[Any], registry: Registry) -> None:
        self._backend = backend
        self._dialect = backend.dialect
        self._registry = registry

    def has(self, name: str) -> bool:
        """Whether the store has a table."""
        return name in self._registry

    def table(self, name: str) -> ir.Table | None:
        """A table of the store."""
        if name not in self._registry:
            return None
        return self._backend.stored(name, dict(self._registry.columns(name)))

    def fetch(self, sql: str) -> pa.Table:
        """The rows of a query."""
        return self._backend.fetch(sql)

    def keep(self, sql: str, name: str = KEPT) -> ir.Table:
        """Materialise a query as a table that only this store reads."""
        return self._backend.keep(sql, name)

    def _typed(self, table: str, sql: str, columns: ibis.Schema) -> str:
        """A query whose columns without any type have those of the table."""
        if not any(kind.is_null() for kind in columns.values()):
            return sql
        types, quoted = self._registry.columns(table), self._dialect.quoted
        parts = (
            f"CAST(NULL AS {self._dialect.declared(types[name])})"
            if kind.is_null()
            else quoted(name)
            for name, kind in columns.items()
        )
        return f"SELECT {', '.join(parts)} FROM ({sql}) AS r"  # noqa: S608 - quoted


def columns_of(sql: str) -> ibis.Schema:
    """Names and types of the rows of a query."""
    if not isinstance(sql, Statement):
        raise TypeError(f"{sql!r} does not say what its rows are; make it with Backend.sql.")
    return sql.columns
