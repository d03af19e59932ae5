"""Compaction erases history that nobody needs any more; what is current stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.engine.history import Moment, superseded
from metaxy_core.engine.upstream import Source
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.store.backends.base import Snapshot, Transaction
from metaxy_core.store.commits import COMPACT, Commit
from metaxy_core.store.committing import Committing

if TYPE_CHECKING:
    import ibis.expr.types as ir


class Compacting(Committing):
    """One compaction."""

    def compact(
        self, graph: FeatureGraph, plan: FeaturePlan, since: Moment | None
    ) -> Commit | None:
        """Erase the rows that had been replaced at a moment."""
        table = plan.definition.table
        parents_table = sc.parents_table(table)
        with self._backend.snapshot() as snapshot:
            if not (snapshot.has(table) or snapshot.has(parents_table)):
                return None
        with self._backend.transaction() as transaction:
            self._prepare(transaction, graph, plan)
            own = self._sources.open(transaction, plan.definition)
            erased = 0
            if transaction.has(table):
                erased = self._erase_history(transaction, table, own, plan.id_columns, since)
            if plan.expands and transaction.has(parents_table):
                parents = self._sources.open_work(transaction, plan, own)
                erased += self._erase_history(
                    transaction, parents_table, parents, plan.grain, since
                )
            if not erased:
                return None
            number = self._catalog.next_commit(transaction)
            return self._add(
                transaction, graph, plan, number, COMPACT, erased, superseded=0, deleted=0
            )

    def compactable(self, plan: FeaturePlan, since: Moment | None) -> int:
        """How many rows had been replaced at a moment."""
        table = plan.definition.table
        with self._backend.snapshot() as snapshot:
            own = self._sources.open(snapshot, plan.definition)
            found = self._count(snapshot, table, own, plan.id_columns, since)
            if plan.expands:
                parents = self._sources.open_work(snapshot, plan, own)
                parents_table = sc.parents_table(table)
                found += self._count(snapshot, parents_table, parents, plan.grain, since)
        return found

    def _count(
        self,
        snapshot: Snapshot,
        table: str,
        source: Source,
        ids: Sequence[str],
        since: Moment | None,
    ) -> int:
        if not snapshot.has(table):
            return 0
        rows = _own_history(source, ids, since)
        counted = rows.agg(rows=rows.count())
        return int(snapshot.fetch(self._backend.sql(lambda: counted))["rows"][0].as_py())

    def _erase_history(
        self,
        transaction: Transaction,
        table: str,
        source: Source,
        ids: Sequence[str],
        since: Moment | None,
    ) -> int:
        own = _own_history(source, ids, since)
        return self._erase_rows(transaction, table, own, [*ids, sc.COMMIT])


def _own_history(source: Source, ids: Sequence[str], since: Moment | None) -> ir.Table:
    rows = superseded(source, ids, since)
    return rows.filter(rows[sc.COMMIT] > 0)  # a fallback's commits are negative, and stay
