"""Every rebase that changed a store is remembered, with what it carried over and what it left."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass

from metaxy_core import system_columns as sc
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.store.backends.base import Snapshot, Transaction
from metaxy_core.store.tables import MIGRATIONS, CatalogTables


@dataclass(frozen=True)
class AppliedRebase:
    """A rebase that was made.

    Attributes:
        migration: the project version that the code had; all rebases to it belong together.
        feature: the feature.
        from_version: the feature version that its records had.
        to_version: the one they have since.
        fields: for each field that was another before, which one.
        records: how many records were restamped.
        left: how many were left as they were.
        commit: id of the commit.
        applied_at: when, in UTC.
    """

    migration: str
    feature: FeatureKey
    from_version: str
    to_version: str
    fields: Mapping[FieldKey, FieldKey]
    records: int
    left: int
    commit: int
    applied_at: dt.datetime


class RebaseLog:
    """Reads and appends what was rebased."""

    def __init__(self, tables: CatalogTables) -> None:
        self._tables = tables

    def applied(self, snapshot: Snapshot) -> tuple[AppliedRebase, ...]:
        """Every rebase, oldest first."""
        rows = self._tables.rows(snapshot, lambda: self._tables[MIGRATIONS].order_by(sc.COMMIT))
        return tuple(
            AppliedRebase(
                migration=row["migration"],
                feature=FeatureKey(row["feature"]),
                from_version=row["from_version"],
                to_version=row["to_version"],
                fields={FieldKey(n): FieldKey(o) for n, o in json.loads(row["fields"]).items()},
                records=row["records"],
                left=row["left_stale"],
                commit=row[sc.COMMIT],
                applied_at=row["applied_at"],
            )
            for row in rows
        )

    def add(self, transaction: Transaction, rebase: AppliedRebase) -> None:
        """Record a rebase."""
        fields = {str(new): str(old) for new, old in rebase.fields.items()}
        row = {
            "migration": rebase.migration,
            "feature": str(rebase.feature),
            "from_version": rebase.from_version,
            "to_version": rebase.to_version,
            "fields": json.dumps(fields, sort_keys=True),
            "records": rebase.records,
            "left_stale": rebase.left,
            sc.COMMIT: rebase.commit,
            "applied_at": rebase.applied_at,
        }
        self._tables.append(transaction, MIGRATIONS, [row])
