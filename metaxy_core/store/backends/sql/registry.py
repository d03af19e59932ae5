"""Which tables a store has, and the types of their columns as users know them.

A database may keep a type as another one, so that its own catalog does not tell what a column was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.store.backends.sql.type_texts import text_of, type_of

if TYPE_CHECKING:
    import ibis
    import ibis.expr.datatypes as dt

COLUMNS: Final = "metaxy__columns"
REGISTRY: Final[Mapping[str, str]] = {
    "position": "int64",
    "table_name": "string",
    "column_name": "string",
    "type": "string",
}
"""The table's own columns."""


class Registry:
    """The tables of a store.

    Args:
        rows: of the table ``metaxy__columns``.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._tables: dict[str, dict[str, str]] = {}
        for row in sorted(rows, key=lambda row: row["position"]):
            columns = self._tables.setdefault(row["table_name"], {})
            columns[row["column_name"]] = row["type"]

    @classmethod
    def of(cls, tables: Mapping[str, Mapping[str, str]]) -> Registry:
        """Tables whose columns are known, with their types as text."""
        registry = cls(())
        registry._tables = {name: dict(columns) for name, columns in tables.items()}
        return registry

    def __contains__(self, table: str) -> bool:
        return table in self._tables

    def columns(self, table: str) -> ibis.Schema:
        """The columns of a table, in the order in which they were added."""
        import ibis

        return ibis.schema({name: type_of(text) for name, text in self.told(table).items()})

    def told(self, table: str) -> Mapping[str, str]:
        """The columns of a table with their types as text."""
        return self._tables[table]

    def missing(self, table: str, columns: ibis.Schema) -> dict[str, dt.DataType]:
        """Those of some columns that a table does not have; names differ in more than case."""
        known = {name.lower() for name in self._tables.get(table, ())}
        return {name: kind for name, kind in columns.items() if name.lower() not in known}

    def added(self, table: str, columns: Mapping[str, dt.DataType]) -> list[dict[str, Any]]:
        """Add columns to a table; gives the rows that say so."""
        texts = {name: text_of(kind) for name, kind in columns.items()}
        place = self._tables.setdefault(table, {})
        first = len(place)
        place.update(texts)
        return [
            {"position": first + at, "table_name": table, "column_name": name, "type": text}
            for at, (name, text) in enumerate(texts.items())
        ]

    def drop(self, table: str) -> None:
        """Forget a table."""
        self._tables.pop(table, None)
