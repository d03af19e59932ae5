"""Only what some commits touched has to be compared; here it is found, through every lineage.

A commit touches the ids of its rows. Through a dep these are ids, groups or parts of ids of the
depending feature; ``candidates`` brings all of them to its grain, and ``narrowed`` leaves of each
table the rows that decide about them. The rows after a commit are the last ones of a table, so of
what came before only the rows of ids that something else touched are looked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine.upstream import Source
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey

if TYPE_CHECKING:
    import ibis.expr.types as ir

_WIDEST: Final = "decimal(20, 0)"

Pairs = Sequence[tuple[str, str]]
"""Columns of a table, and the columns of the grain that they are."""


def candidates(
    plan: FeaturePlan,
    work: Source,
    upstream: Mapping[FeatureKey, Source],
    since: ir.IntegerScalar,
    own_since: ir.IntegerScalar,
    left: ir.Table | None,
) -> ir.Table:
    """The pieces of work about which anything after a commit may have decided.

    Args:
        plan: the feature's plan.
        work: what it has processed.
        upstream: the table of each dep.
        since: the commit.
        own_since: the same of what it has processed.
        left: grain columns of further candidates; None for none.

    Returns:
        Grain columns, each piece once.
    """
    own = same_names(plan.grain)
    found = [_touched(work, own, own_since)]
    found += [] if left is None else [left.select(*plan.grain)]
    whole = [dep for dep in plan.deps if len(dep.ids) == len(plan.grain)]
    found += [_touched(upstream[dep.feature], dep.ids, since) for dep in whole]
    for dep in plan.deps:
        if dep not in whole:
            part = _touched(upstream[dep.feature], dep.ids, since)
            sides = [(work, own), *((upstream[each.feature], each.ids) for each in whole)]
            names = [here for _, here in dep.ids]
            found += [_keys(source.rows, pairs).semi_join(part, names) for source, pairs in sides]
    return reduce(lambda left, right: left.union(right), _alike(plan, found)).distinct()


def narrowed(source: Source, pairs: Pairs, keys: ir.Table, since: ir.IntegerScalar) -> Source:
    """A table with what decides about some pieces of work, and little else.

    Args:
        source: the table.
        pairs: which of its columns are which of the grain.
        keys: the pieces of work; everything that was touched since is among them.
        since: the commit.
    """
    rows = source.rows
    later = rows.filter(rows[sc.COMMIT] > since)
    earlier = rows.filter(rows[sc.COMMIT] <= since)
    if {there for there, _ in pairs} == set(source.id_columns):  # one row decides about one key
        keys = keys.anti_join(_keys(later, pairs), [here for _, here in pairs])
    found = later.union(_rows_of(earlier, source, pairs, keys))
    return replace(source, rows=found, narrowed=True)


def of_keys(source: Source, columns: Sequence[str], keys: ir.Table) -> Source:
    """A table with every row of the ids that ever had one of some keys.

    Args:
        source: the table.
        columns: the columns of a key, here and in ``keys``.
        keys: the keys.
    """
    rows = _rows_of(source.rows, source, same_names(columns), keys)
    return replace(source, rows=rows, narrowed=True)


def _rows_of(rows: ir.Table, source: Source, pairs: Pairs, keys: ir.Table) -> ir.Table:
    """The rows of all ids of which one row has one of these keys."""
    columns = [there for there, _ in pairs]
    wanted = keys.select(**{there: keys[here] for there, here in pairs})
    found = rows.semi_join(wanted, columns)
    if _follow_from_ids(source, pairs) or not source.superseding:
        return found
    ids = list(source.id_columns)
    return rows.semi_join(found.select(*ids), ids)


def _touched(source: Source, pairs: Pairs, since: ir.IntegerScalar) -> ir.Table:
    """The keys that rows after a commit have, or that their records had before."""
    rows = source.rows
    later = rows.filter(rows[sc.COMMIT] > since)
    if source.superseding and not _follow_from_ids(source, pairs):
        ids = list(source.id_columns)
        later = rows.semi_join(later.select(*ids), ids)
    return _keys(later, pairs)


def _keys(rows: ir.Table, pairs: Pairs) -> ir.Table:
    keys = rows.select(**{here: rows[there] for there, here in pairs})
    return keys.filter([keys[here].notnull() for _, here in pairs])


def _follow_from_ids(source: Source, pairs: Pairs) -> bool:
    """Whether a record can never have another key than it has."""
    return {there for there, _ in pairs} <= set(source.id_columns)


def _alike(plan: FeaturePlan, tables: Sequence[ir.Table]) -> list[ir.Table]:
    """Keys of one schema, so that they can be put together: integers may differ in their width."""
    schemas = [table.schema() for table in tables]
    kinds = {name: {schema[name].copy(nullable=True) for schema in schemas} for name in plan.grain}
    common = {name: found.pop() if len(found) == 1 else _WIDEST for name, found in kinds.items()}
    return [
        table.select(**{name: table[name].cast(common[name]) for name in plan.grain})
        for table in tables
    ]


def same_names(names: Sequence[str]) -> Pairs:
    """Columns that have the names of the grain's."""
    return [(name, name) for name in names]
