"""Every change of a store is one commit, made here and nowhere else."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from metaxy_core import system_columns as sc
from metaxy_core.engine import checks
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.upstream import Source, live_records
from metaxy_core.errors import MissingColumn
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.specs.filter import parse_filter
from metaxy_core.store.backends.base import Backend, Transaction
from metaxy_core.store.catalog import DELETE, HARD_DELETE, WRITE, Catalog, Commit
from metaxy_core.store.definitions import DefinitionLog
from metaxy_core.store.frames import to_arrow
from metaxy_core.store.identity import check_ids
from metaxy_core.store.sources import Sources
from metaxy_core.store.tables import CatalogTables
from metaxy_core.store.writing import Incoming, check_duplicates

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa


class Committing:
    """One change, under the id of whatever is making it."""

    def __init__(
        self,
        backend: Backend,
        tables: CatalogTables,
        catalog: Catalog,
        definitions: DefinitionLog,
        sources: Sources,
        materialization_id: str | None,
    ) -> None:
        self._backend = backend
        self._tables = tables
        self._catalog = catalog
        self._definitions = definitions
        self._sources = sources
        self._materialization_id = materialization_id

    def write(self, graph: FeatureGraph, plan: FeaturePlan, frame: Any) -> Commit | None:
        """Append a frame's records."""
        incoming = Incoming(plan, frame)
        check_duplicates(plan, self._backend, incoming.columns, "The frame")
        if incoming.columns.num_rows == 0:
            return None
        with self._backend.transaction() as transaction:
            self._prepare(transaction, graph, plan)
            table = transaction.table(plan.definition.table)
            stored = None if table is None else table.schema().to_pyarrow()
            commit = self._catalog.next_commit(transaction)
            staged = incoming.staged(self._backend, stored, commit)
            try:
                superseded = self._known(transaction, plan, staged, table)
                key = ("write", plan, incoming.raw, staged.schema())
                sql = self._backend.sql(lambda: incoming.rows(staged), key)
                rows = transaction.append(plan.definition.table, sql)
            finally:
                self._backend.drop(staged)
            return self._add(transaction, graph, plan, (commit, WRITE, rows, superseded))

    def delete(
        self,
        graph: FeatureGraph,
        plan: FeaturePlan,
        frame: Any,
        filters: str | None,
        *,
        hard: bool,
    ) -> Commit | None:
        """Delete the records that a frame or a filter names."""
        ids = self._wanted_ids(plan, frame, filters)
        with self._backend.transaction() as transaction:
            self._prepare(transaction, graph, plan)
            if not transaction.has(plan.definition.table):
                return None
            source = self._sources.open(transaction, plan.definition)
            staged = None if ids is None else self._backend.stage("metaxy_deleted_ids", ids)
            try:
                records = _selected(source, staged, filters)
                commit = self._catalog.next_commit(transaction)
                delete = self._erase if hard else self._tombstone
                rows = delete(transaction, plan, records, commit)
            finally:
                if staged is not None:
                    self._backend.drop(staged)
            if rows == 0:
                return None
            operation, superseded = (HARD_DELETE, 0) if hard else (DELETE, rows)
            return self._add(transaction, graph, plan, (commit, operation, rows, superseded))

    # ------------------------------------------------------------------ details

    def _prepare(self, transaction: Transaction, graph: FeatureGraph, plan: FeaturePlan) -> None:
        self._tables.make(transaction)
        self._definitions.add(transaction, graph, plan.key)

    def _add(
        self,
        transaction: Transaction,
        graph: FeatureGraph,
        plan: FeaturePlan,
        change: tuple[int, str, int, int],
    ) -> Commit:
        number, operation, rows, superseded = change
        commit = Commit(
            id=number,
            feature=plan.key,
            feature_version=graph.versions[plan.key].feature,
            operation=operation,
            rows=rows,
            superseded=superseded,
            created_at=dt.datetime.now(dt.UTC),
            materialization_id=self._materialization_id,
        )
        self._catalog.add(transaction, commit)
        return commit

    def _known(
        self,
        transaction: Transaction,
        plan: FeaturePlan,
        staged: ir.Table,
        table: ir.Table | None,
    ) -> int:
        if table is None:
            return 0
        key = ("known", plan, staged.schema(), table.schema())
        sql = self._backend.sql(lambda: checks.known_ids(staged, table, plan.id_columns), key)
        return int(transaction.fetch(sql)["records"][0].as_py())

    def _wanted_ids(self, plan: FeaturePlan, frame: Any, filters: str | None) -> pa.Table | None:
        if frame is None:
            if filters is None:
                raise MissingColumn(
                    f"Nothing says which records of '{plan.key}' to delete: give a frame with "
                    f"{list(plan.id_columns)}, or filters='...'. Nothing was deleted."
                )
            return None
        table = to_arrow(plan.key, frame)
        check_ids(plan.key, plan.id_columns, table)
        return table.select(list(plan.id_columns))

    def _tombstone(
        self, transaction: Transaction, plan: FeaturePlan, records: ir.Table, commit: int
    ) -> int:
        import ibis

        rows = records.mutate(
            **{sc.COMMIT: ibis.literal(commit, "int64"), sc.DELETED: ibis.literal(value=True)}
        )
        return transaction.append(plan.definition.table, self._backend.sql(lambda: rows))

    def _erase(
        self, transaction: Transaction, plan: FeaturePlan, records: ir.Table, commit: int
    ) -> int:
        del commit
        ids = transaction.fetch(self._backend.sql(lambda: records.select(*plan.id_columns)))
        staged = self._backend.stage("metaxy_erased_ids", ids)
        try:
            return transaction.remove(plan.definition.table, staged, plan.id_columns)
        finally:
            self._backend.drop(staged)


def _selected(source: Source, ids: ir.Table | None, filters: str | None) -> ir.Table:
    records = live_records(source)
    if filters is not None:
        records = filtered(records, parse_filter(filters), source.feature)
    if ids is not None:
        records = records.semi_join(ids, list(source.id_columns))
    return records
