"""The store that records are copied from: its commits, and their rows in batches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from metaxy_core import system_columns as sc
from metaxy_core.engine.numbers import SINCE, number, with_numbers
from metaxy_core.engine.upstream import latest_rows
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Backend, Snapshot
from metaxy_core.store.commits import HARD_DELETE, Commit
from metaxy_core.store.parts import Parts
from metaxy_core.store.rebase_log import AppliedRebase, RebaseLog
from metaxy_core.store.sources import check_own

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

HISTORY: Final = "history"
LATEST: Final = "latest"
BATCH: Final = 100_000
"""So many rows are held in memory at once."""

Counts = Mapping[str, Mapping[int, int]]
"""For each table, how many rows each commit has in it."""


@dataclass(frozen=True)
class CopiedTable:
    """A table whose rows are copied.

    Attributes:
        name: its name, which is the same in every store.
        ids: what tells records apart in it.
        is_own: whether it holds the feature's records, and not the parents of an expansion.
    """

    name: str
    ids: tuple[str, ...]
    is_own: bool


@dataclass(frozen=True)
class Listing:
    """What there is to copy at one moment.

    Attributes:
        commits: every commit of each feature, oldest first.
        held: which of them have rows to copy; None where every commit is copied.
        definitions: the recorded definitions of the features and of all their upstream.
        rebases: what is known of the rebases, by feature and commit.
    """

    commits: Mapping[FeatureKey, Sequence[Commit]]
    held: Mapping[FeatureKey, frozenset[int]] | None
    definitions: Sequence[Mapping[str, Any]]
    rebases: Mapping[tuple[FeatureKey, int], AppliedRebase]

    def missing(self, feature: FeatureKey, known: Collection[int]) -> list[Commit]:
        """The commits of a feature that are to be copied, where some were before."""
        commits = [commit for commit in self.commits[feature] if commit.id not in known]
        if self.held is None:
            return commits
        last = max(known, default=None)
        return [
            commit
            for commit in commits
            if commit.id in self.held[feature]
            or (commit.operation == HARD_DELETE and last is not None and commit.id > last)
        ]


class KeptRows:
    """Rows of some commits, as they were in one snapshot."""

    def __init__(self, backend: Backend, tables: Mapping[str, ir.Table]) -> None:
        self._backend = backend
        self._tables = tables

    def batches(self, table: str, commit: int) -> Iterator[pa.Table]:
        """The rows of one commit in a table."""
        rows = self._tables.get(table)
        if rows is None:
            return
        key = ("copied rows", rows.op())
        sql = self._backend.sql(lambda: rows.filter(rows[sc.COMMIT] == number(SINCE)), key)
        for batch in self._backend.stream(with_numbers(sql, {SINCE: commit}), BATCH):
            if batch.num_rows:
                yield batch


class CopySource:
    """Features of a store, without its fallbacks, to be copied.

    Args:
        parts: the store.
        graph: the graph of the features.
        features: their keys.
        history: whether every row is copied, or the latest of each record.
    """

    def __init__(
        self, parts: Parts, graph: FeatureGraph, features: Sequence[FeatureKey], *, history: bool
    ) -> None:
        self._parts = parts
        self._graph = graph
        self.features = tuple(features)
        self.mode = HISTORY if history else LATEST

    @property
    def address(self) -> str:
        """Where the store is."""
        return self._parts.backend.address

    def listing(self) -> Listing:
        """What there is to copy now."""
        read = {str(each.key) for key in self.features for each in self._graph.upstream(key)}
        names = read | {str(key) for key in self.features}
        with self._parts.backend.snapshot() as snapshot:
            commits = {
                key: self._parts.catalog.commits_of(snapshot, key, None)[::-1]
                for key in self.features
            }
            held = None
            if self.mode == LATEST:
                held = {key: self._held(snapshot, key) for key in self.features}
            rebases = RebaseLog(self._parts.tables).applied(snapshot)
            return Listing(
                commits,
                held,
                self._parts.definitions.rows_of(snapshot, names),
                {(rebase.feature, rebase.commit): rebase for rebase in rebases},
            )

    def tables(self, feature: FeatureKey) -> tuple[CopiedTable, CopiedTable]:
        """The tables that a feature may have."""
        plan = self._graph.plan(feature)
        own = plan.definition.table
        return (
            CopiedTable(own, plan.id_columns, is_own=True),
            CopiedTable(sc.parents_table(own), plan.grain, is_own=False),
        )

    def counts(self, feature: FeatureKey) -> Counts:
        """How many rows of each commit there are now."""
        with self._parts.backend.snapshot() as snapshot:
            return self._counts(snapshot, feature)

    @contextmanager
    def kept(self, wanted: Mapping[FeatureKey, Collection[int]]) -> Iterator[KeptRows]:
        """The rows of some commits, which others may go on changing the store without.

        Args:
            wanted: ids of commits, by feature.
        """
        backend = self._parts.backend
        kept: dict[str, ir.Table] = {}
        try:
            with backend.snapshot() as snapshot:
                for feature, commits in wanted.items():
                    for name, rows in self._rows(snapshot, feature).items():
                        kept[name] = self._keep(snapshot, rows, commits)
            yield KeptRows(backend, kept)
        finally:
            for table in kept.values():
                backend.drop(table)

    # ------------------------------------------------------------------ details

    def _rows(self, snapshot: Snapshot, feature: FeatureKey) -> dict[str, ir.Table]:
        """The rows to copy in each table of a feature that is there."""
        plan = self._graph.plan(feature)
        own, parents = (table.name for table in self.tables(feature))
        if self.mode == HISTORY:
            stored = {name: snapshot.table(name) for name in (own, parents)}
            check_own(plan.definition, stored[own])
            return {name: rows for name, rows in stored.items() if rows is not None}
        found = {}
        source = self._parts.sources.open(snapshot, plan.definition)
        if source.written:
            found[own] = latest_rows(source).drop(*source.absent)
        if plan.expands and snapshot.has(parents):
            work = self._parts.sources.open_work(snapshot, plan, source)
            found[parents] = latest_rows(work).drop(*work.absent)
        return found

    def _keep(self, snapshot: Snapshot, rows: ir.Table, commits: Collection[int]) -> ir.Table:
        wanted = rows.filter(rows[sc.COMMIT].isin(sorted(commits)))
        return snapshot.keep(self._parts.backend.sql(lambda: wanted))

    def _counts(self, snapshot: Snapshot, feature: FeatureKey) -> Counts:
        return {
            name: rows_by_commit(self._parts.backend, snapshot, rows)
            for name, rows in self._rows(snapshot, feature).items()
        }

    def _held(self, snapshot: Snapshot, feature: FeatureKey) -> frozenset[int]:
        return frozenset().union(*self._counts(snapshot, feature).values())


def rows_by_commit(backend: Backend, snapshot: Snapshot, rows: ir.Table) -> dict[int, int]:
    """How many rows of a table each commit has."""
    counted = rows.group_by(sc.COMMIT).agg(rows=rows.count())
    found = snapshot.fetch(backend.sql(lambda: counted)).to_pylist()
    return {int(row[sc.COMMIT]): int(row["rows"]) for row in found}
