"""Records that one run has taken are told from those that others may still take."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine.compare import NEW, STALE
from metaxy_core.engine.numbers import number

if TYPE_CHECKING:
    import ibis.expr.types as ir

SINCE_CLAIMED: Final = "since claimed"
"""A commit before which nothing was written of the claimed records since they were claimed."""

SINCE_SEEN: Final = "since seen"
"""The newest commit that a comparison certainly saw."""

BECOMES: Final = "metaxy_becomes"
_WIDEST: Final = "decimal(20, 0)"


def former(held: Held, now: ir.Table) -> ir.Table:
    """What claims hold beside the records that are claimed now.

    Args:
        held: the claims; they tell by ``metaxy_becomes`` which claim goes on for each of them.
        now: ids that are claimed now.
    """
    rows = held.rows().anti_join(now, held.ids)
    return rows.select(*held.ids, **{sc.CLAIM: rows[BECOMES], sc.COMMIT: rows[sc.COMMIT]})


def alike(table: ir.Table, other: ir.Table, ids: Sequence[str]) -> bool:
    """Whether two tables have these ids, in types that compare; integers may differ in width."""
    if not set(ids) <= set(table.columns) & set(other.columns):
        return False
    kinds = [(_wide(table, name).type(), _wide(other, name).type()) for name in ids]
    return all(here.copy(nullable=True) == there.copy(nullable=True) for here, there in kinds)


@dataclass(frozen=True)
class Held:
    """Where it stands which records some claims of one feature hold.

    Attributes:
        claimed: ids, ``metaxy_claim``, and ``metaxy_commit``, the newest commit when they were
            claimed.
        claims: ``metaxy_claim`` of those that count, and what else is to be told of them.
        work: the rows of what was processed, of all times; None where there is none.
    """

    claimed: ir.Table
    claims: ir.Table
    work: ir.Table | None

    @property
    def key(self) -> Hashable:
        """What decides about the SQL made from them."""
        work = None if self.work is None else self.work.op()
        return (self.claimed.op(), self.claims.op(), work)

    @property
    def ids(self) -> list[str]:
        """The id columns."""
        return [name for name in self.claimed.columns if name not in {sc.CLAIM, sc.COMMIT}]

    def are_of(self, table: ir.Table, ids: Sequence[str]) -> bool:
        """Whether a table's records are identified as the claimed ones are."""
        return set(self.ids) == set(ids) and alike(self.claimed, table, ids)

    def rows(self, among: ir.Table | None = None) -> ir.Table:
        """The claimed records that nobody has written since, with what is told of their claims.

        Args:
            among: ids, integers as wide as they can be; others are left out.
        """
        ids = self.ids
        claimed = self.claimed if among is None else self.claimed.semi_join(among, ids)
        claimed = claimed.inner_join(self.claims, sc.CLAIM)
        if self.work is None or not alike(claimed, self.work, ids):
            return claimed
        work = self.work
        later = work.filter(work[sc.COMMIT] > number(SINCE_CLAIMED), ~work[sc.DELETED])
        if among is not None:
            later = later.semi_join(among, _same(later, among, ids))
        later = later.select(*ids, metaxy_written=later[sc.COMMIT])
        same = [*_same(claimed, later, ids), later.metaxy_written > claimed[sc.COMMIT]]
        return claimed.anti_join(later, same)


def open_to(
    increment: ir.Table, ids: Sequence[str], held: Held | None, work: ir.Table | None
) -> ir.Table:
    """The new and stale records of an increment, with who holds them.

    Args:
        increment: with ``metaxy_status``.
        ids: the id columns.
        held: what somebody holds; its claims tell by ``metaxy_own`` whether they are the asking
            owner's. None for nobody.
        work: the rows of what was processed; None where there is none. What was written after the
            increment was found is left out.

    Returns:
        The ids, integers as wide as they can be, and ``metaxy_own``, NULL where nobody holds it.
    """
    import ibis

    wanted = increment.filter(increment[sc.STATUS].isin([NEW, STALE]))
    wanted = wanted.select(**{name: _wide(wanted, name) for name in ids})
    if work is not None and alike(wanted, work, ids):
        later = work.filter(work[sc.COMMIT] > number(SINCE_SEEN))
        wanted = wanted.anti_join(later, _same(wanted, later, ids))
    if held is None or not held.are_of(wanted, ids):
        return wanted.mutate(**{sc.OWN: ibis.null("boolean")})
    theirs = held.rows(wanted)
    theirs = theirs.select(sc.OWN, **{_other(name): theirs[name] for name in ids})
    same = [wanted[name] == theirs[_other(name)] for name in ids]
    return wanted.left_join(theirs, same).select(*ids, sc.OWN)


def first(found: ir.Table, ids: Sequence[str], limit: int | None) -> ir.Table:
    """The ids that the owner may take: those it has already, then the first ones by id.

    ``metaxy_own`` tells which those are.

    Args:
        found: what ``open_to`` gave.
        ids: the id columns.
        limit: at most so many.
    """
    import ibis

    own = found[sc.OWN].fill_null(ibis.literal(value=False))
    free = found.filter(found[sc.OWN].isnull() | own).mutate(**{sc.OWN: own})
    if limit is not None:
        free = free.order_by([free[sc.OWN].desc(), *ids]).limit(limit)
    return free.select(*ids, sc.OWN)


def held_by_others(found: ir.Table) -> ir.Table:
    """How many records others hold, as ``records``, of what ``open_to`` gave."""
    others = found.filter(~found[sc.OWN])
    return others.agg(records=others.count())


def reduced(increment: ir.Table, ids: Sequence[str], taken: ir.Table) -> ir.Table:
    """An increment whose new and stale records are the taken ones."""
    is_work = increment[sc.STATUS].isin([NEW, STALE])
    work = increment.filter(is_work)
    work = work.semi_join(taken, _same(work, taken, ids))
    return increment.filter(~is_work).union(work)


def _same(left: ir.Table, right: ir.Table, ids: Sequence[str]) -> list[ir.BooleanValue]:
    return [_wide(left, name) == _wide(right, name) for name in ids]


def _wide(table: ir.Table, name: str) -> ir.Value:
    column = table[name]
    return column.cast(_WIDEST) if column.type().is_integer() else column


def _other(name: str) -> str:
    return f"{name}__metaxy_held"
