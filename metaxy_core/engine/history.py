"""A table's past: its rows as they were at a moment, and those that a later row made history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.engine.upstream import Source

if TYPE_CHECKING:
    import ibis.expr.types as ir

Moment = int | dt.datetime


def until(source: Source, moment: Moment) -> Source:
    """A feature's table as it was.

    Args:
        source: the table.
        moment: the id of the last commit that counts, or the time until which commits count.
    """
    if isinstance(moment, int):
        return replace(source, rows=source.rows.filter(source.rows[sc.COMMIT] <= moment))
    counting = source.commits.filter(
        source.commits.feature == str(source.feature), source.commits.created_at <= moment
    ).select(sc.COMMIT)
    return replace(source, rows=source.rows.semi_join(counting, sc.COMMIT))


def superseded(source: Source, ids: Sequence[str], moment: Moment | None) -> ir.Table:
    """The rows that had been replaced by a newer one of the same id at a moment; None is now.

    Returns:
        Their ids and commits.
    """
    rows = source.rows
    counting = rows if moment is None else until(source, moment).rows
    newest = counting.group_by(list(ids)).agg(
        metaxy_newest=lambda counted: counted[sc.COMMIT].max()
    )
    both = rows.inner_join(newest, list(ids), rname="{name}__metaxy_newest")
    return both.filter(both[sc.COMMIT] < both.metaxy_newest).select(*ids, sc.COMMIT)
