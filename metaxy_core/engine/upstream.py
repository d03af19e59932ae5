"""Tables of rows become tables of records: the latest state of each id, ready to be joined."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine import hashing
from metaxy_core.engine.filters import filtered
from metaxy_core.graph.plan import DepPlan, UpstreamField
from metaxy_core.keys import FeatureKey

if TYPE_CHECKING:
    import ibis.expr.types as ir


_HALF: Final = 32
_LOW_HALF: Final = 2**32 - 1


@dataclass(frozen=True)
class Source:
    """A feature's table and what the catalog knows about its commits.

    Attributes:
        feature: the feature.
        id_columns: what identifies a record.
        rows: every row ever appended, as on disk.
        commits: the catalog's commits: ``metaxy_commit, feature, feature_version, superseded``.
        superseding: whether any commit superseded an older row.
        deleting: whether any commit deleted records.
        outdated: feature versions under which a read field had another code version.
        written: whether the table exists; otherwise ``rows`` is an empty one.
        absent: the columns of ``rows`` that the table on disk does not have; they are NULL.
        narrowed: whether ``rows`` are few ones out of many, which must not be looked for twice.
    """

    feature: FeatureKey
    id_columns: tuple[str, ...]
    rows: ir.Table
    commits: ir.Table
    superseding: bool
    deleting: bool
    outdated: frozenset[str] = frozenset()
    written: bool = True
    absent: frozenset[str] = frozenset()
    narrowed: bool = False


def latest_rows(source: Source) -> ir.Table:
    """The newest row of each id, deleted or not.

    Every row but the first of an id lies in a commit that superseded something, so only the rows
    of those commits are grouped.
    """
    if not source.superseding:
        return source.rows
    if source.narrowed:
        return _last_rows(source)
    superseding = source.commits.filter(
        source.commits.feature == str(source.feature), source.commits.superseded > 0
    ).select(sc.COMMIT)
    ids = list(source.id_columns)
    newest = (
        source.rows.semi_join(superseding, sc.COMMIT)
        .group_by(ids)
        .agg(metaxy_newest=lambda rows: rows[sc.COMMIT].max())
    )
    joined = source.rows.left_join(newest, ids, rname="{name}__metaxy_newest")
    current = joined.filter(
        joined.metaxy_newest.isnull() | (joined.metaxy_newest == joined[sc.COMMIT])
    )
    return current.select(list(source.rows.columns))


def _last_rows(source: Source) -> ir.Table:
    import ibis

    newest_first = ibis.window(
        group_by=list(source.id_columns), order_by=source.rows[sc.COMMIT].desc()
    )
    ranked = source.rows.mutate(metaxy_rank=ibis.row_number().over(newest_first))
    return ranked.filter(ranked.metaxy_rank == 0).drop("metaxy_rank")


def live_records(source: Source) -> ir.Table:
    """The newest row of each id that is not deleted."""
    rows = latest_rows(source)
    return rows.filter(~rows[sc.DELETED]) if source.deleting else rows


def dep_records(dep: DepPlan, source: Source) -> ir.Table:
    """The live records of a dep that pass its filter."""
    records = live_records(source)
    return filtered(records, dep.filter, dep.feature) if source.written else records


def data_version(table: ir.Table, read: UpstreamField) -> ir.IntegerColumn:
    """A field's data version: what a user set, or else the provenance."""
    return table[sc.data_version(read.field)].fill_null(table[sc.provenance(read.field)])


def version_name(read: UpstreamField) -> str:
    """Column in which a prepared dep carries the data version of a field."""
    feature = read.feature.to_identifier()
    return f"metaxy_read__{len(feature)}__{feature}__{read.field.to_identifier()}"


def present_name(dep: DepPlan) -> str:
    """Column that is true where a dep has a record."""
    return f"metaxy_present__{dep.feature.to_identifier()}"


def ready_name(dep: DepPlan) -> str:
    """Column that is false where a dep's record was computed by outdated code."""
    return f"metaxy_ready__{dep.feature.to_identifier()}"


def prepared_dep(dep: DepPlan, source: Source, columns: Sequence[tuple[str, str]]) -> ir.Table:
    """A dep's records under the names that the depending feature uses.

    Returns:
        One row per record: its id columns, ``columns``, the data version of each field that is
        read, whether the record is there, and whether it is ready to be computed from.
    """
    import ibis

    records = dep_records(dep, source)
    if not source.written:
        absent = {there for there, _ in columns} - set(records.columns)
        records = records.mutate(**{name: ibis.null("string") for name in sorted(absent)})
    if dep.aggregates:
        return _groups(dep, source, records)
    reads = [UpstreamField(dep.feature, field) for field in dep.fields]
    return records.select(
        **{here: records[there] for there, here in (*dep.ids, *columns)},
        **{version_name(read): data_version(records, read) for read in reads},
        **{present_name(dep): ibis.literal(value=True)},
        **{ready_name(dep): is_ready(records, source)},
    )


def _groups(dep: DepPlan, source: Source, records: ir.Table) -> ir.Table:
    """One row per group; its versions say which members it has and what theirs are.

    The hash of each member, which covers its id, is added up in two halves of 32 bits, so that
    neither order nor overflow can matter.
    """
    import ibis

    reads = [UpstreamField(dep.feature, field) for field in dep.fields]
    member = hashing.joined_columns([records[name] for name in dep.record_ids])
    members = records.select(
        **{here: records[there] for there, here in dep.ids},
        **{
            version_name(read): hashing.hash_column(
                hashing.member_text(member, data_version(records, read))
            )
            for read in reads
        },
        **{ready_name(dep): is_ready(records, source)},
    )
    members = members.filter([members[here].notnull() for _, here in dep.ids])
    groups = members.group_by([here for _, here in dep.ids]).agg(
        metaxy_members=members.count(),
        **{
            f"{version_name(read)}__high": (members[version_name(read)] >> _HALF).sum()
            for read in reads
        },
        **{
            f"{version_name(read)}__low": (members[version_name(read)] & _LOW_HALF).sum()
            for read in reads
        },
        **{ready_name(dep): members[ready_name(dep)].all()},
    )
    return groups.select(
        *(here for _, here in dep.ids),
        **{version_name(read): _group_version(groups, version_name(read)) for read in reads},
        **{present_name(dep): ibis.literal(value=True)},
        **{ready_name(dep): groups[ready_name(dep)]},
    )


def _group_version(groups: ir.Table, name: str) -> ir.StringValue:
    parts = (groups[f"{name}__high"], groups[f"{name}__low"], groups.metaxy_members)
    high, low, members = (part.cast("int64").cast("string") for part in parts)
    return high + ":" + low + ":" + members


def is_ready(records: ir.Table, source: Source) -> ir.BooleanValue:
    """Whether each of a feature's rows was written under code that is not outdated."""
    import ibis

    if not source.outdated:
        return ibis.literal(value=True)
    return ~records[sc.COMMIT].isin(commits_of(source, source.outdated)[sc.COMMIT])


def commits_of(source: Source, versions: Collection[str]) -> ir.Table:
    """The feature's commits under some of its versions."""
    commits = source.commits
    return commits.filter(
        commits.feature == str(source.feature), commits.feature_version.isin(sorted(versions))
    )
