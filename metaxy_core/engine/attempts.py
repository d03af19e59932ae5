"""Failed attempts count for the provenance they were made at: another upstream is another try."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.engine.compare import FAILED, NEW, STALE
from metaxy_core.graph.plan import FeaturePlan

if TYPE_CHECKING:
    import ibis.expr.types as ir


def counted(plan: FeaturePlan, attempts: ir.Table, stored: ir.Table) -> ir.Table:
    """Attempts per piece of work and provenance, since it was done last.

    Args:
        plan: the feature's plan.
        attempts: a row per failure: grain columns, the provenance of each field, error, time, and
            ``metaxy_commit``, the newest commit when it happened.
        stored: what was processed, live, with the commit that did it.

    Returns:
        Grain and provenance columns, ``metaxy_attempts``, and error, time and materialization id of
        the last one.
    """
    ids = list(plan.grain)
    done = stored.select(*ids, metaxy_done=stored[sc.COMMIT])
    both = attempts.view().left_join(done, ids, rname="{name}__metaxy_done")
    since = both.filter(both.metaxy_done.isnull() | (both.metaxy_done <= both[sc.COMMIT]))
    attempts = since.select(*attempts.columns)
    last = (sc.ERROR, sc.MATERIALIZATION_ID)
    return attempts.group_by(_keys(plan)).agg(
        **{sc.ATTEMPTS: attempts.count()},
        **{name: attempts[name].argmax(attempts[sc.FAILED_AT]) for name in last},
        **{sc.FAILED_AT: attempts[sc.FAILED_AT].max()},
    )


def marked(
    plan: FeaturePlan, increment: ir.Table, attempts: ir.Table, stored: ir.Table, maximum: int
) -> ir.Table:
    """An increment that says which of its new and stale records failed too often.

    Args:
        plan: the feature's plan.
        increment: with ``metaxy_status``.
        attempts: a row per failure.
        stored: what was processed, live.
        maximum: how many failures at the present provenance are too many.

    Returns:
        The increment with ``metaxy_exhausted``.
    """
    import ibis

    tried = counted(plan, attempts, stored)
    exhausted = tried.filter(tried[sc.ATTEMPTS] >= maximum).select(
        *_keys(plan), metaxy_tried=ibis.literal(value=True)
    )
    increment = increment.view()  # a join of its own, and no link of the comparison's
    both = increment.left_join(exhausted, _keys(plan), rname="{name}__metaxy_tried")
    too_often = both.metaxy_tried.notnull() & both[sc.STATUS].isin([NEW, STALE])
    return both.select(*increment.columns, **{sc.EXHAUSTED: too_often})


def with_failed(
    plan: FeaturePlan, increment: ir.Table, attempts: ir.Table, stored: ir.Table, maximum: int
) -> ir.Table:
    """An increment in which what failed too often is ``FAILED``; see ``marked``."""
    found = marked(plan, increment, attempts, stored, maximum)
    status = found[sc.EXHAUSTED].ifelse(FAILED, found[sc.STATUS]).cast("int8")
    return found.mutate(**{sc.STATUS: status}).drop(sc.EXHAUSTED)


def unresolved(plan: FeaturePlan, attempts: ir.Table, stored: ir.Table) -> ir.Table:
    """The last failure of each piece of work that has not been done since.

    Args:
        plan: the feature's plan.
        attempts: a row per failure.
        stored: what was processed, live.
    """
    import ibis

    tried = counted(plan, attempts, stored)
    order = ibis.window(
        group_by=list(plan.grain), order_by=[tried[sc.FAILED_AT].desc(), tried[sc.ERROR]]
    )
    ranked = tried.mutate(metaxy_rank=ibis.row_number().over(order))
    last = ranked.filter(ranked.metaxy_rank == 0).drop("metaxy_rank")
    return last.order_by(list(plan.grain))


def _keys(plan: FeaturePlan) -> list[str]:
    return [*plan.grain, *(sc.provenance(field.key) for field in plan.fields)]
