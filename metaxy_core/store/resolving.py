"""Resolving gathers a feature's inputs from one snapshot and runs the comparison on them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.engine import compare
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.provenance import expected_from_samples
from metaxy_core.engine.upstream import Source, live_records
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.specs.filter import Filter
from metaxy_core.store.backends.base import Backend, Snapshot
from metaxy_core.store.increment import Counts, Increment
from metaxy_core.store.inputs import check_id_types, open_inputs
from metaxy_core.store.sources import Sources, source_key

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa


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
                check_id_types(self._plan, samples, own.rows, "the samples")
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
            found = open_inputs(snapshot, self._sources, self._graph, self._plan)
            return self._resolved(snapshot, found.own, found.work, found.expected, found.key)

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

        key = ("increment", self._plan, wanted, key)
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
