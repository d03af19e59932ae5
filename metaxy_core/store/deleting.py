"""Records are deleted softly, as a further entry of their history, or erased with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.engine.expansion import parents_of
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.upstream import Source, latest_rows, live_records
from metaxy_core.errors import MissingColumn, WrongColumnType
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.specs.filter import parse_filter
from metaxy_core.store.backends.base import Transaction
from metaxy_core.store.claim_log import forget_records
from metaxy_core.store.commits import DELETE, HARD_DELETE, Commit
from metaxy_core.store.committing import Committing
from metaxy_core.store.frames import to_arrow
from metaxy_core.store.identity import check_ids
from metaxy_core.store.layers import is_layered
from metaxy_core.store.ownership import check_not_external
from metaxy_core.store.reading import FILTERABLE, with_commits, with_deletion, without_commits
from metaxy_core.store.schema import as_declared

if TYPE_CHECKING:
    import ibis.expr.types as ir


class Deleting(Committing):
    """One deletion."""

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
        check_not_external(plan.definition, "delete from")
        ids = self._wanted_ids(plan, frame, filters)
        if not self._was_written(plan, filters):
            return None
        with self._backend.transaction() as transaction:
            self._tables.make(transaction)
            source = self._sources.open(transaction, plan.definition)
            self._prepare(transaction, graph, plan)
            if ids is not None:
                _check_types(source, ids)
            staged = None if ids is None else self._backend.stage("metaxy_deleted_ids", ids)
            try:
                records = _selected(source, staged, filters, hard=hard)
                commit = self._catalog.next_commit(transaction)
                gone = self._live(transaction, records) if hard else None
                rows, known = self._remove(transaction, plan, source, records, commit, hard=hard)
            finally:
                if staged is not None:
                    self._backend.drop(staged)
            if rows == 0:
                return None
            return self._add(
                transaction,
                graph,
                plan,
                commit,
                HARD_DELETE if hard else DELETE,
                rows,
                superseded=known,
                deleted=rows if gone is None else gone,
            )

    # ------------------------------------------------------------------ details

    def _was_written(self, plan: FeaturePlan, filters: str | None) -> bool:
        """Whether there is anything to delete from; a filter has to fit all the same."""
        with self._backend.snapshot() as snapshot:
            source = self._sources.open(snapshot, plan.definition)
            if not source.written:
                _selected(source, None, filters, hard=False)
            return source.written

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
        return as_declared(plan.definition, table.select(list(plan.id_columns)))

    def _live(self, transaction: Transaction, records: ir.Table) -> int:
        """How many of some records are not deleted yet."""
        live = records.filter(~records[sc.DELETED])
        sql = self._backend.sql(lambda: live.agg(records=live.count()))
        return int(transaction.fetch(sql)["records"][0].as_py())

    def _remove(
        self,
        transaction: Transaction,
        plan: FeaturePlan,
        source: Source,
        records: ir.Table,
        commit: int,
        *,
        hard: bool,
    ) -> tuple[int, int]:
        """Delete records; the parents of those that an expansion still has are to be done again.

        Returns:
            How many rows were appended or erased, and how many records had a row that stays.
        """
        targets = [(plan.definition.table, source, records)]
        if plan.expands:
            work = self._sources.open_work(transaction, plan, source)
            gone = records.filter(~records[sc.DELETED])
            parents = parents_of(live_records(work), gone, plan.grain)
            targets.insert(0, (sc.parents_table(plan.definition.table), work, parents))
        removed = known = 0
        for table, of, rows in targets:
            if hard:
                removed = self._erase(transaction, table, of, rows, commit)
            else:
                ids = of.id_columns
                removed, known = self._tombstone(transaction, table, rows, ids, commit)
        return removed, known

    def _erase(
        self,
        transaction: Transaction,
        table: str,
        source: Source,
        records: ir.Table,
        commit: int,
    ) -> int:
        """Erase the own rows of records, and hide those that a fallback still shows."""
        columns = source.id_columns
        ids = transaction.fetch(self._backend.sql(lambda: records.select(*columns)))
        staged = self._backend.stage("metaxy_erased_ids", ids)
        try:
            erased = transaction.remove(table, staged, columns) if transaction.has(table) else 0
            forget_records(transaction, source.feature, staged, columns)
            if not is_layered(transaction):
                return erased
            shown = live_records(source).semi_join(staged, list(columns))
            return erased + self._tombstone(transaction, table, shown, columns, commit)[0]
        finally:
            self._backend.drop(staged)


def _selected(source: Source, ids: ir.Table | None, filters: str | None, *, hard: bool) -> ir.Table:
    records = latest_rows(source) if hard else live_records(source)
    if filters is not None:
        add = with_commits if source.written else without_commits
        known = with_deletion(add(records, source))
        matching = filtered(known, parse_filter(filters), source.feature, FILTERABLE)
        records = matching.select(*source.rows.columns)
    if ids is not None:
        records = records.semi_join(ids, list(source.id_columns))
    return records


def _check_types(source: Source, ids: pa.Table) -> None:
    for name in source.id_columns:
        wanted, found = source.rows[name].type().to_pyarrow(), ids.schema.field(name).type
        alike = pa.types.is_integer(found) and pa.types.is_integer(wanted)
        if ids.num_rows and found != wanted and not alike:
            raise WrongColumnType.from_types(source.feature, name, found, wanted)
