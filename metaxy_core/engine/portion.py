"""Part of a feature's records, told by their ids, is compared without reading the others."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from metaxy_core.engine.hashing import hash_column, joined_columns
from metaxy_core.engine.upstream import Source
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.bucket import Bucket

if TYPE_CHECKING:
    import ibis.expr.types as ir

Pairs = Sequence[tuple[str, str]]
"""Columns of a table, and the columns of the grain that they are."""


@dataclass(frozen=True)
class Portion:
    """Some of a feature's pieces of work.

    Attributes:
        plan: the feature's plan.
        members: the grain columns of these pieces, or the bucket into which they fall.
    """

    plan: FeaturePlan
    members: ir.Table | Bucket

    @property
    def key(self) -> Hashable:
        """What decides about the SQL made from it."""
        return self.members if isinstance(self.members, Bucket) else self.members.op()

    def of(self, rows: ir.Table) -> ir.Table:
        """Those of some rows, with the columns of the grain, that belong to it."""
        return self._belonging(rows, [(name, name) for name in self.plan.grain])

    def work(self, source: Source) -> Source:
        """What was processed, with every row that decides about the portion."""
        return self._bounded(source, [(name, name) for name in self.plan.grain])

    def upstream(self, sources: Mapping[FeatureKey, Source]) -> dict[FeatureKey, Source]:
        """The deps' tables, with every row that decides about the portion."""
        ids = {dep.feature: dep.ids for dep in self.plan.deps}
        return {key: self._bounded(source, ids[key]) for key, source in sources.items()}

    def _bounded(self, source: Source, pairs: Pairs) -> Source:
        """Fewer rows where the pairs tell enough; the comparison leaves the rest out later."""
        if isinstance(self.members, Bucket) and len(pairs) < len(self.plan.grain):
            return source
        rows = self._belonging(source.rows, pairs)
        if source.superseding and not {there for there, _ in pairs} <= set(source.id_columns):
            ids = list(source.id_columns)  # a record may have left the portion, or come to it
            rows = source.rows.semi_join(rows.select(*ids), ids)
        return replace(source, rows=rows, narrowed=True)

    def _belonging(self, rows: ir.Table, pairs: Pairs) -> ir.Table:
        if isinstance(self.members, Bucket):
            names = {here: there for there, here in pairs}
            text = joined_columns([rows[names[name]] for name in self.plan.grain])
            return rows.filter(hash_column(text) % self.members.of == self.members.number)
        wanted = self.members.select(**{there: self.members[here] for there, here in pairs})
        return rows.semi_join(wanted, [there for there, _ in pairs])
