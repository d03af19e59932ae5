"""A feature's inputs as they were at former moments, for one record; a moment is a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine.provenance import expected_from_upstream
from metaxy_core.engine.upstream import Source, dep_records, latest_rows
from metaxy_core.graph.plan import DepPlan, FeaturePlan
from metaxy_core.keys import FeatureKey

if TYPE_CHECKING:
    import ibis.expr.types as ir

MOMENT: Final = "metaxy_moment"
TAKEN: Final = "metaxy_taken"


def rows_of(source: Source, record: ir.Table) -> Source:
    """A feature's rows, of all times, that belong to a record of its own.

    Args:
        source: the feature.
        record: one row with the source's id columns.
    """
    return replace(source, rows=source.rows.semi_join(record, list(source.id_columns)))


def upstream_of(dep: DepPlan, source: Source, record: ir.Table) -> Source:
    """A dep's rows, of all times, of every record that ever belonged to a downstream record.

    A member that left a group keeps its later rows, so that one can tell that it left.

    Args:
        dep: the dep.
        source: its table.
        record: one row with the downstream feature's grain columns.
    """
    ids = list(source.id_columns)
    belonging = _belonging(dep, source.rows, record).select(*ids).distinct()
    return replace(source, rows=source.rows.semi_join(belonging, ids))


def moments(sources: Sequence[Source]) -> ir.Table:
    """The commits in which any row of some sources was written."""
    written = [source.rows.select(sc.COMMIT) for source in sources]
    return reduce(lambda left, right: left.union(right), written).distinct()


def as_of(source: Source, moments: ir.Table) -> Source:
    """A source as it was at each of some moments; the moment becomes a part of its ids."""
    rows = source.rows.join(moments, source.rows[sc.COMMIT] <= moments[MOMENT])
    return replace(source, id_columns=(*source.id_columns, MOMENT), rows=rows)


def expected_at(
    plan: FeaturePlan,
    sources: Mapping[FeatureKey, Source],
    record: ir.Table,
    moments: ir.Table,
) -> ir.Table:
    """What a record was expected to be at each of some moments.

    Args:
        plan: the feature's plan.
        sources: the rows of each dep, of all times.
        record: one row with the grain columns.
        moments: ``metaxy_moment``.

    Returns:
        ``metaxy_moment`` and the provenance of each field, for the moments that called for it.
    """
    deps = tuple(replace(dep, ids=(*dep.ids, (MOMENT, MOMENT))) for dep in plan.deps)
    momentary = replace(plan, grain=(*plan.grain, MOMENT), deps=deps)
    states = {feature: as_of(source, moments) for feature, source in sources.items()}
    expected = expected_from_upstream(momentary, states, {dep.feature: () for dep in plan.deps})
    provenance = [sc.provenance(field.key) for field in plan.fields]
    return expected.semi_join(record, list(plan.grain)).select(MOMENT, *provenance)


def dep_rows(dep: DepPlan, source: Source, record: ir.Table) -> ir.Table:
    """The newest row of each upstream record, deleted or not, and whether the dep takes it.

    Args:
        dep: the dep.
        source: the rows of the records in question.
        record: one row with the downstream feature's grain columns.

    Returns:
        The rows as on disk, with ``metaxy_taken``: live, of this group, and passing the filter.
    """
    import ibis

    ids = list(source.id_columns)
    taken = _belonging(dep, dep_records(dep, source), record).select(*ids)
    latest = latest_rows(source)
    marked = taken.mutate(**{TAKEN: ibis.literal(value=True)})
    joined = latest.left_join(marked, ids, rname="{name}__metaxy_taken")
    flag = joined[TAKEN].fill_null(ibis.literal(value=False))
    return joined.select(*latest.columns, **{TAKEN: flag})


def _belonging(dep: DepPlan, rows: ir.Table, record: ir.Table) -> ir.Table:
    wanted = record.select(**{there: record[here] for there, here in dep.ids})
    return rows.semi_join(wanted, [there for there, _ in dep.ids])
