"""A rebase carries records over to a changed definition: counted first, then under one commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core import system_columns as sc
from metaxy_core.engine import rebase
from metaxy_core.engine.compare import counted
from metaxy_core.engine.provenance import expected_from_samples
from metaxy_core.engine.upstream import Source, live_records
from metaxy_core.errors import InvalidSamples
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.store.backends.base import Snapshot, Transaction
from metaxy_core.store.commits import Commit
from metaxy_core.store.committing import Committing
from metaxy_core.store.former import FormerGraphs
from metaxy_core.store.former_samples import given_samples, stored_samples
from metaxy_core.store.inputs import Inputs, check_id_types, open_versions
from metaxy_core.store.parts import Parts
from metaxy_core.store.rebase_log import AppliedRebase, RebaseLog
from metaxy_core.store.refactoring import RebaseRequest, Refactoring, refactoring
from metaxy_core.store.sources import source_key

if TYPE_CHECKING:
    import ibis.expr.types as ir

Planned = Mapping[FeatureKey, "tuple[ir.Table, tuple[str, ...]]"]


@dataclass(frozen=True)
class Rebase:
    """What a rebase does to the records of one feature, or did.

    Of an expansion the records are its parents, as in an increment.

    Attributes:
        feature: the feature.
        from_version: the feature version that the records have.
        to_version: the one they get.
        records: restamped: up to date under the former definition.
        left: as they were, because they were stale or orphaned already, or because an upstream
            record has no version yet under the current definition.
        already: up to date under the current definition.
        commit: the commit; None on a dry run, or where nothing was to do.
    """

    feature: FeatureKey
    from_version: str
    to_version: str
    records: int
    left: int
    already: int
    commit: Commit | None = None


@dataclass(frozen=True)
class _Judged:
    """The feature's tables, and what becomes of each of its records."""

    own: Source
    work: Source
    sql: str


class Rebasing:
    """Rebases in one store."""

    def __init__(self, parts: Parts, materialization_id: str | None = None) -> None:
        self._backend = parts.backend
        self._tables = parts.tables
        self._catalog = parts.catalog
        self._definitions = parts.definitions
        self._sources = parts.sources
        self._committing = Committing(parts, materialization_id)
        self._log = RebaseLog(parts.tables)

    def refactoring(self, snapshot: Snapshot, request: RebaseRequest) -> Refactoring:
        """What a feature was and what it is now.

        Raises:
            MigrationError: its records cannot be carried over.
        """
        known = FormerGraphs(self._definitions.recorded(snapshot))
        used = self._catalog.versions_used(snapshot).get(request.feature, [])
        return refactoring(request, known, used)

    def counted(
        self,
        snapshot: Snapshot,
        change: Refactoring,
        samples: Any = None,
        planned: Planned | None = None,
    ) -> tuple[Rebase, ir.Table]:
        """What would become of a feature's records.

        Args:
            snapshot: where to read.
            change: the feature's two definitions.
            samples: samples of a root, or None.
            planned: what becomes of the upstream features' records before.

        Returns:
            The counts, and the verdict on each record, kept until it is dropped.
        """
        with self._judged(snapshot, change, samples, planned or {}) as judged:
            verdicts = snapshot.keep(judged.sql)
        sql = self._backend.sql(lambda: counted(verdicts), ("counted", verdicts.get_name()))
        found = {row[sc.STATUS]: row["records"] for row in snapshot.fetch(sql).to_pylist()}
        return _result(change, found), verdicts

    def apply(self, change: Refactoring, samples: Any) -> Rebase:
        """Restamp the records and remember it, in one change."""
        with self._backend.transaction() as transaction:
            self._tables.make(transaction)
            with self._judged(transaction, change, samples, {}) as judged:
                verdicts = transaction.fetch(judged.sql)
            tally = pc.value_counts(verdicts[sc.STATUS]).to_pylist()
            result = _result(change, {each["values"]: each["counts"] for each in tally})
            if not result.records:
                return result
            wanted = verdicts.filter(pc.equal(verdicts[sc.STATUS], rebase.RESTAMPED))
            commit = self._restamp(transaction, change, judged, wanted.drop_columns([sc.STATUS]))
            result = replace(result, commit=commit)
            self._log.add(transaction, _logged(change, result, commit))
            return result

    # ------------------------------------------------------------------ both definitions

    @contextmanager
    def _judged(
        self,
        snapshot: Snapshot,
        change: Refactoring,
        samples: Any,
        planned: Planned,
    ) -> Iterator[_Judged]:
        """The query that compares every stored record with what both definitions call for."""
        if samples is not None and not (change.former.is_root or change.current.is_root):
            raise InvalidSamples(
                f"'{change.current.key}' has deps, and its versions follow from them; rebase it "
                f"without samples."
            )
        with ExitStack() as staged:
            former = self._inputs(snapshot, change.former_graph, change.former)
            current = self._inputs(snapshot, change.graph, change.current)
            current = self._lacking_versions(snapshot, current, planned)
            both = (former, current)
            work = self._lacking(snapshot, former.work, change.formers)
            given = [self._samples(staged, snapshot, change, samples, side) for side in both]

            def verdicts() -> ir.Table:
                before, after = map(_expected, both, given)
                return rebase.judged(change.former, change.current, work, before, after)

            schemas = [None if table is None else table.schema() for table in given]
            names = sorted((str(k), table.get_name(), ids) for k, (table, ids) in planned.items())
            key = (change.former, change.current, former.key, current.key, source_key(work))
            sql = self._backend.sql(verdicts, ("judged", *key, *schemas, *names))
            yield _Judged(former.own, former.work, sql)

    def _inputs(self, snapshot: Snapshot, graph: FeatureGraph, plan: FeaturePlan) -> Inputs:
        if not plan.is_root:
            return open_versions(snapshot, self._sources, graph, plan)
        own = self._sources.open(snapshot, plan.definition)
        return Inputs(plan, own, own, {}, {})

    def _samples(
        self,
        staged: ExitStack,
        snapshot: Snapshot,
        change: Refactoring,
        samples: Any,
        inputs: Inputs,
    ) -> ir.Table | None:
        """The samples of a root as one of its definitions reads them."""
        if not inputs.plan.is_root:
            return None
        if samples is None:
            frame = stored_samples(self._backend, snapshot, inputs.plan, inputs.own)
        else:
            frame = given_samples(self._backend, change, inputs.plan, samples)
        side = "former" if inputs.plan is change.former else "current"
        table = self._backend.stage(f"metaxy_samples_{side}", frame)
        staged.callback(self._backend.drop, table)
        check_id_types(inputs.plan, table.schema(), inputs.own.rows.schema(), "the samples")
        return table

    def _lacking_versions(self, snapshot: Snapshot, inputs: Inputs, planned: Planned) -> Inputs:
        """Inputs in which an upstream row is outdated only where it has no version to be read.

        A version that a field does not have yet would make provenance that nobody calls for later.
        """
        if inputs.plan.is_root:
            return inputs
        upstream = {}
        for dep in inputs.plan.deps:
            source = self._lacking(snapshot, inputs.upstream[dep.feature], dep.fields)
            if dep.feature in planned:
                source = rebase.as_restamped(source, *planned[dep.feature])
            upstream[dep.feature] = source
        return replace(inputs, upstream=upstream)

    def _lacking(self, snapshot: Snapshot, source: Source, fields: Iterable[FieldKey]) -> Source:
        """A source in which the rows of versions without one of these fields are outdated."""
        history = self._sources.histories(snapshot, [source.feature])[source.feature]
        wanted = set(fields)
        lacking = (v for v, known in history.code_versions.items() if not wanted <= set(known))
        return replace(source, outdated=frozenset(lacking))

    # ------------------------------------------------------------------ the change

    def _restamp(
        self, transaction: Transaction, change: Refactoring, judged: _Judged, stamps: pa.Table
    ) -> Commit:
        plan = change.current
        table = plan.definition.table
        targets = [(table, judged.own)]
        if plan.expands:
            targets.append((sc.parents_table(table), judged.work))
        staged = self._backend.stage("metaxy_stamps", stamps)
        try:
            restamped = {}
            for name, source in targets:
                if name == table and not source.written:
                    continue  # parents without a child have no table of children
                rows = rebase.restamped_rows(
                    live_records(source),
                    staged,
                    plan.grain,
                    change.formers,
                    data_versions=name == table,
                )
                kept = [n for n in rows.columns if n not in source.absent or sc.is_reserved(n)]
                restamped[name] = rows.select(kept)
            return self._committing.restamp(transaction, change.graph, plan, restamped)
        finally:
            self._backend.drop(staged)


def _expected(inputs: Inputs, samples: ir.Table | None) -> ir.Table:
    return inputs.expected() if samples is None else expected_from_samples(inputs.plan, samples)


def _result(change: Refactoring, counts: Mapping[int, int]) -> Rebase:
    return Rebase(
        feature=change.current.key,
        from_version=change.from_version,
        to_version=change.to_version,
        records=counts.get(rebase.RESTAMPED, 0),
        left=counts.get(rebase.LEFT, 0),
        already=counts.get(rebase.ALREADY, 0),
    )


def _logged(change: Refactoring, result: Rebase, commit: Commit) -> AppliedRebase:
    return AppliedRebase(
        migration=change.graph.versions.project,
        feature=result.feature,
        from_version=result.from_version,
        to_version=result.to_version,
        fields={new: old for new, old in change.formers.items() if new != old},
        records=result.records,
        left=result.left,
        commit=commit.id,
        applied_at=dt.datetime.now(dt.UTC),
    )
