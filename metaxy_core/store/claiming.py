"""Resolving with a claim: two runs at once are never given the same record.

The comparison is made from a snapshot, which keeps nobody waiting. Then one write transaction, of
which a store has one at a time, looks at what it found: records that others hold, or that were
written since, are not given, and the first of the others are claimed. Between two claims nothing
can happen that the later one does not see, so that it is as if the comparison were made there too.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from metaxy_core import system_columns as sc
from metaxy_core.engine import compare
from metaxy_core.engine.claims import SINCE_SEEN, first, held_by_others, open_to, reduced
from metaxy_core.engine.numbers import with_numbers
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.specs.bucket import Bucket
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.claim_log import ClaimLog, LoggedClaim, numbers_of
from metaxy_core.store.claims import Claim
from metaxy_core.store.increment import Increment
from metaxy_core.store.parts import Parts
from metaxy_core.store.resolving import Resolution, Wanted

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

_GOOD_AS_NEW: Final = 0.9
"""A claim that so much of its time is left of is not made anew."""


@dataclass(frozen=True)
class Share:
    """What a run may take.

    Attributes:
        ids: of the records, integers as wide as they can be.
        held: how many records others hold.
        owned: the claim under which the owner holds all of them already, if it does.
    """

    ids: pa.Table
    held: int
    owned: LoggedClaim | None = None


class Claiming:
    """One comparison of a feature, whose new and stale records are claimed."""

    def __init__(
        self, graph: FeatureGraph, plan: FeaturePlan, parts: Parts, wanted: Wanted, claim: Claim
    ) -> None:
        self._resolution = Resolution(graph, plan, parts, replace(wanted, limit=None))
        self._plan = plan
        self._limit = wanted.limit
        self._claim = claim
        self._backend = parts.backend
        self._catalog = parts.catalog
        self._log = ClaimLog(parts)

    def increment(
        self, samples: pa.Table | None, among: pa.Table | Bucket | None = None
    ) -> Increment:
        """What differs and may be taken; it is claimed.

        Args:
            samples: of a root, with the canonical text of each field; None for other features.
            among: the ids or the bucket of the records that are compared; None for all.

        Raises:
            ReadOnlyStore: the store was opened for reading.
        """
        self._backend.check_writable()
        with self._backend.snapshot() as snapshot:
            seen = self._catalog.newest(snapshot)
        whole = self._resolution.increment(samples, among)
        if not whole.counts.to_process:
            return whole
        share = self._taken(whole.kept, seen)
        if share.ids.num_rows == whole.counts.to_process:
            return whole
        return self._reduced(whole, share)

    # ------------------------------------------------------------------ details

    def _taken(self, rows: ir.Table, seen: int) -> Share:
        """What of an increment's rows is claimed now."""
        with self._backend.snapshot() as snapshot:  # where nothing is to be written, nobody waits
            if self._log.claims(snapshot):
                moment = self._claim.moment
                share = self._share(snapshot, rows, seen, moment)
                if not share.ids.num_rows or self._lasts(share.owned, moment):
                    return share
        with self._backend.transaction() as transaction:
            moment = self._claim.moment
            share = self._share(transaction, rows, seen, moment)
            if share.owned is not None:
                self._log.extend(transaction, [share.owned], self._claim.ends(moment))
            elif share.ids.num_rows:
                taken = LoggedClaim(
                    claim=uuid.uuid4().hex,
                    owner=self._claim.owner,
                    feature=str(self._plan.key),
                    work=_work_table(self._plan),
                    since=self._catalog.newest(transaction),
                    claimed_at=moment,
                    expires_at=self._claim.ends(moment),
                )
                self._log.take(transaction, taken, share.ids)
        return share

    def _lasts(self, owned: LoggedClaim | None, moment: dt.datetime) -> bool:
        """Whether a claim that the owner has is as good as a new one."""
        if owned is None:
            return False
        left = (owned.expires_at - moment).total_seconds()
        return left >= _GOOD_AS_NEW * self._claim.seconds

    def _share(self, snapshot: Snapshot, rows: ir.Table, seen: int, moment: dt.datetime) -> Share:
        """What of an increment's rows the owner may take just now."""
        plan, owner, limit = self._plan, self._claim.owner, self._limit
        claims = [
            each
            for each in self._log.claims(snapshot)
            if each.feature == str(plan.key) and (each.owner == owner or each.holds(moment))
        ]
        own = [each.owner == owner for each in claims]
        work = snapshot.table(_work_table(plan))
        with self._log.held(snapshot, claims, **{sc.OWN: own}) as held:
            key = (plan, rows.op(), held and held.key, None if work is None else work.op())
            numbers = {SINCE_SEEN: seen, **numbers_of(claims)}

            def found() -> ir.Table:
                return open_to(rows, plan.grain, held, work)

            def fetched(build: Callable[[], ir.Table], *what: Hashable) -> pa.Table:
                return snapshot.fetch(with_numbers(self._backend.sql(build, (*what, key)), numbers))

            taken = fetched(lambda: first(found(), plan.grain, limit), "share", limit)
            others = 0
            if not all(own):
                counted = fetched(lambda: held_by_others(found()), "held by others")
                others = counted["records"][0].as_py()
        owned = None
        if taken.num_rows and pc.all(taken[sc.OWN]).as_py():
            (owned,) = (each for each in claims if each.owner == owner)
        return Share(taken.drop_columns(sc.OWN), others, owned)

    def _reduced(self, whole: Increment, share: Share) -> Increment:
        """The increment of what was taken."""
        rows = whole.kept
        staged = self._backend.stage("metaxy_taken", share.ids)
        try:
            key = ("taken", self._plan, rows.get_name(), rows.schema(), staged.schema())
            sql = self._backend.sql(lambda: reduced(rows, self._plan.grain, staged), key)
            with self._backend.snapshot() as snapshot:
                kept = snapshot.keep(sql)
        finally:
            self._backend.drop(staged)
        counted = self._backend.sql(lambda: compare.counted(kept), ("counted", kept.get_name()))
        tally = {row[sc.STATUS]: row["records"] for row in self._backend.fetch(counted).to_pylist()}
        new, stale = (tally.get(kind, 0) for kind in (compare.NEW, compare.STALE))
        return whole.reduced(kept, replace(whole.counts, new=new, stale=stale), share.held)


def _work_table(plan: FeaturePlan) -> str:
    """The table in which it is written what was processed."""
    table = plan.definition.table
    return sc.parents_table(table) if plan.expands else table
