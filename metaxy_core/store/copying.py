"""Records move from one store to another, commit by commit, with the versions that they have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core import system_columns as sc
from metaxy_core.engine import checks
from metaxy_core.errors import CopyOvertaken, CopyRefused
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Transaction
from metaxy_core.store.commits import DELETE, ERASING, Commit
from metaxy_core.store.copy_log import CopiedCommit, CopyLog
from metaxy_core.store.copy_progress import CopiedFeature, CopyProgress, Tally
from metaxy_core.store.copy_source import (
    BATCH,
    LATEST,
    CopiedTable,
    CopySource,
    KeptRows,
    Listing,
    rows_by_commit,
)
from metaxy_core.store.copy_steps import CopyStep, commits_of, groups_of, steps_of
from metaxy_core.store.parts import Parts
from metaxy_core.store.rebase_log import RebaseLog
from metaxy_core.store.sources import check_own

if TYPE_CHECKING:
    import ibis.expr.types as ir

_STAGED: Final = "metaxy_copied"
_STAGED_COMMITS: Final = "metaxy_copied_commits"


@dataclass
class _Round:
    """What is missing at one moment.

    Attributes:
        listing: what the source has.
        known: for each feature, the ids of its copied commits: theirs, and those they have here.
        steps: what is missing.
        erasing: for each feature, the last missing commit that erased rows.
        is_recorded: whether the definitions were recorded.
    """

    listing: Listing
    known: Mapping[FeatureKey, Mapping[int, int]]
    steps: Sequence[CopyStep]
    erasing: Mapping[FeatureKey, int]
    is_recorded: bool = False


@dataclass
class _Appended:
    """What a commit brought."""

    rows: int = 0
    gone: int = 0
    gone_parents: int = 0
    superseded: int = 0


class Copying:
    """One copy.

    Args:
        source: what is copied.
        target: the store that it is copied to, without its fallbacks.
        graph: the graph of the features.
        tell: called with the progress after every batch of rows and every commit.
    """

    def __init__(
        self,
        source: CopySource,
        target: Parts,
        graph: FeatureGraph,
        tell: Callable[[CopyProgress], object] | None = None,
    ) -> None:
        self._source = source
        self._target = target
        self._graph = graph
        self._tell = tell
        self._log = CopyLog(target.tables)
        self._done = Tally()

    def copy(self) -> tuple[CopiedFeature, ...]:
        """Copy what is missing, until nothing is.

        Raises:
            CopyRefused: the target has other records of a feature.
            CopyOvertaken: somebody else wrote to the target meanwhile.
        """
        self._target.backend.check_writable()
        while (current := self._round()).steps:
            self._done.of += len(current.steps)
            for group in groups_of(current.steps, BATCH):
                with self._source.kept(commits_of(group)) as rows:
                    for step in group:
                        self._copy_step(current, step, rows)
        return self._done.of_features(self._source.features)

    # ------------------------------------------------------------------ what is missing

    def _round(self) -> _Round:
        listing = self._source.listing()
        known = {
            feature: {each.source_commit: each.commit for each in found}
            for feature, found in self._copies(listing).items()
        }
        for feature, ids in known.items():
            self._done.already.setdefault(feature, len(ids))
        missing = {key: listing.missing(key, known[key]) for key in self._source.features}
        erasing = {
            feature: max(commit.id for commit in commits if commit.operation in ERASING)
            for feature, commits in missing.items()
            if any(commit.operation in ERASING for commit in commits)
        }
        return _Round(listing, known, steps_of(missing.values()), erasing)

    def _copies(self, listing: Listing) -> dict[FeatureKey, list[CopiedCommit]]:
        """What was copied before; nothing else may be there."""
        with self._target.backend.snapshot() as snapshot:
            copies = self._log.copies(snapshot, self._source.features)
            for feature, found in copies.items():
                definition = self._graph[feature]
                check_own(definition, snapshot.table(definition.table))
                own = self._target.catalog.commits_of(snapshot, feature, None)
                self._check_copies(feature, found, own)
                self._check_source(feature, found, listing.commits[feature])
        return copies

    def _check_copies(
        self, feature: FeatureKey, copies: Sequence[CopiedCommit], own: Sequence[Commit]
    ) -> None:
        others = {commit.id for commit in own} - {each.commit for each in copies}
        address = self._target.backend.address
        if others:
            raise CopyRefused.from_others(feature, address, len(others), copied=len(copies))
        for each in copies:
            if each.mode != self._source.mode:
                raise CopyRefused.from_mode(feature, address, each.mode)

    def _check_source(
        self, feature: FeatureKey, copies: Sequence[CopiedCommit], there: Sequence[Commit]
    ) -> None:
        made_at = {commit.id: commit.created_at for commit in there}
        for each in copies:
            if made_at.get(each.source_commit) != each.made_at:
                raise CopyRefused.from_another_source(
                    feature, self._target.backend.address, each.source, self._source.address
                )

    # ------------------------------------------------------------------ one commit

    def _copy_step(self, current: _Round, step: CopyStep, rows: KeptRows) -> None:
        """Copy one commit, all or nothing."""
        brought = {}
        with self._target.backend.transaction() as transaction:
            self._target.tables.make(transaction)
            self._check_alone(transaction, step)
            self._record_definitions(transaction, current)
            number = self._target.catalog.next_commit(transaction)
            for commit in step.commits:
                appended = self._append(transaction, current, commit, number, rows)
                brought[commit.feature] = appended.rows
                if current.erasing.get(commit.feature) == commit.id:
                    self._erase(transaction, commit.feature, current.known[commit.feature])
                made = replace(self._changed(commit, appended), id=number)
                self._target.catalog.add(transaction, made)
                self._record_rebase(transaction, current, commit, number)
            self._log.add(transaction, [self._copied(each, number) for each in step.commits])
        current.is_recorded = True
        self._done.add(brought)
        self._say()

    def _check_alone(self, transaction: Transaction, step: CopyStep) -> None:
        """Nobody else has changed the features here since this call began."""
        features = [commit.feature for commit in step.commits]
        for feature, count in self._log.commits(transaction, features).items():
            if count != self._done.expected(feature):
                raise CopyOvertaken.from_feature(feature, self._target.backend.address)

    def _append(
        self,
        transaction: Transaction,
        current: _Round,
        commit: Commit,
        number: int,
        rows: KeptRows,
    ) -> _Appended:
        """Append the rows of a commit under its id here."""
        appended = _Appended()
        may_replace = self._source.mode == LATEST and bool(current.known[commit.feature])
        for table in self._source.tables(commit.feature):
            for batch in rows.batches(table.name, commit.id):
                if may_replace:
                    appended.superseded += self._known(transaction, table, batch)
                self._append_batch(transaction, table, batch, number)
                gone = int(pc.sum(batch[sc.DELETED]).as_py() or 0)
                if table.is_own:
                    appended.rows += batch.num_rows
                    appended.gone += gone
                    self._done.rows += batch.num_rows
                    self._say()
                else:
                    appended.gone_parents += gone
        return appended

    def _append_batch(
        self, transaction: Transaction, table: CopiedTable, batch: pa.Table, number: int
    ) -> None:
        """Append rows under a commit."""
        backend = self._target.backend
        place = batch.schema.get_field_index(sc.COMMIT)
        commit = pa.repeat(pa.scalar(number, pa.int64()), batch.num_rows)
        staged = backend.stage(_STAGED, batch.set_column(place, sc.COMMIT, commit))
        try:
            is_first = not transaction.has(table.name)
            transaction.append(table.name, backend.sql(lambda: staged, ("copied", staged.op())))
            if is_first:
                transaction.index(table.name, table.ids)
        finally:
            backend.drop(staged)

    def _known(self, transaction: Transaction, table: CopiedTable, batch: pa.Table) -> int:
        """How many of some records have a row already."""
        own = transaction.table(table.name)
        if own is None:
            return 0
        backend = self._target.backend
        staged = backend.stage(_STAGED, batch.select(list(table.ids)))
        try:
            return self._rows_known(transaction, staged, own, table.ids)
        finally:
            backend.drop(staged)

    def _rows_known(
        self, transaction: Transaction, staged: ir.Table, own: ir.Table, ids: Sequence[str]
    ) -> int:
        sql = self._target.backend.sql(lambda: checks.known_ids(staged, own, ids))
        return int(transaction.fetch(sql)["records"][0].as_py())

    def _changed(self, commit: Commit, appended: _Appended) -> Commit:
        """What the catalog says of a commit; of the latest rows, what these add up to."""
        if self._source.mode != LATEST:
            return commit
        rows = appended.rows if commit.operation == DELETE else appended.rows - appended.gone
        return replace(
            commit,
            rows=commit.rows if commit.operation in ERASING else rows,
            superseded=appended.superseded,
            deleted=appended.gone or appended.gone_parents,
            processed=0,
            checksum=None,
        )

    def _copied(self, commit: Commit, number: int) -> CopiedCommit:
        address, mode = self._source.address, self._source.mode
        return CopiedCommit(commit.feature, address, commit.id, commit.created_at, number, mode)

    def _record_definitions(self, transaction: Transaction, current: _Round) -> None:
        if not current.is_recorded:
            self._target.definitions.adopt(
                transaction, self._graph, self._source.features, current.listing.definitions
            )

    def _record_rebase(
        self, transaction: Transaction, current: _Round, commit: Commit, number: int
    ) -> None:
        rebase = current.listing.rebases.get((commit.feature, commit.id))
        if rebase is not None:
            RebaseLog(self._target.tables).add(transaction, replace(rebase, commit=number))

    def _say(self) -> None:
        if self._tell is not None:
            self._tell(self._done.progress)

    # ------------------------------------------------------------------ what was erased

    def _erase(
        self, transaction: Transaction, feature: FeatureKey, known: Mapping[int, int]
    ) -> None:
        """Make copied commits hold the rows that they still have in the source.

        Args:
            transaction: the change to make it in.
            feature: the feature.
            known: the commits that were copied before rows were erased, with their ids here.
        """
        there = self._source.counts(feature) if known else {}
        for table in self._source.tables(feature):
            own = transaction.table(table.name)
            if own is None or not known:
                continue
            here = rows_by_commit(self._target.backend, transaction, own)
            left = there.get(table.name, {})
            differing = [
                commit
                for commit, number in known.items()
                if here.get(number, 0) != left.get(commit, 0)
            ]
            if differing:
                self._remove(transaction, table, [known[commit] for commit in differing])
                self._restore(
                    transaction, table, feature, {each: known[each] for each in differing}
                )

    def _remove(
        self, transaction: Transaction, table: CopiedTable, commits: Collection[int]
    ) -> None:
        backend = self._target.backend
        numbers = pa.table({sc.COMMIT: pa.array(sorted(commits), pa.int64())})
        staged = backend.stage(_STAGED_COMMITS, numbers)
        try:
            transaction.remove(table.name, staged, [sc.COMMIT])
        finally:
            backend.drop(staged)

    def _restore(
        self,
        transaction: Transaction,
        table: CopiedTable,
        feature: FeatureKey,
        commits: Mapping[int, int],
    ) -> None:
        with self._source.kept({feature: list(commits)}) as rows:
            for commit, number in commits.items():
                for batch in rows.batches(table.name, commit):
                    self._append_batch(transaction, table, batch, number)
