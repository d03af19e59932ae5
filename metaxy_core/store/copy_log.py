"""What came from another store is remembered commit by commit, so that nothing comes twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Snapshot, Transaction
from metaxy_core.store.tables import COMMITS, COPIES, CatalogTables

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class CopiedCommit:
    """A commit that came from another store.

    Attributes:
        feature: the feature.
        source: address of the other store, as it was then.
        source_commit: id of the commit there.
        made_at: when it was made there, by which it is known again.
        commit: its id here.
        mode: whether all of its rows came, ``history``, or those that were the ``latest``.
    """

    feature: FeatureKey
    source: str
    source_commit: int
    made_at: dt.datetime
    commit: int
    mode: str


class CopyLog:
    """Reads and appends what was copied to a store."""

    def __init__(self, tables: CatalogTables) -> None:
        self._tables = tables

    def copies(
        self, snapshot: Snapshot, features: Sequence[FeatureKey]
    ) -> dict[FeatureKey, list[CopiedCommit]]:
        """The copied commits of some features, in the order in which they came."""
        found: dict[FeatureKey, list[CopiedCommit]] = {feature: [] for feature in features}
        if not (self._tables.exist(snapshot) and snapshot.has(COPIES)):
            return found
        names = sorted(str(feature) for feature in features)

        def query() -> ir.Table:
            copies = self._tables[COPIES]
            return copies.filter(copies.feature.isin(names)).order_by(sc.COMMIT)

        for row in self._tables.rows(snapshot, query, ("copies", *names)):
            feature = FeatureKey(row["feature"])
            found[feature].append(
                CopiedCommit(
                    feature,
                    row["source"],
                    row["source_commit"],
                    row["made_at"],
                    row[sc.COMMIT],
                    row["mode"],
                )
            )
        return found

    def commits(self, snapshot: Snapshot, features: Sequence[FeatureKey]) -> dict[FeatureKey, int]:
        """How many commits some features have, copied or not."""
        names = sorted(str(feature) for feature in features)

        def query() -> ir.Table:
            commits = self._tables[COMMITS]
            found = commits.filter(commits.feature.isin(names))
            return found.group_by("feature").agg(commits=found.count())

        rows = self._tables.rows(snapshot, query, ("number of commits", *names))
        found = {FeatureKey(row["feature"]): int(row["commits"]) for row in rows}
        return {feature: found.get(feature, 0) for feature in features}

    def add(self, transaction: Transaction, copies: Sequence[CopiedCommit]) -> None:
        """Remember some commits."""
        now = dt.datetime.now(dt.UTC)
        rows = [
            {
                "feature": str(each.feature),
                "source": each.source,
                "source_commit": each.source_commit,
                "made_at": each.made_at,
                sc.COMMIT: each.commit,
                "mode": each.mode,
                "copied_at": now,
            }
            for each in copies
        ]
        self._tables.append(transaction, COPIES, rows)
