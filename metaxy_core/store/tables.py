"""The catalog's own tables: their columns, and how rows get in and out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine.numbers import Numbers, with_numbers
from metaxy_core.store.backends.base import Backend, Snapshot, Transaction
from metaxy_core.store.format import FORMAT, STORE, StoreHash
from metaxy_core.store.layers import Layer, LayeredSnapshot, layers
from metaxy_core.store.unions import commits_union, plain_union

if TYPE_CHECKING:
    import ibis.expr.types as ir

COMMITS: Final = "metaxy__commits"
DEFINITIONS: Final = "metaxy__definitions"
SNAPSHOTS: Final = "metaxy__snapshots"
MIGRATIONS: Final = "metaxy__migrations"
SETTLED: Final = "metaxy__settled"
CLAIMS: Final = "metaxy__claims"
BATCHES: Final = "metaxy__batches"
COPIES: Final = "metaxy__copies"

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
        "processed": "int64",
        "checksum": "int64",
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
    SETTLED: {
        "feature": "string",
        "fingerprint": "string",
        "through": "int64",
        "own_through": "int64",
        "commits": "int64",
        "left": "int64",
        "awaited": "int64",
        "checksum": "int64",
        "settled_at": _TIME,
    },
    CLAIMS: {
        "claim": "string",
        "owner": "string",
        "feature": "string",
        "work": "string",
        "since": "int64",
        "claimed_at": _TIME,
        "expires_at": _TIME,
    },
    BATCHES: {
        "feature": "string",
        "plan": "string",
        "batch": "string",
        "records": "int64",
        "planned_at": _TIME,
        "note": "string",
    },
    COPIES: {
        "feature": "string",
        "source": "string",
        "source_commit": "int64",
        "made_at": _TIME,
        sc.COMMIT: "int64",
        "mode": "string",
        "copied_at": _TIME,
    },
}


class CatalogTables:
    """The catalog's tables in one backend.

    Args:
        backend: the database.
        algorithm: the hash of the store; what it has already where it is None, md5 for a new one.

    Raises:
        InvalidSetting: the database does not have the algorithm.
    """

    def __init__(self, backend: Backend, algorithm: str | None = None) -> None:
        self._backend = backend
        self._hash = StoreHash(backend, algorithm)

    @property
    def address(self) -> str:
        """Where the store is, for messages."""
        return self._backend.address

    @property
    def algorithm(self) -> str:
        """The hash of the store's versions, once ``exist`` was asked."""
        return self._hash.algorithm

    def __getitem__(self, name: str) -> ir.Table:
        return self._backend.stored(name, _COLUMNS[name])

    def exist(self, snapshot: Snapshot) -> bool:
        """Whether the database holds a store, and of a format that we read.

        Raises:
            StoreFormatMismatch: it, or a fallback, was made by another format or hash algorithm.
        """
        self._hash.check(snapshot, self._layers(snapshot))
        return snapshot.has(STORE)

    def layers(self, snapshot: Snapshot) -> tuple[Layer, ...]:
        """The stores in a snapshot that exist, the one that is written first."""
        self._hash.check(snapshot, self._layers(snapshot))
        return tuple(layer for layer in self._layers(snapshot) if layer.tables.has(STORE))

    def over(self, snapshot: Snapshot, name: str) -> ir.Table:
        """The rows of a table in every store of a snapshot.

        The commits of fallbacks have ids that are older than every own one.
        """
        if not isinstance(snapshot, LayeredSnapshot):
            return self[name]
        if name not in snapshot.unions:
            found = [(layer, self._of(layer, name)) for layer in self.layers(snapshot)]
            union = commits_union if name == COMMITS else _rows_only
            snapshot.unions[name] = union(found) if found else self[name]
        return snapshot.unions[name]

    def make(self, transaction: Transaction) -> None:
        """Make the tables, unless they exist."""
        if self.exist(transaction):
            return
        for name in (COMMITS, DEFINITIONS, SNAPSHOTS, MIGRATIONS, SETTLED):
            self.append(transaction, name, [])
        row = {
            "format": FORMAT,
            "hash": self._hash.algorithm,
            "created_at": dt.datetime.now(dt.UTC),
        }
        self.append(transaction, STORE, [row])

    def rows(
        self,
        snapshot: Snapshot,
        query: Callable[[], ir.Table],
        key: tuple[object, ...] | None = None,
    ) -> list[dict[str, Any]]:
        """The rows of a query over the store's own tables; none where there is no store yet."""
        if not self.exist(snapshot):
            return []
        rows: list[dict[str, Any]] = snapshot.fetch(self._backend.sql(query, key)).to_pylist()
        return rows

    def rows_over(
        self,
        snapshot: Snapshot,
        query: Callable[[], ir.Table],
        key: tuple[object, ...] | None = None,
        numbers: Numbers | None = None,
    ) -> list[dict[str, Any]]:
        """The rows of a query over the tables that ``over`` gives; none where no store is yet.

        Args:
            snapshot: where to read.
            query: the query.
            key: what decides about its SQL.
            numbers: those that the query names.
        """
        found = self.layers(snapshot)
        if not found:
            return []
        for layer in found:  # SQL that is compiled already needs its tables all the same
            if layer.kind == "copied":
                layer.tables.table(COMMITS)
                layer.tables.table(DEFINITIONS)
        if key is not None:
            tables = (layer.tables.table(COMMITS) for layer in found if layer.depth)
            names = (None if table is None else table.op() for table in tables)
            key = (*key, *(layer.depth for layer in found), *names)
        sql = with_numbers(self._backend.sql(query, key), numbers or {})
        rows: list[dict[str, Any]] = snapshot.fetch(sql).to_pylist()
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

    def _layers(self, snapshot: Snapshot) -> tuple[Layer, ...]:
        return layers(snapshot, self._backend.address)

    def _of(self, layer: Layer, name: str) -> ir.Table:
        rows = layer.tables.table(name) if layer.depth else None
        return self[name] if rows is None else rows.select(*_COLUMNS[name])


def _rows_only(parts: Sequence[tuple[Layer, ir.Table]]) -> ir.Table:
    return plain_union([rows for _, rows in parts])
