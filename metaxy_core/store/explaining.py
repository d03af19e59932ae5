"""One record is compared as in an increment, and what differs is told with its history."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine import compare
from metaxy_core.engine import moments as past
from metaxy_core.engine.provenance import expected_from_samples, expected_from_upstream
from metaxy_core.engine.upstream import live_records
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import DepPlan, FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.explained_fields import ComputedField, root_field
from metaxy_core.store.explanation import Explanation, Status
from metaxy_core.store.finding import FoundRecord, found_record
from metaxy_core.store.inputs import Inputs, check_id_types, open_inputs
from metaxy_core.store.lineage import NOT_FOUND
from metaxy_core.store.parts import Parts
from metaxy_core.store.reads import DepStates
from metaxy_core.store.record_ids import shown_id
from metaxy_core.store.tracing import Former, Related, StoredRow, Tracing, UpstreamRows, rows_key

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from metaxy_core.engine.upstream import Source

MOST_MEMBERS: Final = 5
_STATUSES: Final = {
    compare.NEW: Status.NEW,
    compare.STALE: Status.STALE,
    compare.ORPHANED: Status.ORPHANED,
    compare.BLOCKED: Status.BLOCKED,
}


@dataclass(frozen=True)
class Outcome:
    """What the comparison says of one record.

    Attributes:
        status: what the record is.
        row: its newest row, deleted or not.
        difference: the comparison's row; empty where nothing differs.
    """

    status: Status
    row: StoredRow | None
    difference: Mapping[str, Any]

    @property
    def live(self) -> StoredRow | None:
        """The stored record."""
        return None if self.row is None or self.row.deleted else self.row


class Explaining:
    """One call of ``explain``."""

    def __init__(self, parts: Parts, snapshot: Snapshot, graph: FeatureGraph) -> None:
        self._parts = parts
        self._snapshot = snapshot
        self._graph = graph
        self._tracing = Tracing(parts, snapshot, graph)
        self._known: dict[tuple[object, ...], Explanation] = {}

    def record(
        self, feature: FeatureKey, given: Any, samples: pa.Table | None = None
    ) -> Explanation:
        """The explanation of a record and of everything upstream of it.

        Args:
            feature: the feature.
            given: the record's id.
            samples: for a root, its samples with canonical text.
        """
        plan = self._graph.plan(feature)
        if plan.is_root:
            own = self._parts.sources.open(
                self._snapshot,
                plan.definition,
                ids_like=None if samples is None else samples.schema,
            )
            found = found_record(self._tracing, plan, own, own, given)
            return self._once(plan, found, lambda grain: self._root(plan, own, grain, samples))
        inputs = open_inputs(self._snapshot, self._parts.sources, self._graph, plan)
        found = found_record(self._tracing, plan, inputs.own, inputs.work, given)
        return self._once(plan, found, lambda grain: self._computed(inputs, grain))

    def _once(
        self, plan: FeaturePlan, found: FoundRecord, explain: Callable[[pa.Table], Explanation]
    ) -> Explanation:
        if found.grain is None:
            reasons = ("it is not stored, so that nothing tells which parent it would have",)
            return Explanation(
                str(plan.key), found.id, Status.UNKNOWN, None, None, reasons, fields=()
            )
        key = (plan.key, *found.grain.to_pylist()[0].values())
        if key not in self._known:
            self._known[key] = explain(found.grain)
        if set(found.id) == set(plan.grain):
            return self._known[key]
        parent = self._known[key]
        return replace(parent, reasons=(*_reasons_of_child(found), *parent.reasons))

    # ------------------------------------------------------------------ a root

    def _root(
        self, plan: FeaturePlan, own: Source, record: pa.Table, samples: pa.Table | None
    ) -> Explanation:
        row = self._tracing.latest(own, record)
        if samples is None:
            is_live = row is not None and not row.deleted
            outcome = Outcome(Status.STORED if is_live else Status.UNKNOWN, row, {})
        else:
            outcome = self._against_samples(plan, own, record, samples, row)
        live = outcome.live
        codes = {f.key: self._tracing.code_version(live, f.key) for f in plan.fields}
        return Explanation(
            feature=str(plan.key),
            id=record.to_pylist()[0],
            status=outcome.status,
            origin=live.origin if live else None,
            feature_version=live.feature_version if live else None,
            reasons=tuple(_reasons_of_root(outcome, has_samples=samples is not None)),
            fields=tuple(
                root_field(field, outcome.status, live, outcome.difference, codes[field.key])
                for field in plan.fields
            ),
        )

    def _against_samples(
        self,
        plan: FeaturePlan,
        own: Source,
        record: pa.Table,
        samples: pa.Table,
        row: StoredRow | None,
    ) -> Outcome:
        with self._tracing.staged(metaxy_samples=samples, metaxy_record=record) as (given, wanted):
            check_id_types(plan, given.schema(), own.rows.schema(), "the samples")

            def comparison() -> ir.Table:
                expected = expected_from_samples(plan, given)
                return _compared(plan, expected, own, wanted)

            return self._outcome(comparison, row)

    # ------------------------------------------------------------------ any other feature

    def _computed(self, inputs: Inputs, record: pa.Table) -> Explanation:
        plan = inputs.plan
        row = self._tracing.latest(inputs.work, record)
        with self._tracing.related(plan, inputs.upstream, record) as related:
            outcome = self._against_upstream(related, inputs.work, row)
            now = self._tracing.upstream(related)
        live = outcome.live
        former = None if live is None else self._tracing.former(live)
        states = _states(plan, now, former)
        upstream, omitted = self._upstream(inputs, record, states)
        fields = (
            ComputedField(self._tracing, field, plan, former, states, outcome.status, live)
            for field in plan.fields
        )
        return Explanation(
            feature=str(plan.key),
            id=record.to_pylist()[0],
            status=outcome.status,
            origin=live.origin if live else None,
            feature_version=live.feature_version if live else None,
            reasons=tuple(_reasons(plan, outcome, former, states)),
            fields=tuple(field.explanation(outcome.difference) for field in fields),
            upstream=upstream,
            omitted=omitted,
        )

    def _against_upstream(self, related: Related, work: Source, row: StoredRow | None) -> Outcome:
        plan = related.plan

        def comparison() -> ir.Table:
            nothing = {dep.feature: () for dep in plan.deps}
            expected = expected_from_upstream(plan, related.sources, nothing)
            return _compared(plan, expected, work, related.record)

        return self._outcome(comparison, row, ("explained", related.key, rows_key(work)))

    def _outcome(
        self, comparison: Callable[[], ir.Table], row: StoredRow | None, key: Hashable = None
    ) -> Outcome:
        rows = self._snapshot.fetch(self._parts.backend.sql(comparison, key)).to_pylist()
        if rows:
            return Outcome(_STATUSES[rows[0][sc.STATUS]], row, rows[0])
        is_live = row is not None and not row.deleted
        return Outcome(Status.UP_TO_DATE if is_live else Status.UNKNOWN, row, {})

    def _upstream(
        self, inputs: Inputs, record: pa.Table, states: Mapping[FeatureKey, DepStates]
    ) -> tuple[tuple[Explanation, ...], int]:
        """The explanations of the upstream records, and how many are left out."""
        values = record.to_pylist()[0]
        explained, omitted = [], 0
        for dep in inputs.plan.deps:
            ids = self._upstream_ids(dep, states[dep.feature])
            if not ids and not dep.aggregates:
                ids = [{there: values[here] for there, here in dep.ids}]
            omitted += max(0, len(ids) - MOST_MEMBERS)
            explained += [self.record(dep.feature, each) for each in ids[:MOST_MEMBERS]]
        return tuple(explained), omitted

    def _upstream_ids(self, dep: DepPlan, states: DepStates) -> list[dict[str, Any]]:
        """Ids of the upstream records; of a group's, where they were expanded, the parents'."""
        rows = states.telling()
        if not dep.aggregates:
            return [row.ids(dep.record_ids) for row in rows]
        grain = self._graph.plan(dep.feature).grain
        known = all(row.values.get(name) is not None for row in rows for name in grain)
        names = grain if known else dep.record_ids
        told_apart = {tuple(ids.values()): ids for ids in (row.ids(names) for row in rows)}
        return list(told_apart.values())


def _compared(plan: FeaturePlan, expected: ir.Table, stored: Source, record: ir.Table) -> ir.Table:
    """The engine's own comparison, of one record only."""
    expected = expected.semi_join(record, list(plan.grain))
    found = compare.classified(plan, expected, live_records(past.rows_of(stored, record)))
    return compare.differing(found)


def _states(
    plan: FeaturePlan, now: UpstreamRows, former: Former | None
) -> dict[FeatureKey, DepStates]:
    """Each dep's records, as they were read and as they are; gone deps included."""
    states: dict[FeatureKey, DepStates] = {}
    for dep in (*plan.deps, *(former.plan.deps if former else ())):
        if dep.feature not in states:
            then = _as_read(dep, former)
            states[dep.feature] = DepStates(dep, then, now.get(dep.feature, ()))
    return states


def _as_read(dep: DepPlan, former: Former | None) -> tuple[StoredRow, ...] | None:
    if former is None or not former.is_exact:
        return None
    wired = next((each for each in former.plan.deps if each.feature == dep.feature), None)
    if wired is None or wired.aggregates != dep.aggregates:
        return None
    return former.rows[dep.feature]


# --------------------------------------------------------------------------- reasons


def _reasons_of_root(outcome: Outcome, *, has_samples: bool) -> Iterator[str]:
    if outcome.live is None:
        yield _why_absent(outcome.row)
    if not has_samples:
        yield "it belongs to a root feature: only samples tell whether it is new, stale or orphaned"
    elif outcome.status is Status.ORPHANED:
        yield "the samples do not have it"


def _reasons(
    plan: FeaturePlan,
    outcome: Outcome,
    former: Former | None,
    states: Mapping[FeatureKey, DepStates],
) -> Iterator[str]:
    if outcome.live is None:
        yield _why_absent(outcome.row)
    if outcome.status in {Status.ORPHANED, Status.UNKNOWN}:
        needed = [dep for dep in plan.deps if not dep.optional] or plan.deps
        missing = [dep for dep in needed if not states[dep.feature].taken]
        yield from (states[dep.feature].why_missing() for dep in missing)
    if former is not None:
        yield from _rewiring(former.plan, plan)
        if not former.is_exact:
            yield NOT_FOUND


def _why_absent(row: StoredRow | None) -> str:
    return "it is not stored" if row is None else f"it was deleted in {row.origin}"


def _rewiring(then: FeaturePlan, now: FeaturePlan) -> Iterator[str]:
    before = {dep.feature: dep for dep in then.deps}
    for dep in now.deps:
        old = before.get(dep.feature)
        if old is None:
            continue
        if old.filter != dep.filter:
            texts = [repr(f.text) if f else "none" for f in (old.filter, dep.filter)]
            yield f"filter of dep {dep.feature}: {' → '.join(texts)}"
        if old.optional != dep.optional:
            yield f"dep {dep.feature} is now {'optional' if dep.optional else 'required'}"


def _reasons_of_child(found: FoundRecord) -> Iterator[str]:
    """What to say of a child that an expansion's parent is asked about by."""
    child = shown_id(found.id)
    if found.row is None:
        yield f"the record {child} is not stored; this is about its parent"
    elif found.row.deleted:
        yield f"the record {child} was deleted in {found.row.origin}; this is about its parent"
    else:
        yield f"the record {child} is one of this parent's, computed and replaced together"
