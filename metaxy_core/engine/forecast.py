"""What a run of the whole graph would leave behind, as tables that stand for the stored ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine import hashing
from metaxy_core.engine.compare import NEW, ORPHANED, STALE, UP_TO_DATE
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.upstream import Source, commits_of, live_records
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey, FieldKey

if TYPE_CHECKING:
    import ibis.expr.types as ir

_RECOMPUTED: Final = (NEW, STALE)


def repeated_samples(
    plan: FeaturePlan, source: Source, outdated: Mapping[FieldKey, Collection[str]]
) -> ir.Table:
    """A root's expected records where its samples are not at hand: the stored ones again.

    Args:
        plan: the root's plan.
        source: its records.
        outdated: for each field the feature versions under which it had another code version.
            Records written under one of them get another provenance; which one does not matter.

    Returns:
        Id columns, the provenance of each field, and ``metaxy_ready``.
    """
    import ibis

    records = live_records(source)
    return records.select(
        *plan.id_columns,
        **{
            sc.provenance(key): _under_new_code(records, source, key, outdated[key])
            for key in (field.key for field in plan.fields)
        },
        **{sc.READY: ibis.literal(value=True)},
    )


def _under_new_code(
    records: ir.Table, source: Source, field: FieldKey, versions: Collection[str]
) -> ir.IntegerValue:
    import ibis

    stored = records[sc.provenance(field)]
    if not versions:
        return stored
    text = ibis.literal("planned|") + stored.cast("string").fill_null(hashing.UNKNOWN)
    is_outdated = records[sc.COMMIT].isin(commits_of(source, versions)[sc.COMMIT])
    return is_outdated.ifelse(hashing.hash_column(text), stored)


def with_moved(
    plan: FeaturePlan, expected: ir.Table, upstream: Mapping[FeatureKey, Source]
) -> ir.Table:
    """Expected records with ``metaxy_moved``: whether a record above them is computed again.

    Args:
        plan: the feature's plan.
        expected: the records that its upstream calls for.
        upstream: what the deps' tables will be, with ``metaxy_moved``.
    """
    import ibis

    joined = expected
    for number, dep in enumerate(plan.deps):
        source, flag = upstream[dep.feature], f"{sc.MOVED}__{number}"
        rows = filtered(source.rows, dep.filter, dep.feature) if source.written else source.rows
        rows = rows.filter(rows[sc.MOVED])
        moved = rows.select(**{here: rows[there] for there, here in dep.ids}).distinct()
        moved = moved.mutate(**{flag: ibis.literal(value=True)})
        on = [here for _, here in dep.ids]
        both = joined.left_join(moved, on, rname="{name}__metaxy_right")
        joined = both.select(*joined.columns, flag)
    flags = [joined[name].notnull() for name in joined.columns if name not in expected.columns]
    return joined.mutate(**{sc.MOVED: reduce(lambda a, b: a | b, flags, ibis.literal(value=False))})


def forecast(
    plan: FeaturePlan, expected: ir.Table, stored: ir.Table, columns: Sequence[str]
) -> ir.Table:
    """What becomes of each piece of a feature's work.

    Args:
        plan: the feature's plan.
        expected: grain columns, carried columns, provenance of each field, ``metaxy_ready`` and
            ``metaxy_moved``.
        stored: what was processed, live.
        columns: the user columns that are wanted. A record that is computed takes those that come
            with the increment from there, and keeps the others as they are stored.

    Returns:
        Grain columns, ``columns``, provenance and data version of each field after the run, for
        each field whether it changes, ``metaxy_moved`` and ``metaxy_status``.
    """
    import ibis

    ids = list(plan.grain)
    named = {_stored_name(name): stored[name] for name in stored.columns if name not in ids}
    stored = stored.select(*ids, **named, metaxy_stored=ibis.literal(value=True))
    both = expected.outer_join(stored, ids, rname="{name}__metaxy_stored_id")
    changed = {
        field.key: ~both[sc.provenance(field.key)].identical_to(
            both[_stored_name(sc.provenance(field.key))]
        )
        for field in plan.fields
    }
    status = ibis.cases(
        (both[sc.READY].isnull(), ORPHANED),
        (both.metaxy_stored.isnull(), NEW),
        (reduce(lambda a, b: a | b, changed.values()), STALE),
        else_=UP_TO_DATE,
    ).cast("int8")
    both = both.mutate(**{sc.STATUS: status})
    recomputed = both[sc.STATUS].isin(_RECOMPUTED)
    return both.select(
        **{name: both[name].coalesce(both[f"{name}__metaxy_stored_id"]) for name in ids},
        **{name: _column(both, expected.columns, name, recomputed) for name in columns},
        **{
            name: both[name].coalesce(both[_stored_name(name)])
            for name in (sc.provenance(key) for key in changed)
        },
        **{
            sc.data_version(key): _kept(
                both[_stored_name(sc.data_version(key))], recomputed & moved
            )
            for key, moved in changed.items()
        },
        **{sc.changed(key): recomputed & moved for key, moved in changed.items()},
        **{sc.MOVED: recomputed | both[sc.MOVED].fill_null(ibis.literal(value=False))},
        **{sc.STATUS: both[sc.STATUS]},
    )


def children(
    plan: FeaturePlan, parents: ir.Table, stored: ir.Table, columns: Sequence[str]
) -> ir.Table:
    """What becomes of an expansion's present children; those of new parents are not known.

    Args:
        plan: the expansion's plan.
        parents: the forecast of the parents.
        stored: the children, live.
        columns: their user columns.

    Returns:
        Id columns, ``columns``, provenance and data version of each field after the run,
        ``metaxy_moved`` and ``metaxy_status``, the last two those of the parent.
    """
    import ibis

    fields = [field.key for field in plan.fields]
    taken = [*map(sc.provenance, fields), *map(sc.changed, fields), sc.MOVED, sc.STATUS]
    parents = parents.select(*plan.grain, **{_parent_name(name): parents[name] for name in taken})
    both = stored.left_join(parents, list(plan.grain), rname="{name}__metaxy_parent_id")
    recomputed = both[_parent_name(sc.STATUS)].isin(_RECOMPUTED)
    recomputed = recomputed.fill_null(ibis.literal(value=False))
    provenance = {
        name: recomputed.ifelse(both[_parent_name(name)], both[name])
        for name in map(sc.provenance, fields)
    }
    data_versions = {
        sc.data_version(key): _kept(
            both[sc.data_version(key)], recomputed & both[_parent_name(sc.changed(key))]
        )
        for key in fields
    }
    return both.select(
        *plan.id_columns,
        *columns,
        **provenance,
        **data_versions,
        **{sc.MOVED: both[_parent_name(sc.MOVED)].fill_null(ibis.literal(value=False))},
        **{sc.STATUS: both[_parent_name(sc.STATUS)]},
    )


def without_orphans(records: ir.Table) -> ir.Table:
    """The records of a forecast that are still called for."""
    return records.filter(~records[sc.STATUS].identical_to(ORPHANED))


def counted(plan: FeaturePlan, pieces: ir.Table, records: ir.Table) -> ir.Table:
    """A forecast in one row of numbers.

    Args:
        plan: the feature's plan.
        pieces: the forecast.
        records: the same, or the children of an expansion.

    Returns:
        ``records`` (expected pieces), ``new``, ``stale``, ``spared_by_fields``, for each field how
        many pieces change in it, and ``orphaned``, which counts records.
    """
    status = pieces[sc.STATUS]
    numbers = pieces.agg(
        records=(status != ORPHANED).sum(),
        new=(status == NEW).sum(),
        stale=(status == STALE).sum(),
        spared_by_fields=((status == UP_TO_DATE) & pieces[sc.MOVED]).sum(),
        **{sc.changed(f.key): pieces[sc.changed(f.key)].sum() for f in plan.fields},
    )
    return numbers.cross_join(records.agg(orphaned=(records[sc.STATUS] == ORPHANED).sum()))


def _column(
    both: ir.Table, expected: Collection[str], name: str, recomputed: ir.BooleanValue
) -> ir.Value:
    """A user column after the run."""
    kept = _stored_name(name)
    if name not in expected:
        return both[kept]
    if kept not in both.columns:
        return both[name]
    kind = both[kept].type().copy(nullable=True)
    if kind.is_time() or both[name].type().copy(nullable=True) != kind:
        return both[kept]  # one type of ibis stands for times of two precisions, which do not mix
    return recomputed.ifelse(both[name], both[kept])


def _kept(data_version: ir.IntegerColumn, moves: ir.BooleanValue) -> ir.IntegerValue:
    """A data version where its field stays; NULL, which is the provenance, where it moves."""
    import ibis

    return moves.ifelse(ibis.null("int64"), data_version)


def _stored_name(name: str) -> str:
    return f"{name}__stored"


def _parent_name(name: str) -> str:
    return f"{name}__parent"
