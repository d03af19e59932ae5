"""A DuckLake inside one transaction: as a DuckDB file, but for types that it does not have."""

from __future__ import annotations

import re
from typing import Final

from metaxy_core.store.backends.duckdb_session import DuckDBSession, quoted

_ARRAY: Final = re.compile(r"\[\d+\]")
_AS_TEXT: Final = re.compile(r"\bENUM\((?:'(?:[^']|'')*'(?:, )?)*\)|\bBIT\b")


class DuckLakeSession(DuckDBSession):
    """The attached DuckLake of a store inside one transaction.

    Arrays of a fixed length become lists, and enums and bits become text, inside of nested types
    too; it takes everything else as DuckDB does.
    """

    def append(self, table: str, sql: str) -> int:
        """Insert by column name."""
        return super().append(table, self._storable(sql))

    def replace(self, table: str, sql: str) -> None:
        """Make a table from scratch."""
        super().replace(table, self._storable(sql))

    def _storable(self, sql: str) -> str:
        """A query whose columns are of types that DuckLake has."""
        kinds = {name: (kind, storable(kind)) for name, kind in self._types(sql).items()}
        casts = [
            f"CAST({quoted(name)} AS {to}) AS {quoted(name)}"
            for name, (kind, to) in kinds.items()
            if kind != to
        ]
        return f"SELECT * REPLACE ({', '.join(casts)}) FROM ({sql})" if casts else sql  # noqa: S608 - quoted


def storable(kind: str) -> str:
    """The type that DuckLake has for one of DuckDB's."""
    if '"' in kind:  # a name of a member may look like a type; DuckLake refuses what it lacks
        return kind
    return _ARRAY.sub("[]", _AS_TEXT.sub("VARCHAR", kind))
