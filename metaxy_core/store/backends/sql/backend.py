"""A store in a database that has transactions: one for each call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metaxy_core.store.backends.sql.connection import CatalogConnection
from metaxy_core.store.backends.sql.database import SqlDatabase
from metaxy_core.store.backends.sql.registry import COLUMNS
from metaxy_core.store.backends.sql.session import SqlSession

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir
    import pyarrow as pa

_ANALYZED = 1_000
"""Of temporary tables with fewer rows, a planner's guess is good enough."""


class SqlBackend(SqlDatabase[CatalogConnection]):
    """A database in which one transaction changes many tables, and has tables of its own."""

    has_registry = False

    def index_statement(self, name: str, table: str, columns: Sequence[str]) -> str:
        """The statement that makes an index."""
        keys = ", ".join(map(self.dialect.quoted, columns))
        return f"CREATE INDEX IF NOT EXISTS {name} ON {self.dialect.stored(table)} ({keys})"

    def session(self) -> SqlSession:
        """The tables, as the transaction sees them."""
        return SqlSession(self)

    def first_session(self) -> SqlSession:
        """The tables, as they are when the transaction begins."""
        self.has_registry = self.ran(self.connection.has_table, COLUMNS)
        return self.session()

    def stored(self, name: str, columns: Mapping[str, Any]) -> ir.Table:
        """A table of the store."""
        import ibis

        return ibis.table(ibis.schema(dict(columns)), name=name, database=self.dialect.schema)

    # ------------------------------------------------------------------ frames

    def frame(self, name: str, columns: ibis.Schema) -> ir.Table:
        """A temporary table."""
        import ibis

        return ibis.table(columns, name=name)

    def load(self, name: str, frame: pa.Table) -> None:
        """Make a temporary table from a frame."""
        super().load(name, frame)
        self._analyze(name, frame.num_rows)

    def make_kept(self, name: str, sql: str) -> None:
        """Make a temporary table from a query."""
        rows = self.execute(f"CREATE TEMPORARY TABLE {self.dialect.quoted(name)} AS {sql}")
        self._analyze(name, rows)

    def _analyze(self, name: str, rows: int) -> None:
        """Tell the planner about a temporary table."""
        if rows >= _ANALYZED:
            self.execute(f"ANALYZE {self.dialect.quoted(name)}")

    def drop_frame(self, name: str) -> None:
        """Drop a temporary table."""
        self.execute(f"DROP TABLE IF EXISTS {self.dialect.quoted(name)}")

    def taken_back(self, staged: set[str], kept: set[str]) -> None:
        """Temporary tables are gone with the transaction in which they were made."""
        self._staged &= staged
        self._kept &= kept
