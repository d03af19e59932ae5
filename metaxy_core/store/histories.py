"""What the commits of a feature add up to; those that were read once are not read again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from metaxy_core import system_columns as sc
from metaxy_core.engine.numbers import SINCE, number
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.commits import ERASING, LEAVING_DATA, Commit, to_commit
from metaxy_core.store.layers import is_layered
from metaxy_core.store.tables import COMMITS, DEFINITIONS, CatalogTables

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class Rewritten:
    """A commit that appended a row of every id there was, so that earlier rows are history.

    Attributes:
        commit: its id.
        before: how many rows were appended before it.
        superseding: whether any commit after it replaced rows.
        deleting: whether it, or any commit after it, deleted records.
    """

    commit: int
    before: int
    superseding: bool = False
    deleting: bool = False


@dataclass(frozen=True)
class History:
    """What the commits of one feature add up to.

    Attributes:
        last: the newest commit, or None before the first.
        last_change: the newest commit that changed what records hold, which a rebase does not.
        commits: how many there are.
        rows: how many rows they appended.
        superseding: whether any commit replaced earlier rows.
        deleting: whether any commit deleted records.
        ids: how many ids there are at most; hard deletions may have left fewer.
        rewritten: the newest commit that appended a row of every id, if there is one. It means
            nothing of an expansion, whose commits speak of parents and children together.
        code_versions: for each feature version in use, the code version of each field.
    """

    last: Commit | None = None
    last_change: Commit | None = None
    commits: int = 0
    rows: int = 0
    superseding: bool = False
    deleting: bool = False
    ids: int = 0
    rewritten: Rewritten | None = None
    code_versions: Mapping[str, Mapping[FieldKey, str]] = field(default_factory=dict)

    def outdated(self, current: Iterable[tuple[FieldKey, str]]) -> frozenset[str]:
        """The feature versions under which any of these fields had another code version."""
        wanted = list(current)
        return frozenset(
            version
            for version, recorded in self.code_versions.items()
            if any(recorded.get(field) != code for field, code in wanted)
        )


@dataclass
class _Read:
    """What was read of some features: how many commits, the newest one, and what they add up to."""

    commits: int
    newest: int
    histories: dict[FeatureKey, History]


class Histories:
    """The histories of features, kept from one snapshot to the next.

    Commits are only ever added. So it is enough to count them, and to read those that came after
    the newest one; where that does not add up, because one came late, all are read again.
    """

    def __init__(self, tables: CatalogTables) -> None:
        self._tables = tables
        self._read: dict[tuple[str, ...], _Read] = {}
        self._codes: dict[tuple[str, str], dict[FieldKey, str]] = {}
        self._changed: Snapshot | None = None

    def change(self, snapshot: Snapshot) -> None:
        """A commit is added in this one; what is read there may be taken back."""
        self._changed = snapshot

    def of(self, snapshot: Snapshot, features: Sequence[FeatureKey]) -> dict[FeatureKey, History]:
        """What is known of the commits of some features."""
        names = tuple(sorted({str(feature) for feature in features}))
        known = None if snapshot is self._changed else self._read.get(names)
        found = None if known is None else self._continued(snapshot, names, known)
        if found is None:
            rows = self._rows(snapshot, names)
            found = _added(_Read(0, 0, {}), rows, self._code_versions(snapshot, rows))
        if snapshot is not self._changed:
            self._read[names] = found
        return {feature: found.histories.get(feature, History()) for feature in features}

    def _continued(self, snapshot: Snapshot, names: tuple[str, ...], known: _Read) -> _Read | None:
        """What was read, with what came since; None where it does not add up."""

        def query() -> ir.Table:
            commits = self._of(snapshot, names)
            return commits.agg(commits=commits.count())

        counted = self._tables.rows_over(snapshot, query, ("counted commits", *names))
        count = counted[0]["commits"] if counted else 0
        if count == known.commits:
            return known
        if is_layered(snapshot):
            return None
        rows = self._rows(snapshot, names, known.newest)
        if known.commits + len(rows) != count:
            return None
        return _added(known, rows, self._code_versions(snapshot, rows))

    def _rows(
        self, snapshot: Snapshot, names: tuple[str, ...], after: int | None = None
    ) -> list[dict[str, Any]]:
        """The commits of some features after one, or all of them."""

        def query() -> ir.Table:
            commits = self._of(snapshot, names)
            return commits if after is None else commits.filter(commits[sc.COMMIT] > number(SINCE))

        key = ("commits of", after is None, *names)
        numbers = {} if after is None else {SINCE: after}
        rows = self._tables.rows_over(snapshot, query, key, numbers)
        return sorted(rows, key=lambda row: row[sc.COMMIT])

    def _of(self, snapshot: Snapshot, names: tuple[str, ...]) -> ir.Table:
        commits = self._tables.over(snapshot, COMMITS)
        return commits.filter(commits.feature.isin(names))

    def _code_versions(
        self, snapshot: Snapshot, rows: Sequence[Mapping[str, Any]]
    ) -> Mapping[tuple[str, str], dict[FieldKey, str]]:
        """Of each feature and version that a commit names, the code version of each field."""
        wanted = {(row["feature"], row["feature_version"]) for row in rows}
        if not wanted <= self._codes.keys():

            def query() -> ir.Table:
                recorded = self._tables.over(snapshot, DEFINITIONS)
                return recorded.select("feature", "feature_version", "code_versions")

            for row in self._tables.rows_over(snapshot, query, ("code versions",)):
                codes = json.loads(row["code_versions"] or "{}")
                versions = {FieldKey(key): version for key, version in codes.items()}
                self._codes[row["feature"], row["feature_version"]] = versions
        return self._codes


def _added(
    known: _Read,
    rows: Sequence[Mapping[str, Any]],
    codes: Mapping[tuple[str, str], dict[FieldKey, str]],
) -> _Read:
    """What was read, and some later commits."""
    by_feature: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_feature.setdefault(row["feature"], []).append(row)
    histories = dict(known.histories)
    for name, added in by_feature.items():
        feature = FeatureKey(name)
        histories[feature] = _extended(histories.get(feature, History()), added, codes)
    newest = rows[-1][sc.COMMIT] if rows else known.newest
    return _Read(known.commits + len(rows), newest, histories)


def _extended(
    history: History,
    rows: Sequence[Mapping[str, Any]],
    codes: Mapping[tuple[str, str], dict[FieldKey, str]],
) -> History:
    """The history of one feature with further commits, oldest first."""
    changes = [row for row in rows if row["operation"] not in LEAVING_DATA]
    versions = {row["feature_version"]: (row["feature"], row["feature_version"]) for row in rows}
    for row in rows:
        history = _after(history, row)
    return replace(
        history,
        last=to_commit(rows[-1]),
        last_change=to_commit(changes[-1]) if changes else history.last_change,
        code_versions={
            **history.code_versions,
            **{version: codes.get(key, {}) for version, key in versions.items()},
        },
    )


def _after(history: History, row: Mapping[str, Any]) -> History:
    """What one more commit adds up to."""
    superseding, deleting = row["superseded"] > 0, row["deleted"] > 0
    erasing = row["operation"] in ERASING
    appended = 0 if erasing else row["rows"]
    ids = history.ids if erasing else history.ids + appended - row["superseded"]
    rewritten = history.rewritten
    if appended and appended == ids:
        rewritten = Rewritten(row[sc.COMMIT], history.rows, deleting=deleting)
    elif rewritten is not None:
        rewritten = replace(
            rewritten,
            superseding=rewritten.superseding or superseding,
            deleting=rewritten.deleting or deleting,
        )
    return replace(
        history,
        commits=history.commits + 1,
        rows=history.rows + appended,
        superseding=history.superseding or superseding,
        deleting=history.deleting or deleting,
        ids=ids,
        rewritten=rewritten,
    )
