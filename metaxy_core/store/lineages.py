"""The lineage of one record is followed from each stored state to those it was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metaxy_core.errors import UnknownRecord
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.finding import FoundRecord, found_record
from metaxy_core.store.inputs import open_inputs
from metaxy_core.store.lineage import Lineage
from metaxy_core.store.outline import hex_version
from metaxy_core.store.parts import Parts
from metaxy_core.store.record_ids import shown_id
from metaxy_core.store.tracing import StoredRow, Tracing


class LineageTracing:
    """One call of ``lineage``."""

    def __init__(self, parts: Parts, snapshot: Snapshot, graph: FeatureGraph) -> None:
        self._parts = parts
        self._snapshot = snapshot
        self._graph = graph
        self._tracing = Tracing(parts, snapshot, graph)
        self._known: dict[tuple[object, ...], Lineage] = {}

    def record(self, feature: FeatureKey, given: Any) -> Lineage:
        """The lineage of a stored record.

        Raises:
            UnknownRecord: the store does not hold it.
        """
        found = self._found(feature, given)
        if found.row is None or found.row.deleted:
            why = "was never written" if found.row is None else f"was deleted in {found.row.origin}"
            raise UnknownRecord(
                f"The store holds no record {shown_id(found.id)} of '{feature}': it {why}. "
                f"store.explain({str(feature)!r}, ...) says whether it is called for."
            )
        return self._lineage(found.row, found.id)

    def _found(self, feature: FeatureKey, given: Any) -> FoundRecord:
        plan = self._graph.plan(feature)
        if plan.is_root:
            own = work = self._parts.sources.open(self._snapshot, plan.definition)
        else:
            inputs = open_inputs(self._snapshot, self._parts.sources, self._graph, plan)
            own, work = inputs.own, inputs.work
        return found_record(self._tracing, plan, own, work, given)

    def _lineage(self, row: StoredRow, record: Mapping[str, Any]) -> Lineage:
        key = (row.feature, row.origin.commit, *record.items())
        if key not in self._known:
            self._known[key] = self._followed(row, record)
        return self._known[key]

    def _followed(self, row: StoredRow, record: Mapping[str, Any]) -> Lineage:
        fields = self._tracing.definition(row).spec.field_keys
        former = self._tracing.former(row)
        upstream: tuple[Lineage, ...] = ()
        if former is not None:
            upstream = tuple(
                self._lineage(above, above.ids(dep.record_ids))
                for dep in former.plan.deps
                for above in former.rows.get(dep.feature, ())
                if above.taken
            )
        is_found = former is None or former.is_exact
        return Lineage(
            feature=str(row.feature),
            id=record,
            data_versions={str(f): hex_version(row.data_version(f)) for f in fields},
            provenance={str(f): hex_version(row.provenance(f)) for f in fields},
            commit=row.origin.commit,
            created_at=row.origin.created_at,
            materialization_id=row.origin.materialization_id,
            upstream=upstream,
            exact=is_found and all(above.exact for above in upstream),
            is_found=is_found,
        )
