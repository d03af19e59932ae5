"""Which records a refactoring leaves as they are, and their rows under the new definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine.upstream import Source, is_ready, live_records
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FieldKey

if TYPE_CHECKING:
    import ibis.expr.types as ir

LEFT: Final = 0
RESTAMPED: Final = 1
ALREADY: Final = 2


def judged(
    former: FeaturePlan,
    current: FeaturePlan,
    work: Source,
    before: ir.Table,
    after: ir.Table,
) -> ir.Table:
    """What becomes of each stored record.

    Args:
        former: the plan under which the records were stamped.
        current: the plan under which they are to be.
        work: what was processed; rows that lack a current field, or have it from an earlier time
            when there was one of its name, are outdated.
        before: the records that the former plan calls for.
        after: the records that the current plan calls for; only ready ones are restamped.

    Returns:
        Grain columns, the provenance of each current field, and ``metaxy_status``: a record is
        restamped that is up to date under the former plan, and not yet under the current one.
    """
    import ibis

    ids = list(current.grain)
    stored = live_records(work)
    both = stored.select(
        *ids,
        **_kept(former, stored, "stored"),
        **_kept(current, stored, "own"),
        metaxy_is_current=is_ready(stored, work),
    )
    both = _joined(both, before.select(*ids, **_kept(former, before, "before")), ids, "before")
    ready = {"metaxy_is_ready": after[sc.READY]}
    both = _joined(
        both, after.select(*ids, **_kept(current, after, "after"), **ready), ids, "after"
    )
    is_called_for = both.metaxy_in_after.notnull()
    was_up_to_date = both.metaxy_in_before.notnull() & _agree(both, former, "stored", "before")
    status = ibis.cases(
        (is_called_for & both.metaxy_is_current & _agree(both, current, "own", "after"), ALREADY),
        (is_called_for & both.metaxy_is_ready & was_up_to_date, RESTAMPED),
        else_=LEFT,
    ).cast("int8")
    return both.select(
        *ids,
        **{sc.provenance(f.key): both[_name(f.key, "after")] for f in current.fields},
        **{sc.STATUS: status},
    )


def restamped_rows(
    rows: ir.Table,
    stamps: ir.Table,
    grain: Sequence[str],
    formers: Mapping[FieldKey, FieldKey],
    *,
    data_versions: bool,
) -> ir.Table:
    """Stored rows under the new definition.

    They keep every column, and the data versions of former fields too, so that downstream features
    can still be compared with what they read and see no change. What a former field was made of is
    not known any more: code that goes back to it has to compute it again.

    Args:
        rows: live rows with the version columns of the former fields.
        stamps: grain columns and new provenance of what is restamped.
        grain: the grain columns.
        formers: for each field, the field whose data it holds.
        data_versions: whether the rows have data versions.
    """
    new = stamps.select(*grain, **{_name(field, "new"): sc.provenance(field) for field in formers})
    joined = rows.inner_join(new, list(grain))
    versions = {sc.provenance(field): joined[_name(field, "new")] for field in formers}
    if data_versions:
        versions |= {
            sc.data_version(field): joined[sc.data_version(former)].fill_null(
                joined[sc.provenance(former)]
            )
            for field, former in formers.items()
        }
    kept = [name for name in rows.columns if name not in versions]
    former = _without_origin(joined, kept)
    return joined.select(*(name for name in kept if name not in former), **former, **versions)


def _without_origin(joined: ir.Table, columns: Sequence[str]) -> dict[str, ir.IntegerValue]:
    """Data versions of fields that are no more, and nothing of what they were made of."""
    import ibis

    found: dict[str, ir.IntegerValue] = {}
    for name in columns:
        field = sc.field_of_provenance(name)
        if field is None:
            continue
        found[name] = ibis.null("int64")
        version = sc.DATA_VERSION_OF + field
        if version in columns:
            found[version] = joined[version].fill_null(joined[name])
    return found


def as_restamped(source: Source, verdicts: ir.Table, grain: Sequence[str]) -> Source:
    """A feature as if a rebase was made already, but for the versions that this gives.

    Args:
        source: the feature's records.
        verdicts: what ``judged`` gave for them.
        grain: the grain columns.
    """
    import ibis

    stamps = verdicts.filter(verdicts[sc.STATUS] == RESTAMPED)
    mark = stamps.select(*grain, metaxy_is_stamped=ibis.literal(value=True))
    joined = live_records(source).left_join(mark, list(grain), rname="{name}__metaxy_stamped")
    no_commit = ibis.literal(0, "int64")
    commit = joined.metaxy_is_stamped.isnull().ifelse(joined[sc.COMMIT], no_commit)
    rows = joined.select(
        **{name: commit if name == sc.COMMIT else joined[name] for name in source.rows.columns}
    )
    return replace(source, rows=rows, superseding=False, deleting=False)


def _kept(plan: FeaturePlan, table: ir.Table, what: str) -> dict[str, ir.Value]:
    import ibis

    names = {_name(field.key, what): sc.provenance(field.key) for field in plan.fields}
    return {
        here: table[there] if there in table.columns else ibis.null("int64")
        for here, there in names.items()
    }


def _joined(left: ir.Table, right: ir.Table, ids: list[str], what: str) -> ir.Table:
    import ibis

    right = right.mutate(**{f"metaxy_in_{what}": ibis.literal(value=True)})
    joined = left.left_join(right, ids, rname="{name}__metaxy_right")
    return joined.drop(*(name for name in joined.columns if name.endswith("__metaxy_right")))


def _agree(table: ir.Table, plan: FeaturePlan, one: str, other: str) -> ir.BooleanValue:
    pairs = [(table[_name(f.key, one)], table[_name(f.key, other)]) for f in plan.fields]
    return reduce(lambda a, b: a & b, [left.identical_to(right) for left, right in pairs])


def _name(field: FieldKey, what: str) -> str:
    return f"metaxy_{what}__{field.to_identifier()}"
