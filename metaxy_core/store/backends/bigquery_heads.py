"""Heads as empty tables of a dataset: making one that is there already fails.

The text of a head stands in the descriptions of the table's columns, which are made with it at
once, and read without a query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from metaxy_core.store.backends.heads.storage import Entry
from metaxy_core.store.backends.sql.pinned import HEAD

if TYPE_CHECKING:
    from google.cloud.bigquery import Table
    from google.cloud.bigquery.table import TableListItem

    from metaxy_core.store.backends.bigquery_client import BigQueryConnection

_LONGEST: Final = 1_000
"""Characters of one description; BigQuery takes 1,024, and 10,000 columns."""

_LOOKS: Final = 3
"""So many heads are looked for one by one before the tables of the dataset are listed."""


class HeadTables:
    """The heads of a store.

    Args:
        connection: with the dataset of the store.
    """

    def __init__(self, connection: BigQueryConnection) -> None:
        self._connection = connection
        self._texts: dict[int, str] = {}

    def put(self, number: int, text: str) -> Entry | None:
        """Write a head down, unless one of its number is there."""
        from google.cloud.bigquery import SchemaField, Table

        table = Table(self._connection.reference(_name(number)))
        parts = [text[at : at + _LONGEST] for at in range(0, len(text), _LONGEST)]
        table.schema = [
            SchemaField(f"part_{at}", "STRING", description=part) for at, part in enumerate(parts)
        ]
        made = self._connection.make(table)
        return None if made is None else _entry(number, made)

    def get(self, number: int) -> str | None:
        """A head; None where it is gone."""
        known = self._texts.pop(number, None)
        if known is not None:
            return known
        return None if self._found(number) is None else self._texts.pop(number)

    def after(self, number: int) -> list[Entry]:
        """The heads beyond a number.

        Where the next one is there, a few are looked for one by one; else, and where there are
        more, the dataset is listed. A listing may be a moment old, and is looked beyond.
        """
        self._texts.clear()
        found = self._next(number) if number >= 0 else []
        if 0 < len(found) < _LOOKS:
            return found
        known = {entry.number: entry for entry in (*self._listed(number), *found)}
        return [*known.values(), *(self._next(max(known)) if known else ())]

    def delete(self, number: int) -> None:
        """Remove a head."""
        self._connection.drop(_name(number))

    # ------------------------------------------------------------------ details

    def _next(self, number: int) -> list[Entry]:
        entries: list[Entry] = []
        while len(entries) < _LOOKS and (found := self._found(number + 1 + len(entries))):
            entries.append(found)
        return entries

    def _found(self, number: int) -> Entry | None:
        table = self._connection.table(_name(number))
        if table is None:
            return None
        self._texts[number] = "".join(column.description or "" for column in table.schema)
        return _entry(number, table)

    def _listed(self, number: int) -> list[Entry]:
        found = ((_number(table.table_id), table) for table in self._connection.tables())
        return [_entry(at, table) for at, table in found if at is not None and at > number]


def _entry(number: int, table: Table | TableListItem) -> Entry:
    return Entry(number, None if table.created is None else table.created.isoformat())


def _name(number: int) -> str:
    return f"{HEAD}{number:020d}"


def _number(name: str) -> int | None:
    digits = name.removeprefix(HEAD)
    return int(digits) if name != digits and digits.isdigit() else None
