"""SQL that remembers what its rows are, for databases that cannot tell it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, SupportsIndex

if TYPE_CHECKING:
    import ibis


class Statement(str):
    """The SQL of an expression.

    Attributes:
        columns: names and types of its rows as users know them; the database may keep some of the
            types in another way.
    """

    __slots__ = ("columns",)
    columns: ibis.Schema

    def __new__(cls, text: str, columns: ibis.Schema) -> Self:
        """SQL with what it gives."""
        statement = super().__new__(cls, text)
        statement.columns = columns
        return statement

    def replace(self, old: str, new: str, count: SupportsIndex = -1) -> Statement:
        """The same statement with another text in the place of one."""
        return Statement(super().replace(old, new, count), self.columns)
