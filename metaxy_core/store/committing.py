"""Every change of a store is one commit, made here and nowhere else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.engine import checks, row_hashes
from metaxy_core.engine.compare import processed_columns
from metaxy_core.engine.expansion import replaced_children, taken_children
from metaxy_core.engine.upstream import live_records
from metaxy_core.errors import DuplicateIds, InvalidWrite
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.names import is_storable
from metaxy_core.store.backends.base import Transaction
from metaxy_core.store.commits import REBASE, WRITE, Commit
from metaxy_core.store.expansion import check_processed, processed_parents
from metaxy_core.store.identity import SHOWN, shown_ids
from metaxy_core.store.inputs import ids_upstream
from metaxy_core.store.keeping import keep_versions
from metaxy_core.store.layers import is_layered
from metaxy_core.store.ownership import check_not_external
from metaxy_core.store.parts import Parts
from metaxy_core.store.settling import fingerprint
from metaxy_core.store.sources import check_own
from metaxy_core.store.tolerance import Same, fields_of, rules_of
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
    same: Any = None


@dataclass(frozen=True)
class Batch:
    """The same, checked: records, and the parents that they cover if the feature expands."""

    graph: FeatureGraph
    plan: FeaturePlan
    frame: Incoming
    parents: pa.Table | None
    same: tuple[Same, ...]

    @property
    def has_rows(self) -> bool:
        """Whether there is anything to write."""
        parents = 0 if self.parents is None else self.parents.num_rows
        return bool(self.frame.columns.num_rows or parents)


class Committing:
    """One change, under the id of whatever is making it.

    Raises:
        InvalidWrite: the id is no text.
    """

    def __init__(self, parts: Parts, materialization_id: str | None) -> None:
        if not isinstance(materialization_id, str | None):
            raise InvalidWrite.from_argument("materialization_id", materialization_id, "text")
        if materialization_id is not None and not is_storable(materialization_id):
            raise InvalidWrite.from_argument(
                "materialization_id", materialization_id[:100], "text without NUL and surrogates"
            )
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
        check_not_external(write.graph[write.feature], "write")
        plan = write.graph.plan(write.feature)
        check_processed(plan, write.processed)
        same = rules_of(write.same)
        for rule in same:
            fields_of(rule, plan)
        frame = Incoming(plan, write.frame)
        check_duplicates(plan, self._backend, frame.columns, "The frame")
        parents = processed_parents(plan, frame, write.processed) if plan.expands else None
        return Batch(write.graph, plan, frame, parents, same)

    def _append(self, transaction: Transaction, batch: Batch, number: int) -> Commit:
        plan = batch.plan
        foreign = batch.frame.feature_versions - {batch.graph.versions[plan.key].feature}
        self._definitions.check_code(transaction, plan.definition, foreign)
        self._prepare(transaction, batch.graph, plan)
        stored = transaction.table(plan.definition.table)
        check_own(plan.definition, stored)
        seen = self._sources.rows(transaction, plan.definition)
        rows = superseded = deleted = 0
        checksum = staged = None
        try:
            if batch.frame.columns.num_rows:
                types = _types(seen, stored)
                if types is None:  # else no dep could be joined with it
                    types = ids_upstream(transaction, self._sources, batch.graph, plan)
                batch.frame.fit(types)
                if batch.same and seen is not None:
                    own = self._sources.open(transaction, plan.definition)
                    keep_versions(batch.frame, batch.same, transaction, self._backend, own)
                staged = batch.frame.staged(self._backend, number)
                superseded = self._known(transaction, plan, staged, stored)
                checksum = None if plan.is_root else self._checksum(transaction, plan, staged)
            if batch.parents is not None:
                known, deleted, checksum = self._replace(
                    transaction, plan, batch.parents, staged, number
                )
                superseded += known
            if staged is not None:
                key = ("write", plan, batch.frame.raw, staged.schema())
                sql = self._backend.sql(partial(batch.frame.rows, staged), key)
                rows = transaction.append(plan.definition.table, sql)
                if stored is None:
                    transaction.index(plan.definition.table, plan.id_columns)
        finally:
            if staged is not None:
                self._backend.drop(staged)
        processed = rows if batch.parents is None else batch.parents.num_rows
        return self._add(
            transaction,
            batch.graph,
            plan,
            number,
            WRITE,
            rows,
            superseded=superseded,
            deleted=deleted,
            processed=processed,
            checksum=checksum,
        )

    def _replace(
        self,
        transaction: Transaction,
        plan: FeaturePlan,
        parents: pa.Table,
        staged: ir.Table | None,
        number: int,
    ) -> tuple[int, int, int]:
        """Tombstone the former children of these parents, and remember the parents.

        Returns:
            How many parents had been processed before, how many children are gone, and the
            checksum of the parents.
        """
        covered = self._backend.stage("metaxy_parents", parents)
        try:
            superseded = deleted = replaced = 0
            source = self._sources.open(transaction, plan.definition)
            if source.written:
                live = live_records(source)
                if staged is not None and not set(plan.grain) <= set(plan.id_columns):
                    self._check_parents(transaction, plan, live, covered, staged)
                former = replaced_children(live, covered, staged, plan.grain, plan.id_columns)
                table, ids = plan.definition.table, plan.id_columns
                deleted, replaced = self._tombstone(transaction, table, former, ids, number)
            name = sc.parents_table(plan.definition.table)
            superseded = self._own_records(transaction, name, covered, plan.grain)
            rows = stamped(covered, number)
            is_first = not transaction.has(name)
            transaction.append(name, self._backend.sql(lambda: rows))
            if is_first:
                transaction.index(name, plan.grain)
            checksum = self._checksum(transaction, plan, covered)
            return superseded + replaced, deleted, checksum
        finally:
            self._backend.drop(covered)

    def _check_parents(
        self,
        transaction: Transaction,
        plan: FeaturePlan,
        live: ir.Table,
        covered: ir.Table,
        staged: ir.Table,
    ) -> None:
        """A child is no other parent's.

        Raises:
            DuplicateIds: some written children belong to parents that the write does not cover.
        """
        taken = taken_children(live, covered, staged, plan.grain, plan.id_columns)
        key = ("taken", plan, live.op(), covered.op(), staged.op())
        found = transaction.fetch(self._backend.sql(lambda: taken, key))
        if found.num_rows:
            raise DuplicateIds.from_other_parents(
                plan.key, shown_ids(found.slice(0, SHOWN)), found.num_rows
            )

    def restamp(
        self,
        transaction: Transaction,
        graph: FeatureGraph,
        plan: FeaturePlan,
        restamped: Mapping[str, ir.Table],
    ) -> Commit:
        """Append records again that have other versions and nothing else.

        Args:
            transaction: the change to make it in.
            graph: the graph of the new definition.
            plan: the feature, in its new definition.
            restamped: its records, under the name of its table, and for an expansion the parents
                it has processed, under the name of theirs.
        """
        self._prepare(transaction, graph, plan)
        number = self._catalog.next_commit(transaction)
        rows = superseded = 0
        for table, records in restamped.items():
            ids = plan.id_columns if table == plan.definition.table else plan.grain
            superseded += self._own_records(transaction, table, records, ids)
            sql = self._backend.sql(partial(stamped, records, number))
            appended = transaction.append(table, sql)
            rows += appended if table == plan.definition.table else 0
        changed = {"superseded": superseded, "deleted": 0}
        return self._add(transaction, graph, plan, number, REBASE, rows, **changed)

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
        processed: int = 0,
        checksum: int | None = None,
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
            processed=processed,
            checksum=checksum,
        )
        self._catalog.add(transaction, commit)
        return commit

    def _checksum(self, transaction: Transaction, plan: FeaturePlan, work: ir.Table) -> int:
        """Of some pieces of work, with what they were computed from."""
        names = processed_columns(plan)
        kind = fingerprint(plan)
        key = ("checksum", kind, tuple(names), work.get_name(), work.schema())
        sql = self._backend.sql(lambda: row_hashes.checksum(work, names, kind), key)
        found = transaction.fetch(sql)
        return int(found[row_hashes.CHECKSUM][0].as_py())

    def _known(
        self,
        transaction: Transaction,
        plan: FeaturePlan,
        staged: ir.Table,
        table: ir.Table | None,
    ) -> int:
        """How many records of a frame have a row in the own table."""
        if table is None:
            return 0
        key = ("known", plan, staged.schema(), table.schema())
        sql = self._backend.sql(lambda: checks.known_ids(staged, table, plan.id_columns), key)
        return int(transaction.fetch(sql)["records"][0].as_py())

    def _tombstone(
        self,
        transaction: Transaction,
        table: str,
        records: ir.Table,
        ids: Sequence[str],
        commit: int,
    ) -> tuple[int, int]:
        """Append that records are deleted.

        Returns:
            How many there are, and how many of them had a row in the own table.
        """
        layered = is_layered(transaction)
        known = self._own_records(transaction, table, records, ids) if layered else None
        rows = stamped(records, commit, deleted=True)
        gone = transaction.append(table, self._backend.sql(lambda: rows))
        return gone, gone if known is None else known

    def _own_records(
        self, transaction: Transaction, table: str, records: ir.Table, ids: Sequence[str]
    ) -> int:
        """How many of some records have a row in the own table."""
        own = transaction.table(table)
        if own is None:
            return 0
        found = checks.known_ids(records, own, ids)
        return int(transaction.fetch(self._backend.sql(lambda: found))["records"][0].as_py())

    def _erase_rows(
        self, transaction: Transaction, table: str, rows: ir.Table, columns: Sequence[str]
    ) -> int:
        """Erase the own rows that agree with some in these columns."""
        found = transaction.fetch(self._backend.sql(lambda: rows.select(*columns)))
        staged = self._backend.stage("metaxy_erased_rows", found)
        try:
            return transaction.remove(table, staged, columns)
        finally:
            self._backend.drop(staged)


def _types(seen: ir.Table | None, own: ir.Table | None) -> pa.Schema | None:
    """The types that a frame's columns have to have: the own table's, else those of fallbacks."""
    if seen is None or own is None or seen is own:
        return None if seen is None else seen.schema().to_pyarrow()
    fields = [*own.schema().to_pyarrow(), *seen.schema().to_pyarrow()]
    return pa.schema(list({each.name: each for each in reversed(fields)}.values()))


def _check_once(features: Sequence[FeatureKey]) -> None:
    for feature in features:
        if features.count(feature) > 1:
            raise InvalidWrite(
                f"Feature '{feature}' is given twice to one write; put its rows into one frame. "
                f"Nothing was written."
            )
