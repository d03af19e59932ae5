"""The rows of one table in several stores become one table, the nearest store's rows the newest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.errors import WrongColumnType
from metaxy_core.keys import FeatureKey
from metaxy_core.store.layers import Layer

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

SUPERSEDED_THERE: Final = "superseded_there"


def shifted(layer: Layer, rows: ir.Table) -> ir.Table:
    """Rows of a layer under commit ids that are older than those of every layer before it."""
    if not layer.shift or sc.COMMIT not in rows.columns:
        return rows
    return rows.mutate(**{sc.COMMIT: rows[sc.COMMIT].cast("int64") - layer.shift})


def commits_union(parts: Sequence[tuple[Layer, ir.Table]]) -> ir.Table:
    """The commits of several stores.

    Those of every store but the last count as superseding: their rows replace those below. What
    they said of themselves stands in ``SUPERSEDED_THERE``.
    """
    import ibis

    last = parts[-1][0]
    one = ibis.literal(1, "int64")
    tables = []
    for layer, rows in parts:
        told = rows.mutate(**{SUPERSEDED_THERE: rows.superseded})
        tables.append(shifted(layer, told if layer is last else told.mutate(superseded=one)))
    return plain_union(tables)


def plain_union(tables: Sequence[ir.Table]) -> ir.Table:
    """The rows of tables that have the same columns."""
    import ibis

    names = tables[0].columns
    if len(tables) == 1:
        return tables[0]
    return ibis.union(*(table.select(*names) for table in tables))


def rows_union(
    feature: FeatureKey, ids: Collection[str], parts: Sequence[tuple[Layer, ir.Table]]
) -> ir.Table:
    """The rows of a feature's table in several stores; what one does not have is NULL.

    Args:
        feature: the feature, for messages.
        ids: its id columns.
        parts: the table in each store that has it, nearest first.

    Raises:
        WrongColumnType: a column has types in two stores that do not go together.
    """
    import ibis

    parts = [(layer, shifted(layer, rows)) for layer, rows in parts]
    if len(parts) == 1:
        return parts[0][1]
    types: dict[str, dt.DataType] = {}
    origins: dict[str, Layer] = {}
    for layer, rows in parts:
        for name, given in rows.schema().items():
            found = given.copy(nullable=True)
            wanted = types.setdefault(name, found)
            origin = origins.setdefault(name, layer)
            common = _common(found, wanted, is_id=name in ids)
            if common is None:
                raise WrongColumnType.from_types(
                    feature,
                    name,
                    found,
                    wanted,
                    f"in the fallback {layer.address!r}, against {origin.address!r}",
                )
            types[name] = common
    return ibis.union(*(_fitted(rows, types) for _, rows in parts))


def _fitted(rows: ir.Table, types: dict[str, dt.DataType]) -> ir.Table:
    import ibis

    columns = {}
    for name, kind in types.items():
        if name not in rows.columns:
            columns[name] = ibis.null(kind)
        elif rows[name].type().copy(nullable=True) != kind:
            columns[name] = rows[name].cast(kind)
        else:
            columns[name] = rows[name]
    return rows.select(**columns)


def _common(found: dt.DataType, wanted: dt.DataType, *, is_id: bool) -> dt.DataType | None:
    """A type that holds the values of both, or None where there is none."""
    import ibis.expr.datatypes as dt

    both = (found, wanted)
    if found == wanted:
        return wanted
    if all(kind.is_integer() for kind in both):
        alike = found.is_signed_integer() == wanted.is_signed_integer()
        return max(both, key=lambda kind: kind.nbytes) if alike else dt.int64
    if is_id:
        return None
    if all(kind.is_integer() or kind.is_floating() for kind in both):
        return dt.float64
    if all(kind.is_timestamp() for kind in both) and found.timezone == wanted.timezone:
        return max(both, key=lambda kind: kind.scale or 0)
    return None
