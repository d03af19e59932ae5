"""Expected records against stored ones, in one pass."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine.candidates import of_keys
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.upstream import Source, live_records
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.specs.filter import Filter

if TYPE_CHECKING:
    import ibis.expr.types as ir

NEW: Final = 0
STALE: Final = 1
ORPHANED: Final = 2
BLOCKED: Final = 3
UP_TO_DATE: Final = 4
FAILED: Final = 5


def classified(
    plan: FeaturePlan, expected: ir.Table, stored: ir.Table, forced: ir.Table | None = None
) -> ir.Table:
    """Every record that is expected or stored, with what is to be done about it.

    Args:
        plan: the feature's plan.
        expected: grain columns, carried columns, provenance of each field, ``metaxy_ready``.
        stored: what was processed, live: grain columns and provenance of each field.
        forced: grain columns of what is stale whatever its provenance; None for nothing.

    Returns:
        The columns of ``expected``, one boolean per field that tells whether it changed, and
        ``metaxy_status``. A record that is expected, but not ready, is blocked and nothing else.
    """
    import ibis

    ids = list(plan.grain)
    stored = _with_forced(stored, forced, ids)
    stored = stored.select(
        *ids,
        **{_stored_name(name): stored[name] for name in _provenance_names(plan)},
        metaxy_stored=ibis.literal(value=True),
        metaxy_forced="metaxy_forced",
    )
    both = expected.outer_join(stored, ids, rname="{name}__metaxy_stored_id")
    changed = {
        sc.changed(field.key): ~both[sc.provenance(field.key)].identical_to(
            both[_stored_name(sc.provenance(field.key))]
        )
        for field in plan.fields
    }
    status = ibis.cases(
        (both[sc.READY].isnull(), ORPHANED),
        (~both[sc.READY], BLOCKED),
        (both.metaxy_stored.isnull(), NEW),
        (reduce(lambda a, b: a | b, [*changed.values(), both.metaxy_forced]), STALE),
        else_=UP_TO_DATE,
    ).cast("int8")
    carried = [name for name in expected.columns if name not in (*ids, sc.READY)]
    return both.select(
        **{name: both[name].coalesce(both[f"{name}__metaxy_stored_id"]) for name in ids},
        **{name: both[name] for name in carried},
        **changed,
        **{sc.STATUS: status},
    )


def differing(found: ir.Table) -> ir.Table:
    """The records that are not up to date."""
    return found.filter(found[sc.STATUS] != UP_TO_DATE)


def narrowed(
    plan: FeaturePlan, increment: ir.Table, condition: Filter | None, limit: int | None
) -> ir.Table:
    """Part of an increment.

    Args:
        plan: the feature's plan.
        increment: what ``differing`` gave.
        condition: over grain and carried columns; carried columns of orphans are NULL.
        limit: at most so many new and stale records, the first ones by id.
    """
    import ibis

    increment = filtered(increment, condition, plan.key)
    if limit is None:
        return increment
    is_work = increment[sc.STATUS].isin([NEW, STALE])
    order = ibis.window(group_by=is_work, order_by=[increment[name] for name in plan.grain])
    ranked = increment.mutate(metaxy_rank=ibis.row_number().over(order), metaxy_is_work=is_work)
    kept = ranked.filter(~ranked.metaxy_is_work | (ranked.metaxy_rank < limit))
    return kept.drop("metaxy_rank", "metaxy_is_work")


def _with_forced(stored: ir.Table, forced: ir.Table | None, ids: list[str]) -> ir.Table:
    import ibis

    if forced is None:
        return stored.mutate(metaxy_forced=ibis.literal(value=False))
    marked = forced.select(*ids).distinct().mutate(metaxy_forced=ibis.literal(value=True))
    joined = stored.left_join(marked, ids, rname="{name}__metaxy_marked_id")
    return joined.mutate(metaxy_forced=joined.metaxy_forced.fill_null(ibis.literal(value=False)))


def with_status(increment: ir.Table, status: int) -> ir.Table:
    """One kind of an increment's rows."""
    return increment.filter(increment[sc.STATUS] == status).drop(sc.STATUS)


def to_process(plan: FeaturePlan, increment: ir.Table) -> ir.Table:
    """The grain columns of an increment's new and stale rows, in order."""
    rows = increment.filter(increment[sc.STATUS].isin([NEW, STALE]))
    return rows.select(*plan.grain).order_by(list(plan.grain))


def counted(increment: ir.Table, *by: str) -> ir.Table:
    """Rows per status, and per value of further columns; ``records`` says how many."""
    return increment.group_by(sc.STATUS, *by).agg(records=increment.count())


def changes(plan: FeaturePlan, increment: ir.Table) -> ir.Table:
    """In how many stale rows each field changed: one row, a column for each field's flag."""
    stale = with_status(increment, STALE)
    flags = [sc.changed(field.key) for field in plan.fields]
    return stale.agg(**{flag: stale[flag].sum() for flag in flags})


def orphans(plan: FeaturePlan, increment: ir.Table, own: Source) -> ir.Table:
    """The stored rows of an increment's orphaned records."""
    keys = with_status(increment, ORPHANED)
    stored = live_records(of_keys(own, plan.grain, keys))
    return stored.semi_join(keys, list(plan.grain))


def processed_columns(plan: FeaturePlan) -> list[str]:
    """What tells whether a record was processed: its id, and what it was computed from."""
    return [*plan.grain, *_provenance_names(plan)]


def _provenance_names(plan: FeaturePlan) -> list[str]:
    return [sc.provenance(field.key) for field in plan.fields]


def _stored_name(name: str) -> str:
    return f"{name}__stored"
