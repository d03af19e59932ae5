"""Expected records against stored ones, in one pass."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.graph.plan import FeaturePlan

if TYPE_CHECKING:
    import ibis.expr.types as ir

NEW: Final = 0
STALE: Final = 1
ORPHANED: Final = 2
BLOCKED: Final = 3


def compared(plan: FeaturePlan, expected: ir.Table, stored: ir.Table) -> ir.Table:
    """The records that differ.

    Args:
        plan: the feature's plan.
        expected: grain columns, carried columns, provenance of each field, ``metaxy_ready``.
        stored: what was processed, live: grain columns and provenance of each field.

    Returns:
        The columns of ``expected``, one boolean per field that tells whether it changed, and
        ``metaxy_status``. A record that is expected, but not ready, is blocked and nothing else.
    """
    import ibis

    ids = list(plan.grain)
    stored = stored.select(
        *ids,
        **{_stored_name(name): stored[name] for name in _provenance_names(plan)},
        metaxy_stored=ibis.literal(value=True),
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
        (reduce(lambda a, b: a | b, changed.values()), STALE),
        else_=ibis.null("int8"),
    ).cast("int8")
    carried = [name for name in expected.columns if name not in (*ids, sc.READY)]
    result = both.select(
        **{name: both[name].coalesce(both[f"{name}__metaxy_stored_id"]) for name in ids},
        **{name: both[name] for name in carried},
        **changed,
        **{sc.STATUS: status},
    )
    return result.filter(result[sc.STATUS].notnull())


def with_status(increment: ir.Table, status: int) -> ir.Table:
    """One kind of an increment's rows."""
    return increment.filter(increment[sc.STATUS] == status).drop(sc.STATUS)


def counted(increment: ir.Table) -> ir.Table:
    """Rows per status: columns ``metaxy_status`` and ``records``."""
    return increment.group_by(sc.STATUS).agg(records=increment.count())


def orphans(plan: FeaturePlan, increment: ir.Table, stored: ir.Table) -> ir.Table:
    """The stored rows of an increment's orphaned records."""
    ids = list(plan.grain)
    return stored.semi_join(with_status(increment, ORPHANED), ids)


def _provenance_names(plan: FeaturePlan) -> list[str]:
    return [sc.provenance(field.key) for field in plan.fields]


def _stored_name(name: str) -> str:
    return f"{name}__stored"
