"""The catalog's own tables: their columns, and how rows get in and out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from metaxy_core import system_columns as sc
from metaxy_core.errors import StoreFormatMismatch
from metaxy_core.store.backends.base import Backend, Snapshot, Transaction

if TYPE_CHECKING:
    import ibis.expr.types as ir

FORMAT: Final = 2
HASH: Final = "md5"

STORE: Final = "metaxy__store"
COMMITS: Final = "metaxy__commits"
DEFINITIONS: Final = "metaxy__definitions"
SNAPSHOTS: Final = "metaxy__snapshots"
MIGRATIONS: Final = "metaxy__migrations"

_TIME: Final = "timestamp('UTC', 6)"
_COLUMNS: Final[dict[str, dict[str, str]]] = {
    STORE: {"format": "int64", "hash": "string", "created_at": _TIME},
    COMMITS: {
        sc.COMMIT: "int64",
        "feature": "string",
        "feature_version": "string",
        "operation": "string",
        "rows": "int64",
        "superseded": "int64",
        "deleted": "int64",
        "created_at": _TIME,
        "materialization_id": "string",
    },
    DEFINITIONS: {
        "feature": "string",
        "feature_version": "string",
        "code_versions": "string",
        "definition": "string",
        "definition_hash": "string",
        "project": "string",
        "recorded_at": _TIME,
    },
    SNAPSHOTS: {
        "snapshot": "int64",
        "project": "string",
        "version": "string",
        "features": "string",
        "definitions": "string",
        "recorded_at": _TIME,
    },
    MIGRATIONS: {
        "migration": "string",
        "feature": "string",
        "from_version": "string",
        "to_version": "string",
        "fields": "string",
        "records": "int64",
        "left_stale": "int64",
        sc.COMMIT: "int64",
        "applied_at": _TIME,
    },
}


class CatalogTables:
    """The catalog's tables in one backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._checked = False

    @property
    def address(self) -> str:
        """Where the store is, for messages."""
        return self._backend.address

    def __getitem__(self, name: str) -> ir.Table:
        return self._backend.stored(name, _COLUMNS[name])

    def exist(self, snapshot: Snapshot) -> bool:
        """Whether the database holds a store, and of a format that we read.

        Raises:
            StoreFormatMismatch: it was made by another format or hash algorithm.
        """
        if not snapshot.has(STORE):
            return False
        if not self._checked:
            self._check_format(snapshot)
            self._checked = True
        return True

    def make(self, transaction: Transaction) -> None:
        """Make the tables, unless they exist."""
        if self.exist(transaction):
            return
        for name in (COMMITS, DEFINITIONS, SNAPSHOTS, MIGRATIONS):
            self.append(transaction, name, [])
        row = {"format": FORMAT, "hash": HASH, "created_at": dt.datetime.now(dt.UTC)}
        self.append(transaction, STORE, [row])

    def rows(
        self,
        snapshot: Snapshot,
        query: Callable[[], ir.Table],
        key: tuple[object, ...] | None = None,
    ) -> list[dict[str, Any]]:
        """The rows of a query over catalog tables; none where there is no store yet."""
        if not self.exist(snapshot):
            return []
        rows: list[dict[str, Any]] = snapshot.fetch(self._backend.sql(query, key)).to_pylist()
        return rows

    def append(self, transaction: Transaction, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """Append rows to a table."""
        import ibis
        import pyarrow as pa

        schema = ibis.schema(_COLUMNS[name]).to_pyarrow()
        frame = pa.Table.from_pylist(list(rows), schema=schema)
        staged = self._backend.stage(f"{name}__staged", frame)
        try:
            transaction.append(name, self._backend.sql(lambda: staged, ("staged", name)))
        finally:
            self._backend.drop(staged)

    def _check_format(self, snapshot: Snapshot) -> None:
        table = self[STORE]
        sql = self._backend.sql(lambda: table.select("format", "hash"), ("format",))
        for row in snapshot.fetch(sql).to_pylist():
            if (row["format"], row["hash"]) != (FORMAT, HASH):
                raise StoreFormatMismatch(
                    f"The store {self._backend.address!r} has format {row['format']} with "
                    f"{row['hash']} versions; this release reads format {FORMAT} with {HASH}. "
                    f"Open it with the release that made it, or give another path."
                )
