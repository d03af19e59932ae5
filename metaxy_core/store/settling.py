"""What was compared stays compared: which commits a feature has nothing to learn from any more.

For each feature the store remembers up to which commit, its own and its deps', every record was
found up to date but for a few, and which these few are. A record that is none of them and that no
later commit touched still has no difference, so it need not be looked at again. What is remembered
holds for one fingerprint of all that decides about versions, and for a set of commits: it is kept
as the newest one and their number, which a commit that arrives late makes differ.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.engine.hashing import hash_text
from metaxy_core.engine.numbers import SINCE, number, with_numbers
from metaxy_core.errors import StoreError
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Backend, Snapshot, Transaction
from metaxy_core.store.catalog import Catalog
from metaxy_core.store.histories import History
from metaxy_core.store.layers import is_layered
from metaxy_core.store.tables import SETTLED, CatalogTables

if TYPE_CHECKING:
    import ibis.expr.types as ir


_log = logging.getLogger(__name__)


@dataclass
class Limits:
    """Where comparing the whole tables is better; measured by ``benchmarks``.

    Attributes:
        rows: with fewer rows than these, it is always.
        share: it is where so large a share of the rows is new, or of the records a candidate.
        left: the largest share of what was examined that is remembered record by record.
        before: rows that all were rewritten later are left out where there are so many of them.
    """

    rows: int = 30_000
    share: float = 0.4
    left: float = 1 / 32
    before: int = 30_000


LIMITS = Limits()


@dataclass(frozen=True)
class Settled:
    """What was found last.

    Attributes:
        fingerprint: what decided about versions then.
        through: the newest commit that was examined.
        commits: how many there were.
        left: how many records had a difference.
    """

    fingerprint: str
    through: int
    commits: int
    left: int

    def covers(self, other: Settled) -> bool:
        """Whether the same was found of as many commits or more."""
        alike = self.fingerprint == other.fingerprint
        return alike and self.through >= other.through and self.commits >= other.commits


@dataclass(frozen=True)
class Examination:
    """What a comparison has to look at.

    Attributes:
        settled: what was found last, and still counts; None where everything is to be compared.
        now: what can be remembered after it, but for the number of records left; None where the
            store keeps nothing.
        examined: how many rows it is about.
        commits: how many commits are examined.
        rows: how many rows there are.
        records: how many of them are the feature's own, or fewer records if some were rewritten.
    """

    settled: Settled | None
    now: Settled | None
    examined: int
    commits: int
    rows: int
    records: int

    @property
    def is_needless(self) -> bool:
        """Whether nothing was done since everything was up to date."""
        return self.settled is not None and not self.commits and not self.settled.left

    @property
    def is_whole(self) -> bool:
        """Whether all records are compared."""
        too_many = self.rows < LIMITS.rows or self.examined > LIMITS.share * self.rows
        return self.settled is None or too_many

    def outcome(self, left: int) -> Settled | None:
        """What is worth remembering after a number of records was left."""
        if self.now is None or not self.commits or left > LIMITS.left * self.examined:
            return None
        return Settled(self.now.fingerprint, self.now.through, self.now.commits, left)


UNKNOWN = Examination(settled=None, now=None, examined=0, commits=0, rows=0, records=0)
"""A comparison of which nothing is remembered."""


class SettledLog:
    """Reads and writes what is settled."""

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
        sizes = {"rows": rows, "records": records}
        if is_layered(snapshot) or not commits:
            return Examination(None, None, rows, commits, **sizes)
        newest = max(each.last.id for each in histories.values() if each.last is not None)
        now = Settled(fingerprint(plan), newest, commits, 0)
        settled = self._last(snapshot, plan)
        if settled is None or settled.fingerprint != now.fingerprint:
            return Examination(None, now, rows, commits, **sizes)
        if (settled.through, settled.commits) == (newest, commits):
            return Examination(settled, now, settled.left, 0, **sizes)
        since = self._catalog.since(snapshot, list(histories), settled.through)
        if since.erasing or settled.commits + since.commits != commits:
            return Examination(None, now, rows, commits, **sizes)
        return Examination(settled, now, since.rows + settled.left, since.commits, **sizes)

    def left(self, snapshot: Snapshot, plan: FeaturePlan) -> ir.Table | None:
        """The records that were left, of every settling that is remembered."""
        return snapshot.table(sc.left_table(plan.definition.table))

    def remember(self, plan: FeaturePlan, settled: Settled, left: ir.Table) -> None:
        """Keep what was found, if the store can be written just now.

        The answer that it is about was found already, so that no failure here may spoil it.

        Args:
            plan: the feature's plan.
            settled: what was found.
            left: grain columns of the records that were left, kept in the backend.
        """
        try:
            with self._backend.transaction(wait=False) as transaction:
                self._write(transaction, plan, settled, left)
        except StoreError as error:
            _log.debug("What is settled of '%s' is not remembered: %s", plan.key, error)
        except Exception:  # noqa: BLE001 - whatever it is, the answer is right
            _log.warning("What is settled of '%s' is not remembered", plan.key, exc_info=True)

    def _write(
        self, transaction: Transaction, plan: FeaturePlan, settled: Settled, left: ir.Table
    ) -> None:
        known = self._last(transaction, plan)
        if known is not None and known.covers(settled):
            return
        if known is not None:
            self._forget(transaction, plan)
        if settled.left:
            key = ("left", plan.grain, left.get_name(), left.schema())
            sql = self._backend.sql(lambda: _left_rows(plan, left), key)
            table = sc.left_table(plan.definition.table)
            transaction.replace(table, with_numbers(sql, {SINCE: settled.through}))
        row = {
            "feature": str(plan.key),
            "fingerprint": settled.fingerprint,
            "through": settled.through,
            "commits": settled.commits,
            "left": settled.left,
            "settled_at": dt.datetime.now(dt.UTC),
        }
        self._tables.append(transaction, SETTLED, [row])

    def _last(self, snapshot: Snapshot, plan: FeaturePlan) -> Settled | None:
        if not snapshot.has(SETTLED):
            return None
        name = str(plan.key)

        def query() -> ir.Table:
            settled = self._tables[SETTLED]
            return settled.filter(settled.feature == name)

        rows = self._tables.rows(snapshot, query, ("settled", name))
        if not rows:
            return None
        names = ("fingerprint", "through", "commits", "left")
        return Settled(*(rows[0][each] for each in names))

    def _forget(self, transaction: Transaction, plan: FeaturePlan) -> None:
        staged = self._backend.stage("metaxy_unsettled", pa.table({"feature": [str(plan.key)]}))
        try:
            transaction.remove(SETTLED, staged, ["feature"])
        finally:
            self._backend.drop(staged)


def fingerprint(plan: FeaturePlan) -> str:
    """All that decides which provenance a feature's records should have, but for the commits."""
    wiring = (plan.key, plan.id_columns, plan.grain, plan.expands, plan.fields, plan.deps)
    return f"{hash_text(repr(wiring)):016x}"


def _left_rows(plan: FeaturePlan, left: ir.Table) -> ir.Table:
    return left.select(*plan.grain, **{sc.COMMIT: number(SINCE)})
