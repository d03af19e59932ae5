"""What an expansion's write does to the parents it covers and to their former children."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir


def replaced_children(
    live: ir.Table,
    parents: ir.Table,
    written: ir.Table | None,
    grain: Sequence[str],
    ids: Sequence[str],
) -> ir.Table:
    """The live children of some parents that a write does not bring again.

    Args:
        live: the live children.
        parents: the parents whose whole sets are written.
        written: the children that are written; None for none.
        grain: what identifies a parent.
        ids: what identifies a child.
    """
    former = live.semi_join(parents, list(grain))
    return former if written is None else former.anti_join(written, list(ids))


def taken_children(
    live: ir.Table,
    parents: ir.Table,
    written: ir.Table,
    grain: Sequence[str],
    ids: Sequence[str],
) -> ir.Table:
    """The written children that belong to another parent, which the write does not cover.

    Args:
        live: the live children.
        parents: the parents whose whole sets are written.
        written: the children that are written.
        grain: what identifies a parent.
        ids: what identifies a child.
    """
    others = live.anti_join(parents, list(grain))
    return others.semi_join(written, list(ids)).select(*dict.fromkeys((*ids, *grain)))


def parents_of(live: ir.Table, children: ir.Table, grain: Sequence[str]) -> ir.Table:
    """The processed parents to which some children belong."""
    return live.semi_join(children.select(*grain), list(grain))
