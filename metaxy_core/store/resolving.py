"""Resolving gathers a feature's inputs from one snapshot and runs the comparison on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from metaxy_core import system_columns as sc
from metaxy_core.engine import compare
from metaxy_core.engine.attempts import marked, with_failed
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.upstream import live_records
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.filter import Filter
from metaxy_core.store.backends.base import Backend, Snapshot
from metaxy_core.store.increment import Counts, Increment
from metaxy_core.store.inputs import Inputs, open_inputs, open_samples
from metaxy_core.store.progress import Progress
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
        max_attempts: leave out what failed so often at its present provenance.
    """

    filters: Filter | None = None
    stale_if: Filter | None = None
    limit: int | None = None
    max_attempts: int | None = None


class Resolution:
    """One comparison of a feature with what it should be."""

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

    def increment(self, samples: pa.Table | None) -> Increment:
        """What differs.

        Args:
            samples: of a root, with the canonical text of each field; None for other features.
        """
        with self._opened(samples) as (snapshot, inputs):
            return self._resolved(snapshot, inputs)

    def progress(self, samples: pa.Table | None) -> Progress:
        """How much differs, and how much does not; see ``increment``."""
        with self._opened(samples) as (snapshot, inputs):

            def tallied() -> ir.Table:
                found = self._classified(inputs)
                if inputs.attempts is None:
                    return compare.counted(found)
                stored = live_records(inputs.work)
                found = marked(self._plan, found, inputs.attempts, stored, 1)
                return compare.counted(found, sc.EXHAUSTED)

            sql = self._backend.sql(tallied, ("progress", self._plan, inputs.key))
            rows = snapshot.fetch(sql).to_pylist()
        return _to_progress(self._plan.key, rows)

    # ------------------------------------------------------------------ the comparison

    @contextmanager
    def _opened(self, samples: pa.Table | None) -> Iterator[tuple[Snapshot, Inputs]]:
        if samples is None:
            with self._backend.snapshot() as snapshot:
                yield snapshot, open_inputs(snapshot, self._sources, self._graph, self._plan)
            return
        staged = self._backend.stage("metaxy_samples", samples)
        try:
            with self._backend.snapshot() as snapshot:
                yield snapshot, open_samples(snapshot, self._sources, self._plan, staged)
        finally:
            self._backend.drop(staged)

    def _classified(self, inputs: Inputs) -> ir.Table:
        forced = None
        if self._wanted.stale_if is not None:
            forced = filtered(live_records(inputs.own), self._wanted.stale_if, self._plan.key)
        stored = live_records(inputs.work)
        return compare.classified(self._plan, inputs.expected(), stored, forced)

    def _resolved(self, snapshot: Snapshot, inputs: Inputs) -> Increment:
        """Compare, and set the stored rows of orphans aside."""
        wanted, plan = self._wanted, self._plan

        def comparison() -> ir.Table:
            found = compare.differing(self._classified(inputs))
            if wanted.max_attempts is not None and inputs.attempts is not None:
                stored = live_records(inputs.work)
                found = with_failed(plan, found, inputs.attempts, stored, wanted.max_attempts)
            return compare.narrowed(plan, found, wanted.filters, wanted.limit)

        key = ("increment", plan, wanted, inputs.key)
        rows = snapshot.keep(self._backend.sql(comparison, key))
        counts, failed = self._counts(rows)
        orphaned = None
        if counts.orphaned:
            orphans_key = ("orphans", plan, rows.get_name(), rows.schema(), source_key(inputs.own))
            orphaned = snapshot.keep(
                self._backend.sql(
                    lambda: compare.orphans(plan, rows, live_records(inputs.own)), orphans_key
                )
            )
            counts = replace(counts, orphaned=self._rows_in(orphaned))
        return Increment(
            plan,
            self._graph.versions[plan.key].feature,
            self._backend,
            rows=rows,
            orphaned=orphaned,
            counts=counts,
            failed=failed,
        )

    def _counts(self, rows: ir.Table) -> tuple[Counts, int]:
        sql = self._backend.sql(lambda: compare.counted(rows), ("counted", rows.get_name()))
        found = {row[sc.STATUS]: row["records"] for row in self._backend.fetch(sql).to_pylist()}
        kinds = (compare.NEW, compare.STALE, compare.ORPHANED, compare.BLOCKED)
        return Counts(*(found.get(kind, 0) for kind in kinds)), found.get(compare.FAILED, 0)

    def _rows_in(self, kept: ir.Table) -> int:
        sql = self._backend.sql(lambda: kept.agg(records=kept.count()), ("rows", kept.get_name()))
        return int(self._backend.fetch(sql)["records"][0].as_py())


def _to_progress(feature: FeatureKey, rows: Sequence[Mapping[str, Any]]) -> Progress:
    count: Counter[int] = Counter()
    for row in rows:
        count[row[sc.STATUS]] += row["records"]
    return Progress(
        feature=feature,
        expected=count.total() - count[compare.ORPHANED],
        up_to_date=count[compare.UP_TO_DATE],
        new=count[compare.NEW],
        stale=count[compare.STALE],
        blocked=count[compare.BLOCKED],
        failing=sum(row["records"] for row in rows if row.get(sc.EXHAUSTED)),
        orphaned=count[compare.ORPHANED],
    )
