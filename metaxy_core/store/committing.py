"""Every change of a store is one commit, made here and nowhere else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.engine import checks
from metaxy_core.engine.expansion import parents_of, replaced_children
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.upstream import Source, latest_rows, live_records
from metaxy_core.errors import InvalidWrite, MissingColumn, WrongColumnType
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.filter import parse_filter
from metaxy_core.store.backends.base import Transaction
from metaxy_core.store.catalog import DELETE, HARD_DELETE, WRITE, Commit
from metaxy_core.store.expansion import check_processed, processed_parents
from metaxy_core.store.frames import to_arrow
from metaxy_core.store.identity import check_ids
from metaxy_core.store.parts import Parts
from metaxy_core.store.reading import FILTERABLE, with_commits, with_deletion
from metaxy_core.store.schema import as_declared
from metaxy_core.store.sources import check_own
from metaxy_core.store.writing import Incoming, check_duplicates, stamped

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class Write:
    """What a caller wants written for one feature."""

    graph: FeatureGraph
    feature: FeatureKey
    frame: Any
    processed: Any = None


@dataclass(frozen=True)
class Batch:
    """The same, checked: records, and the parents that they cover if the feature expands."""

    graph: FeatureGraph
    plan: FeaturePlan
    frame: Incoming
    parents: pa.Table | None

    @property
    def has_rows(self) -> bool:
        """Whether there is anything to write."""
        parents = 0 if self.parents is None else self.parents.num_rows
        return bool(self.frame.columns.num_rows or parents)


class Committing:
    """One change, under the id of whatever is making it."""

    def __init__(self, parts: Parts, materialization_id: str | None) -> None:
        self._backend = parts.backend
        self._tables = parts.tables
        self._catalog = parts.catalog
        self._definitions = parts.definitions
        self._sources = parts.sources
        self._materialization_id = materialization_id

    def write(self, writes: Sequence[Write]) -> list[Commit]:
        """Append the records of some features under one commit.

        Raises:
            InvalidWrite: one feature comes twice.
        """
        _check_once([write.feature for write in writes])
        incoming = [self._checked(write) for write in writes]
        incoming = [each for each in incoming if each.has_rows]
        if not incoming:
            return []
        with self._backend.transaction() as transaction:
            self._tables.make(transaction)
            number = self._catalog.next_commit(transaction)
            return [self._append(transaction, each, number) for each in incoming]

    def _checked(self, write: Write) -> Batch:
        plan = write.graph.plan(write.feature)
        check_processed(plan, write.processed)
        frame = Incoming(plan, write.frame)
        check_duplicates(plan, self._backend, frame.columns, "The frame")
        parents = processed_parents(plan, frame, write.processed) if plan.expands else None
        return Batch(write.graph, plan, frame, parents)

    def _append(self, transaction: Transaction, batch: Batch, number: int) -> Commit:
        plan = batch.plan
        self._prepare(transaction, batch.graph, plan)
        stored = transaction.table(plan.definition.table)
        check_own(plan.definition, stored)
        rows = superseded = deleted = 0
        staged = None
        try:
            if batch.frame.columns.num_rows:
                schema = None if stored is None else stored.schema().to_pyarrow()
                staged = batch.frame.staged(self._backend, schema, number)
                superseded = self._known(transaction, plan, staged, stored)
            if batch.parents is not None:
                known, deleted = self._replace(transaction, plan, batch.parents, staged, number)
                superseded += known
            if staged is not None:
                key = ("write", plan, batch.frame.raw, staged.schema())
                sql = self._backend.sql(partial(batch.frame.rows, staged), key)
                rows = transaction.append(plan.definition.table, sql)
        finally:
            if staged is not None:
                self._backend.drop(staged)
        changed = {"superseded": superseded, "deleted": deleted}
        return self._add(transaction, batch.graph, plan, number, WRITE, rows, **changed)

    def _replace(
        self,
        transaction: Transaction,
        plan: FeaturePlan,
        parents: pa.Table,
        staged: ir.Table | None,
        number: int,
    ) -> tuple[int, int]:
        """Tombstone the former children of these parents, and remember the parents.

        Returns:
            How many parents had been processed before, and how many children are gone.
        """
        covered = self._backend.stage("metaxy_parents", parents)
        try:
            superseded = deleted = 0
            if transaction.has(plan.definition.table):
                live = live_records(self._sources.open(transaction, plan.definition))
                former = replaced_children(live, covered, staged, plan.grain, plan.id_columns)
                deleted = self._tombstone(transaction, plan.definition.table, former, number)
            name = sc.parents_table(plan.definition.table)
            known = transaction.table(name)
            if known is not None:
                found = checks.known_ids(covered, known, plan.grain)
                sql = self._backend.sql(lambda: found)
                superseded = int(transaction.fetch(sql)["records"][0].as_py())
            rows = stamped(covered, number)
            transaction.append(name, self._backend.sql(lambda: rows))
            return superseded + deleted, deleted
        finally:
            self._backend.drop(covered)

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
            self._tables.make(transaction)
            if not transaction.has(plan.definition.table):
                return None
            self._prepare(transaction, graph, plan)
            source = self._sources.open(transaction, plan.definition)
            if ids is not None:
                _check_types(source, ids)
            staged = None if ids is None else self._backend.stage("metaxy_deleted_ids", ids)
            try:
                records = _selected(source, staged, filters, hard=hard)
                commit = self._catalog.next_commit(transaction)
                rows = self._remove(transaction, plan, records, commit, hard=hard)
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
                superseded=0 if hard else rows,
                deleted=rows,
            )

    # ------------------------------------------------------------------ details

    def _prepare(self, transaction: Transaction, graph: FeatureGraph, plan: FeaturePlan) -> None:
        self._definitions.add(transaction, graph, plan.key)

    def _add(
        self,
        transaction: Transaction,
        graph: FeatureGraph,
        plan: FeaturePlan,
        number: int,
        operation: str,
        rows: int,
        *,
        superseded: int,
        deleted: int,
    ) -> Commit:
        commit = Commit(
            id=number,
            feature=plan.key,
            feature_version=graph.versions[plan.key].feature,
            operation=operation,
            rows=rows,
            superseded=superseded,
            deleted=deleted,
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
        return as_declared(plan.definition, table.select(list(plan.id_columns)))

    def _remove(
        self,
        transaction: Transaction,
        plan: FeaturePlan,
        records: ir.Table,
        commit: int,
        *,
        hard: bool,
    ) -> int:
        """Delete records; of an expansion also the memory that their parents were processed."""
        targets = [(plan.definition.table, records, plan.id_columns)]
        if plan.expands:
            own = self._sources.open(transaction, plan.definition)
            live = live_records(self._sources.open_work(transaction, plan, own))
            parents = parents_of(live, records, plan.grain)
            targets.insert(0, (sc.parents_table(plan.definition.table), parents, plan.grain))
        removed = 0
        for table, rows, ids in targets:
            if hard:
                removed = self._erase(transaction, table, rows, ids)
            else:
                removed = self._tombstone(transaction, table, rows, commit)
        return removed

    def _tombstone(
        self, transaction: Transaction, table: str, records: ir.Table, commit: int
    ) -> int:
        rows = stamped(records, commit, deleted=True)
        return transaction.append(table, self._backend.sql(lambda: rows))

    def _erase(
        self, transaction: Transaction, table: str, records: ir.Table, columns: Sequence[str]
    ) -> int:
        ids = transaction.fetch(self._backend.sql(lambda: records.select(*columns)))
        staged = self._backend.stage("metaxy_erased_ids", ids)
        try:
            return transaction.remove(table, staged, columns)
        finally:
            self._backend.drop(staged)


def _selected(source: Source, ids: ir.Table | None, filters: str | None, *, hard: bool) -> ir.Table:
    records = latest_rows(source) if hard else live_records(source)
    if filters is not None:
        known = with_deletion(with_commits(records, source))
        matching = filtered(known, parse_filter(filters), source.feature, FILTERABLE)
        records = matching.select(*source.rows.columns)
    if ids is not None:
        records = records.semi_join(ids, list(source.id_columns))
    return records


def _check_once(features: Sequence[FeatureKey]) -> None:
    for feature in features:
        if features.count(feature) > 1:
            raise InvalidWrite(
                f"Feature '{feature}' is given twice to one write; put its rows into one frame. "
                f"Nothing was written."
            )


def _check_types(source: Source, ids: pa.Table) -> None:
    for name in source.id_columns:
        wanted, found = source.rows[name].type().to_pyarrow(), ids.schema.field(name).type
        alike = pa.types.is_integer(found) and pa.types.is_integer(wanted)
        if ids.num_rows and found != wanted and not alike:
            raise WrongColumnType.from_types(source.feature, name, found, wanted)
