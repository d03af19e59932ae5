"""Resolving gathers a feature's inputs from one snapshot and runs the comparison on them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.engine import compare
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.provenance import expected_from_samples, expected_from_upstream
from metaxy_core.engine.upstream import Source, live_records
from metaxy_core.errors import ColumnCollision, UnknownColumn, WrongColumnType
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import DepPlan, FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.filter import Filter
from metaxy_core.store.backends.base import Backend, Snapshot
from metaxy_core.store.increment import Counts, Increment
from metaxy_core.store.sources import Sources, source_key

if TYPE_CHECKING:
    import ibis.expr.types as ir

Carried = dict[FeatureKey, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Wanted:
    """Which part of an increment is wanted; everything by default.

    Attributes:
        filters: over grain and carried columns.
        stale_if: over the stored records; those for which it holds are stale.
        limit: at most so many new and stale records, the first ones by id.
    """

    filters: Filter | None = None
    stale_if: Filter | None = None
    limit: int | None = None


class Resolution:
    """One call of ``resolve_update``."""

    def __init__(
        self,
        graph: FeatureGraph,
        plan: FeaturePlan,
        backend: Backend,
        sources: Sources,
        wanted: Wanted,
    ) -> None:
        self._wanted = wanted
        self._graph = graph
        self._plan = plan
        self._backend = backend
        self._sources = sources

    def from_samples(self, frame: pa.Table) -> Increment:
        """The increment of a root feature.

        Args:
            frame: the samples, with canonical text per field.
        """
        samples = self._backend.stage("metaxy_samples", frame)
        try:
            with self._backend.snapshot() as snapshot:
                own = self._sources.open(snapshot, self._plan.definition, ids_like=frame.schema)
                self._check_ids(samples, own.rows, "the samples")
                return self._resolved(
                    snapshot,
                    own,
                    own,
                    lambda: expected_from_samples(self._plan, samples),
                    (samples.schema(), source_key(own)),
                )
        finally:
            self._backend.drop(samples)

    def from_upstream(self) -> Increment:
        """The increment of any other feature."""
        with self._backend.snapshot() as snapshot:
            own, opened = self._opened(snapshot)
            work = self._sources.open_work(snapshot, self._plan, own)
            for dep in self._plan.deps:
                self._check_dep_ids(dep, opened[dep.feature], work)
            columns = self._carried(opened)
            return self._resolved(
                snapshot,
                own,
                work,
                lambda: expected_from_upstream(self._plan, opened, columns),
                tuple(source_key(source) for source in (*opened.values(), work)),
            )

    # ------------------------------------------------------------------ the comparison

    def _resolved(
        self,
        snapshot: Snapshot,
        own: Source,
        work: Source,
        expected: Callable[[], ir.Table],
        key: Hashable,
    ) -> Increment:
        """Compare, and set the stored rows of orphans aside.

        Args:
            snapshot: where to read.
            own: the feature's records.
            work: what it has processed; the records themselves, or the parents of an expansion.
            expected: what should have been processed.
            key: what decides about the SQL.
        """
        wanted = self._wanted

        def comparison() -> ir.Table:
            forced = None
            if wanted.stale_if is not None:
                forced = filtered(live_records(own), wanted.stale_if, self._plan.key)
            found = compare.compared(self._plan, expected(), live_records(work), forced)
            return compare.narrowed(self._plan, found, wanted.filters, wanted.limit)

        key = ("increment", self._plan, wanted, key, source_key(own))
        rows = snapshot.keep(self._backend.sql(comparison, key))
        counts = self._counts(rows)
        orphaned = None
        if counts.orphaned:
            found = compare.orphans(self._plan, rows, live_records(own))
            orphaned = snapshot.keep(self._backend.sql(lambda: found))
            counts = replace(counts, orphaned=self._rows_in(orphaned))
        return Increment(self._plan, self._backend, rows=rows, orphaned=orphaned, counts=counts)

    def _counts(self, rows: ir.Table) -> Counts:
        sql = self._backend.sql(lambda: compare.counted(rows), ("counted", rows.get_name()))
        found = {row[sc.STATUS]: row["records"] for row in self._backend.fetch(sql).to_pylist()}
        kinds = (compare.NEW, compare.STALE, compare.ORPHANED, compare.BLOCKED)
        return Counts(*(found.get(kind, 0) for kind in kinds))

    def _rows_in(self, kept: ir.Table) -> int:
        sql = self._backend.sql(lambda: kept.agg(records=kept.count()), ("rows", kept.get_name()))
        return int(self._backend.fetch(sql)["records"][0].as_py())

    # ------------------------------------------------------------------ the inputs

    def _opened(self, snapshot: Snapshot) -> tuple[Source, dict[FeatureKey, Source]]:
        """The feature's own table and those of its deps."""
        plan, keys = self._plan, [self._plan.key, *(dep.feature for dep in self._plan.deps)]
        histories = self._sources.histories(snapshot, keys)
        own = self._sources.open(
            snapshot,
            plan.definition,
            history=histories[plan.key],
            ids_like=self._known_ids(snapshot),
            kept_columns=_beside_ids(plan),
        )
        upstream = {
            dep.feature: self._sources.open(
                snapshot,
                self._graph[dep.feature],
                history=histories[dep.feature],
                code_versions=dep.code_versions,
                ids_like=_upstream_ids(dep, own),
                kept_columns=_beside_ids(self._graph.plan(dep.feature)),
            )
            for dep in plan.deps
        }
        return own, upstream

    def _known_ids(self, snapshot: Snapshot) -> pa.Schema:
        """Types of the own id columns, as the first written upstream gives them."""
        known: dict[str, pa.DataType] = {}
        for dep in self._plan.deps:
            table = snapshot.table(self._graph[dep.feature].table)
            if table is not None:
                types = table.schema()
                for there, here in dep.ids:
                    if there in types:
                        known.setdefault(here, types[there].to_pyarrow())
        return pa.schema(list(known.items()))

    def _check_dep_ids(self, dep: DepPlan, source: Source, own: Source) -> None:
        rows = source.rows
        for there, _ in dep.ids:
            if there not in rows.columns:
                known = [name for name in rows.columns if not sc.is_reserved(name)]
                raise UnknownColumn.from_available(dep.feature, there, known, "The dep's lineage")
        shared = rows.select(**{here: rows[there] for there, here in dep.ids})
        self._check_ids(shared, own.rows, f"dep '{dep.feature}'")

    def _check_ids(self, given: ir.Table, stored: ir.Table, what: str) -> None:
        for name in self._plan.grain:
            if name not in given.columns:
                continue
            found, wanted = given[name].type(), stored[name].type()
            if found.copy(nullable=True) != wanted.copy(nullable=True) and not (
                found.is_integer() and wanted.is_integer()
            ):
                raise WrongColumnType.from_types(
                    self._plan.key, name, found, wanted, f"in {what}, against the stored records"
                )

    def _carried(self, opened: Mapping[FeatureKey, Source]) -> Carried:
        carried = {dep.feature: _columns(dep, opened[dep.feature]) for dep in self._plan.deps}
        brought: dict[str, FeatureKey] = {}
        for feature, pairs in carried.items():
            for there, here in pairs:
                if here in self._plan.grain:
                    raise ColumnCollision.from_id(self._plan.key, there, here, feature)
                if here in brought:
                    raise ColumnCollision.from_deps(self._plan.key, here, brought[here], feature)
                brought[here] = feature
        return carried


def _beside_ids(plan: FeaturePlan) -> tuple[str, ...]:
    """The columns of the parent that the records of an expansion carry beside their ids."""
    return tuple(name for name in plan.grain if name not in plan.id_columns)


def _upstream_ids(dep: DepPlan, own: Source) -> pa.Schema:
    types = own.rows.schema()
    return pa.schema(
        [(there, types[here].to_pyarrow()) for there, here in dep.ids if here in types]
    )


def _columns(dep: DepPlan, source: Source) -> tuple[tuple[str, str], ...]:
    available = [name for name in source.rows.columns if not sc.is_reserved(name)]
    if dep.columns is not None and not source.written:
        return dep.columns
    if dep.columns is not None:
        for there, _ in dep.columns:
            if there not in available:
                raise UnknownColumn.from_available(
                    dep.feature, there, available, "FeatureDep(columns=...)"
                )
        return dep.columns
    ids = {there for there, _ in dep.ids}
    renames = dict(dep.rename)
    return tuple((name, renames.get(name, name)) for name in available if name not in ids)
