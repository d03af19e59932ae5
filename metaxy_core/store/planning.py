"""Planning follows the graph from its roots down, over tables as a run would leave them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.engine import forecast
from metaxy_core.engine.provenance import expected_from_samples
from metaxy_core.engine.upstream import Source, live_records
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import DepPlan, FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.histories import History
from metaxy_core.store.inputs import beside_ids, check_id_types, matched_inputs
from metaxy_core.store.parts import Parts
from metaxy_core.store.plan import Plan, PlannedFeature

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class Outlook:
    """A feature as the run would leave it.

    Attributes:
        planned: what the run would do.
        source: its records afterwards, with ``metaxy_moved``.
        changes: whether the feature or anything above it changes in data or code.
        grows: whether it may get records that are not known yet.
        unknown: columns that its new records have no value for yet.
        was_written: whether it has records by now.
    """

    planned: PlannedFeature
    source: Source
    changes: bool
    grows: bool
    unknown: frozenset[str]
    was_written: bool

    @property
    def is_empty(self) -> bool:
        """Whether it has no records, neither now nor then."""
        return not self.was_written and not self.planned.records


class Planning:
    """One call of ``plan``.

    Args:
        parts: the store.
        graph: the features, with the changes that are thought of.
        changed: the features in which these are.
        deletes_orphans: whether the run deletes what is no longer called for.
        begin: is called with each feature.
    """

    def __init__(
        self,
        parts: Parts,
        graph: FeatureGraph,
        changed: Collection[FeatureKey],
        *,
        deletes_orphans: bool,
        begin: Callable[[FeatureKey], object] | None,
    ) -> None:
        self._backend = parts.backend
        self._sources = parts.sources
        self._graph = graph
        self._changed = changed
        self._deletes_orphans = deletes_orphans
        self._begin = begin
        self._outlooks: dict[FeatureKey, Outlook] = {}
        self._kept: list[ir.Table] = []

    def plan(
        self, samples: Mapping[FeatureKey, pa.Table], wanted: Collection[FeatureKey] | None
    ) -> Plan:
        """The plan.

        Args:
            samples: of roots, with canonical text per field.
            wanted: the features that are listed; None for all.
        """
        keys = self._needed(wanted)
        staged = {
            key: self._backend.stage(f"metaxy_samples__{key.to_identifier()}", frame)
            for key, frame in samples.items()
        }
        try:
            with self._backend.snapshot() as snapshot:
                histories = self._sources.histories(snapshot, keys)
                for key in keys:
                    if self._begin is not None:
                        self._begin(key)
                    plan = self._graph.plan(key)
                    self._outlooks[key] = self._outlook(
                        snapshot, plan, histories[key], staged.get(key)
                    )
        finally:
            for table in (*staged.values(), *self._kept):
                self._backend.drop(table)
        listed = keys if wanted is None else [key for key in keys if key in wanted]
        return Plan(tuple(self._outlooks[key].planned for key in listed))

    def _needed(self, wanted: Collection[FeatureKey] | None) -> list[FeatureKey]:
        """The features that are listed and everything above them, upstream first."""
        keys = [definition.key for definition in self._graph]
        if wanted is None:
            return keys
        above = {found.key for key in wanted for found in self._graph.upstream(key)}
        return [key for key in keys if key in wanted or key in above]

    def _outlook(
        self, snapshot: Snapshot, plan: FeaturePlan, history: History, samples: ir.Table | None
    ) -> Outlook:
        """One feature, from the outlooks of those above it."""
        own = self._sources.open(
            snapshot,
            plan.definition,
            history=history,
            ids_like=self._ids_like(plan, samples),
            kept_columns=beside_ids(plan),
        )
        work = self._sources.open_work(snapshot, plan, own)
        expected = self._expected(plan, own, work, history, samples)
        columns = _columns(plan, own, expected)
        carried = () if plan.expands else columns
        pieces = self._keep(
            snapshot, forecast.forecast(plan, expected, live_records(work), carried)
        )
        records = pieces
        if plan.expands:
            found = forecast.children(plan, pieces, live_records(own), columns)
            records = self._keep(snapshot, found)
        counts = self._counts(snapshot, plan, pieces, records)
        above = [self._outlooks[dep.feature] for dep in plan.deps]
        changes = (
            plan.key in self._changed
            or counts["new"] + counts["stale"] + counts["orphaned"] > 0
            or any(outlook.changes for outlook in above)
        )
        planned = _planned(plan, counts, changes=changes, grows=any(map(_grows, plan.deps, above)))
        return Outlook(
            planned=planned,
            source=self._afterwards(own, records),
            changes=changes,
            grows=planned.at_least or (plan.expands and planned.new > 0),
            unknown=frozenset(columns) - set(expected.columns) if planned.new else frozenset(),
            was_written=own.written,
        )

    def _afterwards(self, own: Source, records: ir.Table) -> Source:
        """A feature's table, where every row is a record computed by current code."""
        if self._deletes_orphans:
            records = forecast.without_orphans(records)
        return replace(
            own,
            rows=records,
            superseding=False,
            deleting=False,
            outdated=frozenset(),
            written=True,
        )

    # ------------------------------------------------------------------ what is expected

    def _expected(
        self,
        plan: FeaturePlan,
        own: Source,
        work: Source,
        history: History,
        samples: ir.Table | None,
    ) -> ir.Table:
        upstream: dict[FeatureKey, Source] = {}
        if samples is not None:
            check_id_types(plan, samples.schema(), own.rows.schema(), "the samples")
            expected = expected_from_samples(plan, samples)
        elif plan.is_root:
            outdated = {f.key: history.outdated([(f.key, f.code_version)]) for f in plan.fields}
            expected = forecast.repeated_samples(plan, own, outdated)
        else:
            upstream = {dep.feature: self._upstream(dep, own) for dep in plan.deps}
            expected = matched_inputs(plan, own, work, upstream).expected()
        return forecast.with_moved(plan, expected, upstream)

    def _upstream(self, dep: DepPlan, own: Source) -> Source:
        """What a dep's table will be, with the columns that the dep names.

        Columns of a feature that was never written may not be known yet. Where they decide about
        records, no record is certain.
        """
        import ibis

        outlook = self._outlooks[dep.feature]
        rows = outlook.source.rows
        if outlook.was_written:
            return outlook.source
        deciding = sorted(_deciding(dep) - set(rows.columns))
        carried = {there for there, _ in dep.columns or ()} - set(rows.columns)
        if deciding:
            rows = rows.filter(ibis.literal(value=False))
        unknown = sorted({*deciding, *carried})
        rows = rows.mutate(**{name: ibis.null("string") for name in unknown})
        if outlook.is_empty or deciding:
            types = {there: own.rows[here].type() for there, here in dep.ids if here in own.rows}
            rows = rows.mutate(**{name: rows[name].cast(kind) for name, kind in types.items()})
        return replace(outlook.source, rows=rows, written=not deciding)

    def _ids_like(self, plan: FeaturePlan, samples: ir.Table | None) -> pa.Schema:
        """Types of the id columns: those of the samples, or of the upstream that has records."""
        known: dict[str, pa.DataType] = {}
        if samples is not None:
            types = samples.schema()
            known = {name: types[name].to_pyarrow() for name in plan.id_columns}
        deps = sorted(plan.deps, key=lambda dep: self._outlooks[dep.feature].is_empty)
        for dep in deps:
            types = self._outlooks[dep.feature].source.rows.schema()
            for there, here in dep.ids:
                if there in types:
                    known.setdefault(here, types[there].to_pyarrow())
        return pa.schema(list(known.items()))

    # ------------------------------------------------------------------ what is counted

    def _counts(
        self, snapshot: Snapshot, plan: FeaturePlan, pieces: ir.Table, records: ir.Table
    ) -> dict[str, int]:
        numbers = forecast.counted(plan, pieces, records)
        (row,) = snapshot.fetch(self._backend.sql(lambda: numbers, numbers.op())).to_pylist()
        return {name: int(count or 0) for name, count in row.items()}

    def _keep(self, snapshot: Snapshot, table: ir.Table) -> ir.Table:
        kept = snapshot.keep(self._backend.sql(lambda: table, table.op()))
        self._kept.append(kept)
        return kept


def _planned(
    plan: FeaturePlan, counts: Mapping[str, int], *, changes: bool, grows: bool
) -> PlannedFeature:
    spec = plan.definition.spec
    return PlannedFeature(
        feature=plan.key,
        records=counts["records"],
        new=counts["new"],
        stale=counts["stale"],
        orphaned=counts["orphaned"],
        spared_by_fields=counts["spared_by_fields"],
        changed_fields={field.key: counts[sc.changed(field.key)] for field in plan.fields},
        table_level=counts["records"] if changes else 0,
        cost_per_record=spec.cost_per_record,
        cost_unit=spec.cost_unit,
        at_least=grows,
    )


def _columns(plan: FeaturePlan, own: Source, expected: ir.Table) -> tuple[str, ...]:
    """The user columns of a feature's records after the run."""
    offered = own.rows.columns
    if plan.definition.has_open_columns and not plan.expands:
        offered = (*offered, *expected.columns)
    names: dict[str, str] = {}  # by lower case, since a database takes no two that differ in case
    for name in offered:
        if not sc.is_reserved(name):
            names.setdefault(name.lower(), name)
    return tuple(name for name in names.values() if name not in plan.id_columns)


def _deciding(dep: DepPlan) -> set[str]:
    """The upstream columns that decide which records there are."""
    return {*(there for there, _ in dep.ids), *(dep.filter.columns if dep.filter else ())}


def _grows(dep: DepPlan, above: Outlook) -> bool:
    """Whether a dep may bring records that are not known yet."""
    undecided = _deciding(dep) - set(above.source.rows.columns)
    return above.grows or bool(_deciding(dep) & above.unknown or (undecided and above.planned.new))
