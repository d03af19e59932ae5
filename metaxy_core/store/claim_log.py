"""Claims stand in the catalog, and the records that they are about in a table per feature.

A record of a feature is claimed at most once: whoever claims it last holds it. A row that says so
counts until its claim's time is over, or until the record is written after the commit it names.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.engine.claims import BECOMES, SINCE_CLAIMED, Held, former
from metaxy_core.engine.numbers import Numbers, with_numbers
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Snapshot, Transaction
from metaxy_core.store.claims import HeldClaim
from metaxy_core.store.parts import Parts
from metaxy_core.store.tables import CLAIMS

if TYPE_CHECKING:
    import ibis.expr.types as ir

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoggedClaim:
    """A row of the catalog: what an owner holds of a feature.

    Attributes:
        claim: its id, by which the rows of its records name it.
        owner: who holds it.
        feature: of which feature.
        work: the table in which what was processed is written: it ends the claim of a record.
        since: the oldest commit that a record of it was claimed after.
        claimed_at: when the owner claimed last.
        expires_at: until when it holds.
    """

    claim: str
    owner: str
    feature: str
    work: str
    since: int
    claimed_at: dt.datetime
    expires_at: dt.datetime

    @property
    def table(self) -> str:
        """The table of its records."""
        return sc.claimed_table(FeatureKey(self.feature).to_identifier())

    def holds(self, moment: dt.datetime) -> bool:
        """Whether its time is not over."""
        return moment < self.expires_at


class ClaimLog:
    """Reads and writes claims inside snapshots and transactions."""

    def __init__(self, parts: Parts) -> None:
        self._backend = parts.backend
        self._tables = parts.tables
        self._catalog = parts.catalog

    def claims(self, snapshot: Snapshot) -> list[LoggedClaim]:
        """All claims, those whose time is over too; of the store itself and of no fallback."""
        if not snapshot.has(CLAIMS):
            return []
        rows = self._tables.rows(snapshot, lambda: self._tables[CLAIMS], ("claims",))
        found = [LoggedClaim(**row) for row in rows]
        return sorted(found, key=lambda each: (each.feature, each.expires_at, each.owner))

    def listed(
        self, snapshot: Snapshot, moment: dt.datetime, feature: FeatureKey | None, *, counted: bool
    ) -> list[HeldClaim]:
        """The claims of one feature or of all, with the number of their records."""
        found = []
        for name, group in groupby(self.claims(snapshot), key=lambda each: each.feature):
            if feature is not None and name != str(feature):
                continue
            of_feature = list(group)
            counts = self.records(snapshot, of_feature) if counted else None
            found += [
                HeldClaim(
                    owner=each.owner,
                    feature=FeatureKey(each.feature),
                    records=None if counts is None else counts.get(each.claim, 0),
                    claimed_at=each.claimed_at,
                    expires_at=each.expires_at,
                    live=each.holds(moment),
                )
                for each in of_feature
            ]
        return found

    def records(self, snapshot: Snapshot, claims: Sequence[LoggedClaim]) -> dict[str, int]:
        """How many records each of some claims of one feature holds."""
        with self.held(snapshot, claims) as held:
            if held is None:
                return {}

            def counted() -> ir.Table:
                rows = held.rows()
                return rows.group_by(sc.CLAIM).agg(records=rows.count())

            sql = self._backend.sql(counted, ("claim counts", held.key))
            rows = snapshot.fetch(with_numbers(sql, numbers_of(claims))).to_pylist()
        return {row[sc.CLAIM]: row["records"] for row in rows}

    def count(self, snapshot: Snapshot, claims: Sequence[LoggedClaim]) -> int:
        """How many records some claims hold together."""
        return sum(sum(self.records(snapshot, [each]).values()) for each in claims)

    @contextmanager
    def held(
        self, snapshot: Snapshot, claims: Sequence[LoggedClaim], **told: Sequence[Any]
    ) -> Iterator[Held | None]:
        """The records that some claims of one feature hold.

        Args:
            snapshot: where to read.
            claims: the claims.
            told: what is told of them, under the name of a column: a value for each.

        Yields:
            Where they stand; None where there is nothing. SQL made of it needs ``numbers_of``.
        """
        claimed = snapshot.table(claims[0].table) if claims else None
        if claimed is None:
            yield None
            return
        frame = pa.table({sc.CLAIM: [each.claim for each in claims], **told})
        staged = self._backend.stage("metaxy_claims", frame)
        try:
            yield Held(claimed, staged, snapshot.table(claims[0].work))
        finally:
            self._backend.drop(staged)

    # ------------------------------------------------------------------ changes

    def take(self, transaction: Transaction, taken: LoggedClaim, ids: pa.Table) -> None:
        """Claim records of a feature, and clean away what does not count any more.

        What the owner held of the feature before goes on as a part of the new claim.

        Args:
            transaction: the change to make it in.
            taken: the claim.
            ids: the records' ids.
        """
        self._tables.make(transaction)
        known = self.claims(transaction)
        live = [each for each in known if each.holds(taken.claimed_at)]
        self.drop(transaction, [each for each in known if each not in live], "is over")
        of_feature = [each for each in live if each.feature == taken.feature]
        rows = self._rows(ids, taken.claim, taken.since)
        rows = self._with_former(transaction, of_feature, taken, rows)
        staged = self._backend.stage("metaxy_claimed", rows)
        try:
            transaction.replace(taken.table, self._backend.sql(lambda: staged))
        finally:
            self._backend.drop(staged)
        self._erase(transaction, CLAIMS, "feature", [taken.feature])
        left = rows.group_by(sc.CLAIM).aggregate([(sc.COMMIT, "min")]).to_pylist()
        since = {row[sc.CLAIM]: row[f"{sc.COMMIT}_min"] for row in left}
        ends = [each.expires_at for each in of_feature if each.owner == taken.owner]
        taken = replace(taken, expires_at=max([taken.expires_at, *ends]))
        others = [each for each in of_feature if each.owner != taken.owner]
        remaining = [e for e in (*others, taken) if e.claim in since]
        self._append(transaction, [replace(e, since=since[e.claim]) for e in remaining])

    def extend(
        self, transaction: Transaction, claims: Sequence[LoggedClaim], until: dt.datetime
    ) -> None:
        """Let claims hold until a time at least."""
        self._erase(transaction, CLAIMS, "claim", [each.claim for each in claims])
        longer = [replace(e, expires_at=max(e.expires_at, until)) for e in claims]
        self._append(transaction, longer)

    def drop(
        self, transaction: Transaction, claims: Sequence[LoggedClaim], why: str = "was released"
    ) -> None:
        """Forget claims and their records."""
        if not claims:
            return
        names = [each.claim for each in claims]
        for table in {each.table for each in claims}:
            if transaction.has(table):
                self._erase(transaction, table, sc.CLAIM, names)
        self._erase(transaction, CLAIMS, "claim", names)
        for each in claims:
            _log.info("The claim of '%s' on records of '%s' %s", each.owner, each.feature, why)

    def give_back(
        self, transaction: Transaction, claims: Sequence[LoggedClaim], ids: pa.Table
    ) -> int:
        """Let claims of one feature be without some records; gives how many they still hold."""
        for each in claims:
            name = pa.repeat(pa.scalar(each.claim), ids.num_rows)
            staged = self._backend.stage("metaxy_given_back", ids.append_column(sc.CLAIM, name))
            try:
                claimed = transaction.table(each.table)
                if claimed is not None and Held(claimed, claimed, None).are_of(
                    staged, ids.column_names
                ):
                    transaction.remove(each.table, staged, [sc.CLAIM, *ids.column_names])
            finally:
                self._backend.drop(staged)
        left = {each.claim: self.count(transaction, [each]) for each in claims}
        self.drop(transaction, [each for each in claims if not left[each.claim]])
        return sum(left.values())

    # ------------------------------------------------------------------ details

    def _with_former(
        self,
        transaction: Transaction,
        claims: Sequence[LoggedClaim],
        taken: LoggedClaim,
        rows: pa.Table,
    ) -> pa.Table:
        """Records that are claimed now, with those that were before and still are."""
        becomes = [taken.claim if e.owner == taken.owner else e.claim for e in claims]
        ids = [name for name in rows.column_names if name not in {sc.CLAIM, sc.COMMIT}]
        staged = self._backend.stage("metaxy_claimed", rows)
        try:
            with self.held(transaction, claims, **{BECOMES: becomes}) as held:
                if held is None or not held.are_of(staged, ids):
                    return rows
                key = ("former claims", held.key, staged.schema())
                sql = self._backend.sql(lambda: former(held, staged), key)
                found = transaction.fetch(with_numbers(sql, numbers_of(claims)))
        finally:
            self._backend.drop(staged)
        return pa.concat_tables([rows, found.cast(rows.schema)])

    def _rows(self, ids: pa.Table, claim: str, commit: int) -> pa.Table:
        claims = pa.repeat(pa.scalar(claim), ids.num_rows)
        commits = pa.repeat(pa.scalar(commit, pa.int64()), ids.num_rows)
        return ids.append_column(sc.CLAIM, claims).append_column(sc.COMMIT, commits)

    def _append(self, transaction: Transaction, claims: Iterable[LoggedClaim]) -> None:
        self._tables.append(transaction, CLAIMS, [asdict(each) for each in claims])

    def _erase(
        self, transaction: Transaction, table: str, column: str, values: Sequence[str]
    ) -> None:
        if transaction.has(table):
            staged = self._backend.stage("metaxy_erased_claims", pa.table({column: values}))
            try:
                transaction.remove(table, staged, [column])
            finally:
                self._backend.drop(staged)


def numbers_of(claims: Iterable[LoggedClaim]) -> Numbers:
    """The numbers that SQL over what claims hold names."""
    return {SINCE_CLAIMED: min((each.since for each in claims), default=0)}


def forget_records(
    transaction: Transaction, feature: FeatureKey, erased: ir.Table, ids: Sequence[str]
) -> None:
    """Forget claims of records that were erased, with all that was written of them.

    Args:
        transaction: the change in which they were.
        feature: their feature.
        erased: a staged frame with their ids.
        ids: the id columns.
    """
    table = sc.claimed_table(feature.to_identifier())
    claimed = transaction.table(table)
    if claimed is not None and Held(claimed, claimed, None).are_of(erased, ids):
        transaction.remove(table, erased, ids)
