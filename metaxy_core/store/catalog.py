"""The catalog says which commits a store holds and what they add up to."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from metaxy_core import system_columns as sc
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.store.backends.base import Snapshot, Transaction
from metaxy_core.store.tables import COMMITS, DEFINITIONS, CatalogTables
from metaxy_core.store.unions import SUPERSEDED_THERE

if TYPE_CHECKING:
    import ibis.expr.types as ir

WRITE = "write"
DELETE = "delete"
HARD_DELETE = "hard_delete"
COMPACT = "compact"
REBASE = "rebase"

STAMPING = frozenset({WRITE, REBASE})
"""Operations whose rows carry provenance made under the commit's feature version."""

LEAVING_DATA = frozenset({COMPACT, REBASE})
"""Operations after which every record holds what it held before."""

_OF_LAST = (
    sc.COMMIT,
    "operation",
    "rows",
    "superseded",
    "deleted",
    "created_at",
    "materialization_id",
)


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


@dataclass(frozen=True)
class History:
    """What the commits of one feature add up to.

    Attributes:
        last: the newest commit, or None before the first.
        last_change: the newest commit that changed what records hold, which a rebase does not.
        commits: how many there are.
        superseding: whether any commit replaced earlier rows.
        deleting: whether any commit deleted records.
        code_versions: for each feature version in use, the code version of each field.
    """

    last: Commit | None
    last_change: Commit | None
    commits: int
    superseding: bool
    deleting: bool
    code_versions: dict[str, dict[FieldKey, str]]

    def outdated(self, current: Iterable[tuple[FieldKey, str]]) -> frozenset[str]:
        """The feature versions under which any of these fields had another code version."""
        wanted = list(current)
        return frozenset(
            version
            for version, recorded in self.code_versions.items()
            if any(recorded.get(field) != code for field, code in wanted)
        )


class Catalog:
    """Reads and appends commits inside a snapshot or transaction."""

    def __init__(self, tables: CatalogTables) -> None:
        self._tables = tables

    def commits(self, snapshot: Snapshot) -> ir.Table:
        """All commits, those of fallbacks too, as an expression that the engine can join."""
        return self._tables.over(snapshot, COMMITS)

    def histories(
        self, snapshot: Snapshot, features: Sequence[FeatureKey]
    ) -> dict[FeatureKey, History]:
        """What is known of the commits of some features, from one small query."""
        names = sorted(str(feature) for feature in features)
        query = self._grouped(snapshot, names)
        groups = self._tables.rows_over(snapshot, query, ("histories", *names))
        return {
            feature: _to_history([group for group in groups if group["feature"] == str(feature)])
            for feature in features
        }

    def commits_of(
        self, snapshot: Snapshot, feature: FeatureKey, limit: int | None
    ) -> tuple[Commit, ...]:
        """The commits of a feature, newest first, at most so many; those of fallbacks too."""
        name = str(feature)

        def query() -> ir.Table:
            commits = self.commits(snapshot)
            found = commits.filter(commits.feature == name)
            if SUPERSEDED_THERE in found.columns:
                found = found.mutate(superseded=found[SUPERSEDED_THERE])
            return found.order_by(found[sc.COMMIT].desc()).limit(limit)

        rows = self._tables.rows_over(snapshot, query, ("commits", name, limit))
        return tuple(_to_commit(row) for row in rows)

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
        """The id that the transaction's commit will have; only own commits count."""

        def query() -> ir.Table:
            commits = self._tables[COMMITS]
            return commits.agg(last=commits[sc.COMMIT].max())

        (row,) = self._tables.rows(transaction, query, ("next commit",))
        return int(row["last"] or 0) + 1

    def add(self, transaction: Transaction, commit: Commit) -> None:
        """Record a commit."""
        values = asdict(commit)
        row = {sc.COMMIT: values.pop("id"), **values, "feature": str(commit.feature)}
        self._tables.append(transaction, COMMITS, [row])

    def _grouped(self, snapshot: Snapshot, features: Sequence[str]) -> Callable[[], ir.Table]:
        def query() -> ir.Table:
            commits = self.commits(snapshot)
            commits = commits.filter(commits.feature.isin(features))
            commits = commits.mutate(changing=commits.operation.notin(sorted(LEAVING_DATA)))
            told = {"superseded": SUPERSEDED_THERE} if SUPERSEDED_THERE in commits.columns else {}
            groups = commits.group_by("feature", "feature_version", "changing").agg(
                commits=commits.count(),
                superseding=(commits.superseded > 0).any(),
                deleting=(commits.deleted > 0).any(),
                **{
                    name: commits[told.get(name, name)].argmax(commits[sc.COMMIT])
                    for name in _OF_LAST
                },
            )
            recorded = self._tables.over(snapshot, DEFINITIONS)
            codes = recorded.select("feature", "feature_version", "code_versions").distinct()
            joined = groups.left_join(codes, ["feature", "feature_version"])
            return joined.select(*groups.columns, "code_versions")

        return query


def _to_history(groups: Sequence[dict[str, Any]]) -> History:
    return History(
        last=_newest(groups),
        last_change=_newest([group for group in groups if group["changing"]]),
        commits=sum(group["commits"] for group in groups),
        superseding=any(group["superseding"] for group in groups),
        deleting=any(group["deleting"] for group in groups),
        code_versions={g["feature_version"]: _code_versions(g) for g in groups},
    )


def _newest(groups: Sequence[dict[str, Any]]) -> Commit | None:
    newest = max(groups, key=lambda group: group[sc.COMMIT], default=None)
    return None if newest is None else _to_commit(newest)


def _to_commit(row: dict[str, Any]) -> Commit:
    return Commit(
        id=row[sc.COMMIT],
        feature=FeatureKey(row["feature"]),
        feature_version=row["feature_version"],
        operation=row["operation"],
        rows=row["rows"],
        superseded=row["superseded"],
        deleted=row["deleted"],
        created_at=row["created_at"],
        materialization_id=row["materialization_id"],
    )


def _code_versions(group: dict[str, Any]) -> dict[FieldKey, str]:
    recorded = json.loads(group["code_versions"] or "{}")
    return {FieldKey(key): version for key, version in recorded.items()}
