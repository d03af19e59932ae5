"""What a database's driver has to do; everything else is the same for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


class Connection(Protocol):
    """One session with a database, in which temporary tables live until it is closed."""

    def execute(self, sql: str) -> int:
        """Run a statement; gives how many rows it changed, where that is a question."""

    def query(self, sql: str) -> pa.Table:
        """Run a query."""

    def load(self, table: str, frame: pa.Table) -> None:
        """Make a temporary table of this name; the types are those that the database has."""

    def has_table(self, name: str) -> bool:
        """Whether the store has a table of this name."""

    def close(self) -> None:
        """End the session."""
