"""The catalog says which commits a store holds and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.engine.numbers import OWN_SINCE, SINCE, number
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Snapshot, Transaction
from metaxy_core.store.commit_sets import CommitSet
from metaxy_core.store.commits import COMPACT, ERASING, LEAVING_DATA, STAMPING, Commit, to_commit
from metaxy_core.store.histories import Histories, History
from metaxy_core.store.tables import COMMITS, CatalogTables

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class Since:
    """What was done to some features after a commit.

    Attributes:
        commits: how many commits there were.
        rows: how many rows they appended or erased.
        erasing: whether one of them erased rows.
    """

    commits: int
    rows: int
    erasing: bool


class Catalog:
    """Reads and appends commits inside a snapshot or transaction."""

    def __init__(self, tables: CatalogTables) -> None:
        self._tables = tables
        self._histories = Histories(tables)

    def commits(self, snapshot: Snapshot) -> ir.Table:
        """All commits, those of fallbacks too, as an expression that the engine can join."""
        return self._tables.over(snapshot, COMMITS)

    def histories(
        self, snapshot: Snapshot, features: Sequence[FeatureKey]
    ) -> dict[FeatureKey, History]:
        """What is known of the commits of some features."""
        return self._histories.of(snapshot, features)

    def commits_of(
        self, snapshot: Snapshot, feature: FeatureKey, limit: int | None
    ) -> tuple[Commit, ...]:
        """The commits of a feature, newest first, at most so many; those of fallbacks too."""
        name = str(feature)

        def query() -> ir.Table:
            commits = self.commits(snapshot)
            found = commits.filter(commits.feature == name)
            return found.order_by(found[sc.COMMIT].desc()).limit(limit)

        rows = self._tables.rows_over(snapshot, query, ("commits", name, limit))
        return tuple(to_commit(row) for row in rows)

    def after(self, snapshot: Snapshot, feature: FeatureKey, commit: int) -> list[Commit]:
        """The commits of a feature after one, oldest first."""
        name = str(feature)

        def query() -> ir.Table:
            commits = self.commits(snapshot)
            return commits.filter(commits.feature == name, commits[sc.COMMIT] > number(SINCE))

        rows = self._tables.rows_over(snapshot, query, ("after", name), {SINCE: commit})
        return [to_commit(row) for row in sorted(rows, key=lambda row: row[sc.COMMIT])]

    def since(
        self,
        snapshot: Snapshot,
        features: Sequence[FeatureKey],
        commit: int,
        own: FeatureKey,
        own_commit: int,
    ) -> Since:
        """What was done to some features after a commit; the store exists.

        Args:
            snapshot: where to read.
            features: the features.
            commit: the commit.
            own: the one among them for which another commit counts.
            own_commit: that commit.
        """
        import ibis

        names = sorted(str(feature) for feature in features)

        def query() -> ir.Table:
            commits = self.commits(snapshot)
            known = ibis.cases(
                (commits.feature == str(own), number(OWN_SINCE)), else_=number(SINCE)
            )
            found = commits.filter(commits.feature.isin(names), commits[sc.COMMIT] > known)
            return found.agg(
                commits=found.count(),
                rows=found.rows.sum(),
                erasing=found.operation.isin(sorted(ERASING)).any(),
            )

        key, numbers = ("since", str(own), *names), {SINCE: commit, OWN_SINCE: own_commit}
        (row,) = self._tables.rows_over(snapshot, query, key, numbers)
        return Since(row["commits"], int(row["rows"] or 0), erasing=bool(row["erasing"]))

    def commit_sets(
        self, snapshot: Snapshot, features: Sequence[FeatureKey], *, rebases: bool = True
    ) -> dict[FeatureKey, CommitSet]:
        """Which commits some features have that may matter downstream."""
        left_out = sorted({COMPACT} if rebases else LEAVING_DATA)
        names = sorted({str(feature) for feature in features})

        def query() -> ir.Table:
            commits = self.commits(snapshot)
            commits = commits.filter(commits.feature.isin(names), ~commits.operation.isin(left_out))
            stamped = commits.operation.isin(sorted(STAMPING)).ifelse(commits.rows, 0)
            return commits.group_by("feature").agg(
                newest=commits[sc.COMMIT].max(),
                commits=commits.count(),
                records=(stamped + commits.deleted).sum(),
                first_at=commits.created_at.min(),
                last_at=commits.created_at.max(),
            )

        rows = self._tables.rows_over(snapshot, query, ("commit sets", rebases, *names))
        found = {
            FeatureKey(row.pop("feature")): CommitSet(**{**row, "records": int(row["records"])})
            for row in rows
        }
        return {feature: found.get(feature, CommitSet()) for feature in features}

    def last_used(self, snapshot: Snapshot) -> dict[str, str]:
        """For each feature with a commit, the feature version of its newest one."""

        def query() -> ir.Table:
            commits = self.commits(snapshot)
            return commits.group_by("feature").agg(
                feature_version=commits.feature_version.argmax(commits[sc.COMMIT])
            )

        rows = self._tables.rows_over(snapshot, query, ("last used",))
        return {row["feature"]: row["feature_version"] for row in rows}

    def versions_used(self, snapshot: Snapshot) -> dict[FeatureKey, list[str]]:
        """The feature versions under which each feature's records were stamped, newest first."""

        def query() -> ir.Table:
            commits = self.commits(snapshot)
            commits = commits.filter(commits.operation.isin(sorted(STAMPING)))
            return commits.group_by("feature", "feature_version").agg(last=commits[sc.COMMIT].max())

        rows = self._tables.rows_over(snapshot, query, ("versions used",))
        used: dict[FeatureKey, list[str]] = {}
        for row in sorted(rows, key=lambda row: -row["last"]):
            used.setdefault(FeatureKey(row["feature"]), []).append(row["feature_version"])
        return used

    def next_commit(self, transaction: Transaction) -> int:
        """The id that the transaction's commit will have."""
        return self.newest(transaction) + 1

    def newest(self, snapshot: Snapshot) -> int:
        """The id of the newest own commit; 0 where there is none."""

        def query() -> ir.Table:
            commits = self._tables[COMMITS]
            return commits.agg(last=commits[sc.COMMIT].max())

        rows = self._tables.rows(snapshot, query, ("newest commit",))
        return int(rows[0]["last"] or 0) if rows else 0

    def add(self, transaction: Transaction, commit: Commit) -> None:
        """Record a commit."""
        self._histories.change(transaction)
        values = asdict(commit)
        row = {sc.COMMIT: values.pop("id"), **values, "feature": str(commit.feature)}
        self._tables.append(transaction, COMMITS, [row])
