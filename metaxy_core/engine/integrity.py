"""What holds for every record of a sound table, as queries that count and name those it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine.upstream import Source, live_records

if TYPE_CHECKING:
    import ibis.expr.types as ir

RECORDS: Final = "metaxy_records"
NULL_IDS: Final = "metaxy_null_ids"
UNRECORDED: Final = "metaxy_unrecorded"
INCOMPLETE: Final = "metaxy_incomplete"


def tally(source: Source, columns: Sequence[str], versions: Sequence[str]) -> ir.Table:
    """One row of counts over the live records.

    Args:
        source: the feature's table.
        columns: the columns whose NULLs are counted.
        versions: the columns that no record may lack.

    Returns:
        ``metaxy_records``, ``metaxy_null_ids`` (those with a NULL in an id column),
        ``metaxy_unrecorded`` (those of a commit that the catalog does not have),
        ``metaxy_incomplete`` (these, and those with a NULL in ``versions``), and for each of
        ``columns`` the number of its NULLs.
    """
    records = live_records(source)
    return records.agg(
        **{RECORDS: records.count()},
        **{NULL_IDS: _any_null(records, source.id_columns).sum().fill_null(0)},
        **{UNRECORDED: (~_recorded(records, source)).sum().fill_null(0)},
        **{INCOMPLETE: _incomplete(records, source, versions).sum().fill_null(0)},
        **{name: records[name].isnull().sum().fill_null(0) for name in columns},
    )


def incomplete(source: Source, versions: Sequence[str]) -> ir.Table:
    """The ids of the live records that ``tally`` counts as incomplete."""
    records = live_records(source)
    return records.filter(_incomplete(records, source, versions)).select(*source.id_columns)


def _incomplete(records: ir.Table, source: Source, versions: Sequence[str]) -> ir.BooleanValue:
    return ~_recorded(records, source) | _any_null(records, versions)


def _any_null(records: ir.Table, columns: Sequence[str]) -> ir.BooleanValue:
    import ibis

    return ibis.or_(*(records[name].isnull() for name in columns))


def _recorded(records: ir.Table, source: Source) -> ir.BooleanValue:
    commits = source.commits
    known = commits.filter(commits.feature == str(source.feature))
    return records[sc.COMMIT].isin(known[sc.COMMIT])
