"""What the commits of a feature add up to; those that were read once are not read again."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine.numbers import SINCE, number
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.commits import ERASING, HARD_DELETE, LEAVING_DATA, Commit, to_commit
from metaxy_core.store.tables import COMMITS, DEFINITIONS, CatalogTables

if TYPE_CHECKING:
    import ibis.expr.types as ir


_SUMMED: Final = ("rows", "superseded", "deleted")


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
        id_columns: what identified a record in the last commit.
        ids: how many ids there are; None where that cannot be told any more, because records were
            erased or identified by other columns before.
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
    id_columns: tuple[str, ...] | None = None
    ids: int | None = 0
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


@dataclass(frozen=True)
class _Recorded:
    """What a feature version says: the code version of each field, and the id columns."""

    code_versions: dict[FieldKey, str]
    id_columns: tuple[str, ...]


_Definitions = Mapping[tuple[str, str], _Recorded]
_NOTHING: Final = _Recorded({}, ())


@dataclass(frozen=True)
class _Read:
    """What was read of some features.

    Attributes:
        histories: what the commits add up to.
        newest: the newest commit.
        sums: how many there are and what their numbers add up to, by which they are known again.
        created_at: when the newest of them was made.
    """

    histories: dict[FeatureKey, History]
    newest: int = 0
    sums: tuple[int, ...] = (0, 0, 0, 0)
    created_at: dt.datetime | None = None

    @property
    def commits(self) -> int:
        """How many commits there are."""
        return self.sums[0]


class Histories:
    """The histories of features, kept from one snapshot to the next.

    Commits are only ever added. So it is enough to see that those that were read are still there,
    and to read what came after the newest one. Where one came late, or the database was replaced,
    all are read again.
    """

    def __init__(self, tables: CatalogTables) -> None:
        self._tables = tables
        self._read: dict[tuple[str, ...], _Read] = {}
        self._recorded: dict[tuple[str, str], _Recorded] = {}
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
            found = _added(_Read({}), rows, self._definitions(snapshot, rows))
        if snapshot is not self._changed:
            self._read[names] = found
        return {feature: found.histories.get(feature, History()) for feature in features}

    def _continued(self, snapshot: Snapshot, names: tuple[str, ...], known: _Read) -> _Read | None:
        """What was read, with what came since; None where it is not there any more."""

        def query() -> ir.Table:
            commits = self._of(snapshot, names)
            before = commits[sc.COMMIT] <= number(SINCE)
            return commits.agg(
                total=commits.count(),
                commits=commits.count(where=before),
                created_at=commits.created_at.max(where=before),
                **{name: commits[name].sum(where=before) for name in _SUMMED},
            )

        key = ("known commits", *names)
        rows = self._tables.rows_over(snapshot, query, key, {SINCE: known.newest})
        if not rows:
            return None
        (row,) = rows
        sums = (row["commits"], *(int(row[name] or 0) for name in _SUMMED))
        if (sums, row["created_at"]) != (known.sums, known.created_at):
            return None
        if row["total"] == known.commits:
            return known
        later = self._rows(snapshot, names, known.newest)
        return _added(known, later, self._definitions(snapshot, later))

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

    def _definitions(self, snapshot: Snapshot, rows: Sequence[Mapping[str, Any]]) -> _Definitions:
        """What the feature versions say that commits name."""
        wanted = {(row["feature"], row["feature_version"]) for row in rows}
        if not wanted <= self._recorded.keys():

            def query() -> ir.Table:
                recorded = self._tables.over(snapshot, DEFINITIONS)
                return recorded.select("feature", "feature_version", "code_versions", "definition")

            for row in self._tables.rows_over(snapshot, query, ("recorded versions",)):
                codes = json.loads(row["code_versions"] or "{}")
                self._recorded[row["feature"], row["feature_version"]] = _Recorded(
                    {FieldKey(key): version for key, version in codes.items()},
                    tuple(json.loads(row["definition"])["spec"]["id_columns"]),
                )
        return self._recorded


def _added(known: _Read, rows: Sequence[Mapping[str, Any]], recorded: _Definitions) -> _Read:
    """What was read, and some later commits, oldest first."""
    if not rows:
        return known
    histories = dict(known.histories)
    for row in rows:
        feature = FeatureKey(row["feature"])
        said = recorded.get((row["feature"], row["feature_version"]), _NOTHING)
        histories[feature] = _after(histories.get(feature, History()), row, said)
    sums = (len(rows), *(sum(row[name] for row in rows) for name in _SUMMED))
    times = [row["created_at"] for row in rows]
    return _Read(
        histories,
        newest=rows[-1][sc.COMMIT],
        sums=tuple(map(sum, zip(known.sums, sums, strict=True))),
        created_at=max(times if known.created_at is None else [known.created_at, *times]),
    )


def _after(history: History, row: Mapping[str, Any], said: _Recorded) -> History:
    """What one more commit adds up to."""
    superseding, deleting = row["superseded"] > 0, row["deleted"] > 0
    appended = 0 if row["operation"] in ERASING else row["rows"]
    ids = _ids_after(history, row, said)
    rewritten = history.rewritten
    if ids is None:
        rewritten = None
    elif appended and appended == ids:
        rewritten = Rewritten(row[sc.COMMIT], history.rows, deleting=deleting)
    elif rewritten is not None:
        rewritten = replace(
            rewritten,
            superseding=rewritten.superseding or superseding,
            deleting=rewritten.deleting or deleting,
        )
    commit = to_commit(row)
    return replace(
        history,
        last=commit,
        last_change=history.last_change if row["operation"] in LEAVING_DATA else commit,
        commits=history.commits + 1,
        rows=history.rows + appended,
        superseding=history.superseding or superseding,
        deleting=history.deleting or deleting,
        id_columns=said.id_columns,
        ids=ids,
        rewritten=rewritten,
        code_versions={**history.code_versions, row["feature_version"]: said.code_versions},
    )


def _ids_after(history: History, row: Mapping[str, Any], said: _Recorded) -> int | None:
    if history.ids is None or history.id_columns not in {None, said.id_columns}:
        return None
    if row["operation"] == HARD_DELETE:
        return None
    return (
        history.ids
        if row["operation"] in ERASING
        else (history.ids + row["rows"] - row["superseded"])
    )
