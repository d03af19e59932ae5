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

if TYPE_CHECKING:
    import ibis.expr.types as ir

WRITE = "write"
DELETE = "delete"
HARD_DELETE = "hard_delete"

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
        id: position in the store's history; later commits have larger ids.
        feature: what was changed.
        feature_version: the definition it was changed under.
        operation: ``write``, ``delete`` or ``hard_delete``.
        rows: rows appended, or erased by a hard delete.
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
        commits: how many there are.
        superseding: whether any commit replaced earlier rows.
        deleting: whether any commit deleted records.
        code_versions: for each feature version in use, the code version of each field.
    """

    last: Commit | None
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

    @property
    def commits(self) -> ir.Table:
        """All commits, as an expression that the engine can join."""
        return self._tables[COMMITS]

    def histories(
        self, snapshot: Snapshot, features: Sequence[FeatureKey]
    ) -> dict[FeatureKey, History]:
        """What is known of the commits of some features, from one small query."""
        names = sorted(str(feature) for feature in features)
        groups = self._tables.rows(snapshot, self._grouped(names), ("histories", *names))
        return {
            feature: _to_history([group for group in groups if group["feature"] == str(feature)])
            for feature in features
        }

    def last_used(self, snapshot: Snapshot) -> dict[str, str]:
        """For each feature with a commit, the feature version of its newest one."""

        def query() -> ir.Table:
            commits = self.commits
            return commits.group_by("feature").agg(
                feature_version=commits.feature_version.argmax(commits[sc.COMMIT])
            )

        rows = self._tables.rows(snapshot, query, ("last used",))
        return {row["feature"]: row["feature_version"] for row in rows}

    def next_commit(self, transaction: Transaction) -> int:
        """The id that the transaction's commit will have."""

        def query() -> ir.Table:
            commits = self.commits
            return commits.agg(last=commits[sc.COMMIT].max())

        (row,) = self._tables.rows(transaction, query, ("next commit",))
        return int(row["last"] or 0) + 1

    def add(self, transaction: Transaction, commit: Commit) -> None:
        """Record a commit."""
        values = asdict(commit)
        row = {sc.COMMIT: values.pop("id"), **values, "feature": str(commit.feature)}
        self._tables.append(transaction, COMMITS, [row])

    def _grouped(self, features: Sequence[str]) -> Callable[[], ir.Table]:
        def query() -> ir.Table:
            commits = self.commits.filter(lambda rows: rows.feature.isin(features))
            groups = commits.group_by("feature", "feature_version").agg(
                commits=commits.count(),
                superseding=(commits.superseded > 0).any(),
                deleting=(commits.deleted > 0).any(),
                **{name: commits[name].argmax(commits[sc.COMMIT]) for name in _OF_LAST},
            )
            recorded = self._tables[DEFINITIONS]
            codes = recorded.select("feature", "feature_version", "code_versions").distinct()
            joined = groups.left_join(codes, ["feature", "feature_version"])
            return joined.select(*groups.columns, "code_versions")

        return query


def _to_history(groups: Sequence[dict[str, Any]]) -> History:
    newest = max(groups, key=lambda group: group[sc.COMMIT], default=None)
    return History(
        last=None if newest is None else _to_commit(newest),
        commits=sum(group["commits"] for group in groups),
        superseding=any(group["superseding"] for group in groups),
        deleting=any(group["deleting"] for group in groups),
        code_versions={g["feature_version"]: _code_versions(g) for g in groups},
    )


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
