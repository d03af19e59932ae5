"""A commit is one atomic change of one feature."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from metaxy_core import system_columns as sc
from metaxy_core.keys import FeatureKey
from metaxy_core.store.unions import SUPERSEDED_THERE

WRITE = "write"
DELETE = "delete"
HARD_DELETE = "hard_delete"
COMPACT = "compact"
REBASE = "rebase"

STAMPING = frozenset({WRITE, REBASE})
"""Operations whose rows carry provenance made under the commit's feature version."""

LEAVING_DATA = frozenset({COMPACT, REBASE})
"""Operations after which every record holds what it held before."""

ERASING = frozenset({HARD_DELETE, COMPACT})
"""Operations that take rows out of a table, so that nothing there tells what they touched."""


@dataclass(frozen=True)
class Commit:
    """One atomic change of one feature.

    Attributes:
        id: position in the store's history; later commits have larger ids. Those of a fallback are
            negative: older than every own one.
        feature: what was changed.
        feature_version: the definition it was changed under.
        operation: ``write``, ``delete``, ``hard_delete``, ``compact``, or ``rebase``, which gives
            records other versions and leaves what they hold alone.
        rows: rows appended, or erased by a hard delete or by compaction.
        superseded: how many of the records had a row before.
        deleted: how many records it deleted.
        processed: how many pieces of work a write is the result of: its records, or the parents
            that an expansion's covers; 0 for every other operation.
        checksum: by which the store knows again which pieces of work these are, what they were
            computed from, and under which definition; None of roots and of every other operation.
        created_at: when, in UTC.
        materialization_id: the run that did it, where it said so.
    """

    id: int
    feature: FeatureKey
    feature_version: str
    operation: str
    rows: int
    superseded: int
    deleted: int
    created_at: dt.datetime
    materialization_id: str | None = None
    processed: int = 0
    checksum: int | None = field(default=None, repr=False)


def to_commit(row: Mapping[str, Any]) -> Commit:
    """A commit as the catalog has it; that of a fallback says what it said there."""
    return Commit(
        id=row[sc.COMMIT],
        feature=FeatureKey(row["feature"]),
        feature_version=row["feature_version"],
        operation=row["operation"],
        rows=row["rows"],
        superseded=row.get(SUPERSEDED_THERE, row["superseded"]),
        deleted=row["deleted"],
        created_at=row["created_at"],
        materialization_id=row["materialization_id"],
        processed=row["processed"],
        checksum=row["checksum"],
    )
