"""What a database has to do for tables that are pinned, besides running statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class PhysicalTables(Protocol):
    """The tables of a database; names, columns and types are as SQL has them, quoted.

    Attributes:
        tells_rows: whether ``insert`` knows how many rows there were.
    """

    tells_rows: bool

    def create(
        self, name: str, columns: Mapping[str, str], indexes: Sequence[Sequence[str]]
    ) -> None:
        """Make a table, with a column more that says which writer a row is of.

        Args:
            name: of the table.
            columns: their types by their names.
            indexes: the columns of each index.
        """

    def create_frame(self, name: str, columns: Mapping[str, str]) -> None:
        """Make a table for a frame."""

    def clone(self, old: str, new: str) -> None:
        """Make a table with all rows and columns of another one, and copy no data if possible."""

    def add(self, name: str, columns: Mapping[str, str]) -> None:
        """Give a table more columns."""

    def index(self, name: str, columns: Sequence[str]) -> None:
        """Make rows of a table quick to find by some columns, where the database has a means."""

    def insert(self, name: str, columns: Sequence[str], sql: str) -> int:
        """Insert the rows of a query; gives their number, 0 where that is not known."""

    def delete(self, name: str, condition: str) -> None:
        """Delete the rows for which a condition holds."""

    def matching(self, frame: str, columns: Sequence[str]) -> str:
        """The condition that a row agrees with one of a frame; NULL agrees with nothing."""

    def drop(self, name: str) -> None:
        """Drop a table, if it is there."""

    def retire(self, name: str) -> None:
        """Let a table that has been replaced go once no open snapshot can read it any more."""

    def clean(self, pinned: frozenset[str]) -> None:
        """Drop what was retired long enough ago, and what writers left behind days ago.

        Args:
            pinned: names, not quoted, of tables that stay.
        """
