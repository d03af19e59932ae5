"""What a database's driver has to do; everything else is the same for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


class Connection(Protocol):
    """One session with a database, in which what is loaded lives until it is closed or dropped."""

    def execute(self, sql: str) -> int:
        """Run a statement; gives how many rows it changed, where that is a question."""

    def query(self, sql: str) -> pa.Table:
        """Run a query."""

    def load(self, table: str, frame: pa.Table) -> None:
        """Make a table of this name for this session; the types are those that the database has."""

    def close(self) -> None:
        """End the session."""


class CatalogConnection(Connection, Protocol):
    """One session that tells which tables its own transaction sees."""

    def has_table(self, name: str) -> bool:
        """Whether the store has a table of this name."""
