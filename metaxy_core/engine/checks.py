"""What a frame must hold before it may be written, as queries that return the offending rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir


def repeated_ids(table: ir.Table, id_columns: Sequence[str]) -> ir.Table:
    """The ids that occur more than once."""
    counted = table.group_by(list(id_columns)).agg(metaxy_times=lambda rows: rows.count())
    return counted.filter(counted.metaxy_times > 1).select(*id_columns).order_by(*id_columns)


def known_ids(table: ir.Table, rows: ir.Table, id_columns: Sequence[str]) -> ir.Table:
    """How many rows of a frame have an id that a table already holds: one row, ``records``."""
    found = table.select(*id_columns).semi_join(rows.select(*id_columns), list(id_columns))
    return found.distinct().agg(records=lambda ids: ids.count())
