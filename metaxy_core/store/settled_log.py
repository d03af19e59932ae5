"""What is settled stands in the catalog; here it is read, matched with the commits, and kept."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.engine import compare
from metaxy_core.engine.numbers import SINCE, number, with_numbers
from metaxy_core.engine.row_hashes import CHECKSUM, checksum
from metaxy_core.errors import StoreError
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Backend, Snapshot, Transaction
from metaxy_core.store.catalog import Catalog
from metaxy_core.store.commits import WRITE
from metaxy_core.store.histories import History
from metaxy_core.store.layers import is_layered
from metaxy_core.store.settling import AWAITED, Examination, Settled, fingerprint
from metaxy_core.store.tables import SETTLED, CatalogTables

if TYPE_CHECKING:
    import ibis.expr.types as ir


_log = logging.getLogger(__name__)


class SettledLog:
    """Reads and writes what is settled.

    A feature has at most two rows: what is settled, and what would be if what is awaited came.
    """

    def __init__(self, backend: Backend, tables: CatalogTables, catalog: Catalog) -> None:
        self._backend = backend
        self._tables = tables
        self._catalog = catalog

    def examination(
        self, snapshot: Snapshot, plan: FeaturePlan, histories: Mapping[FeatureKey, History]
    ) -> Examination:
        """What a comparison of a feature that has deps has to look at.

        Args:
            snapshot: where to read.
            plan: the feature's plan.
            histories: of the feature and its deps.
        """
        commits = sum(history.commits for history in histories.values())
        rows = sum(history.rows for history in histories.values())
        records = rows if plan.expands else histories[plan.key].rows
        if is_layered(snapshot) or not commits:
            return Examination(None, None, rows, commits, rows, records)
        newest = max(each.last.id for each in histories.values() if each.last is not None)
        now = Settled(fingerprint(plan), newest, newest, commits)
        known = [
            each for each in self._known(snapshot, plan) if each.fingerprint == now.fingerprint
        ]
        is_awaited = any(each.awaited and each.same_commits(now) for each in known)
        whole = Examination(None, now, rows, commits, rows, records, is_awaited=is_awaited)
        found = (self._continued(snapshot, plan, list(histories), each, whole) for each in known)
        return next((each for each in found if each is not None), whole)

    def left(self, snapshot: Snapshot, plan: FeaturePlan) -> ir.Table | None:
        """The records that were left, each with the commit up to which that was examined."""
        return snapshot.table(sc.left_table(plan.definition.table))

    def remember(
        self, plan: FeaturePlan, before: Settled | None, settled: Settled, found: ir.Table
    ) -> None:
        """Keep what was found, if the store can be written just now.

        The answer that it is about was found already, so that no failure here may spoil it.

        Args:
            plan: the feature's plan.
            before: what was found before, and still counts.
            settled: what was found.
            found: the records that had a difference, kept in the backend.
        """
        try:
            if settled.awaited:
                settled = replace(settled, checksum=self._checksum(plan, found))
            with self._backend.transaction(wait=False) as transaction:
                self._write(transaction, plan, before, settled, found)
        except StoreError as error:
            _log.debug("What is settled of '%s' is not remembered: %s", plan.key, error)
        except Exception:  # noqa: BLE001 - whatever it is, the answer is right
            _log.warning("What is settled of '%s' is not remembered", plan.key, exc_info=True)

    # ------------------------------------------------------------------ reading

    def _known(self, snapshot: Snapshot, plan: FeaturePlan) -> list[Settled]:
        """What is remembered of a feature, what is awaited first."""
        if not snapshot.has(SETTLED):
            return []
        name = str(plan.key)

        def query() -> ir.Table:
            settled = self._tables[SETTLED]
            return settled.filter(settled.feature == name)

        rows = self._tables.rows(snapshot, query, ("settled", name))
        names = [each.name for each in fields(Settled)]
        known = [Settled(**{name: row[name] for name in names}) for row in rows]
        return sorted(known, key=lambda each: -each.awaited)

    def _continued(
        self,
        snapshot: Snapshot,
        plan: FeaturePlan,
        features: Sequence[FeatureKey],
        known: Settled,
        whole: Examination,
    ) -> Examination | None:
        """What is to be looked at after something that was found; None where that is void."""
        if whole.now is not None and known.same_commits(whole.now):
            nothing_since = replace(whole, settled=known, examined=known.left, commits=0)
            return None if known.awaited else nothing_since
        arrived = self._arrived(snapshot, plan, known) if known.awaited else known
        if arrived is None:
            return None
        since = self._catalog.since(
            snapshot, features, arrived.through, plan.key, arrived.own_through
        )
        if since.erasing or arrived.commits + since.commits != whole.commits:
            return None
        examined = since.rows + arrived.left
        return replace(whole, settled=arrived, examined=examined, commits=since.commits)

    def _arrived(self, snapshot: Snapshot, plan: FeaturePlan, known: Settled) -> Settled | None:
        """The same with the commits that wrote just what is awaited; None while any is missing."""
        records = total = 0
        for count, commit in enumerate(self._catalog.after(snapshot, plan.key, known.through), 1):
            if commit.operation != WRITE or commit.checksum is None:
                return None
            records += commit.processed
            total ^= commit.checksum
            if records >= known.awaited:
                if (records, total) != (known.awaited, known.checksum):
                    return None
                return replace(known, own_through=commit.id, commits=known.commits + count)
        return None

    def _checksum(self, plan: FeaturePlan, found: ir.Table) -> int:
        """Of the ids and the provenance of what is awaited, under this definition."""

        def query() -> ir.Table:
            awaited = found.filter(found[sc.STATUS].isin(AWAITED))
            return checksum(awaited, compare.processed_columns(plan), fingerprint(plan))

        key = ("awaited", plan, found.get_name(), found.schema())
        (row,) = self._backend.fetch(self._backend.sql(query, key)).to_pylist()
        return int(row[CHECKSUM])

    # ------------------------------------------------------------------ writing

    def _write(
        self,
        transaction: Transaction,
        plan: FeaturePlan,
        before: Settled | None,
        settled: Settled,
        found: ir.Table,
    ) -> None:
        known = self._known(transaction, plan)
        others = [
            before.at_once if before is not None and each.same_wait(before) else each
            for each in known
            if each.fingerprint == settled.fingerprint
        ]
        alike = [each for each in others if bool(each.awaited) == bool(settled.awaited)]
        if any(each.covers(settled) for each in alike):
            return
        others = [each for each in others if each not in alike]
        if settled.awaited:
            others = sorted(others, key=lambda each: each.commits)[-1:]
        else:
            others = [each for each in others if each.covers(settled)]
        self._replace_all(transaction, plan, [*others, settled])
        if settled.left:
            self._replace_left(
                transaction, plan, [each for each in others if each.left], settled, found
            )

    def _replace_left(
        self,
        transaction: Transaction,
        plan: FeaturePlan,
        others: Sequence[Settled],
        settled: Settled,
        found: ir.Table,
    ) -> None:
        """Keep the records that are left now, and those that others left which still count."""
        table, awaits = sc.left_table(plan.definition.table), bool(settled.awaited)
        left = _left_rows(plan, found, awaits=awaits)
        key: Hashable = ("left", plan.grain, awaits, found.get_name(), found.schema())
        known = transaction.table(table) if others else None
        if known is not None:
            kept = known.filter(known[sc.COMMIT].isin([each.through for each in others]))
            left = left.union(kept.select(*left.columns).cast(left.schema()))
            key = None
        sql = self._backend.sql(lambda: left, key)
        transaction.replace(table, with_numbers(sql, {SINCE: settled.through}))

    def _replace_all(
        self, transaction: Transaction, plan: FeaturePlan, settled: Sequence[Settled]
    ) -> None:
        staged = self._backend.stage("metaxy_unsettled", pa.table({"feature": [str(plan.key)]}))
        try:
            transaction.remove(SETTLED, staged, ["feature"])
        finally:
            self._backend.drop(staged)
        rows = [
            {
                "feature": str(plan.key),
                **asdict(each),
                "settled_at": dt.datetime.now(dt.UTC),
            }
            for each in settled
        ]
        self._tables.append(transaction, SETTLED, rows)


def _left_rows(plan: FeaturePlan, found: ir.Table, *, awaits: bool) -> ir.Table:
    left = found.filter(found[sc.STATUS].notin(AWAITED)) if awaits else found
    return left.select(*plan.grain, **{sc.COMMIT: number(SINCE)})
