"""What was compared stays compared: which commits a feature has nothing to learn from any more.

For each feature the store remembers up to which commit, its own and its deps', every record was
found up to date but for a few, and which these few are. A record that is none of them and that no
later commit touched still has no difference, so it need not be looked at again. Where many had one,
it is remembered what would settle them: that just these records are written. What is remembered
holds for one fingerprint of all that decides about versions, and for a set of commits: it is kept
as the newest one and their number, which a commit that arrives late makes differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from metaxy_core.engine import compare
from metaxy_core.engine.hashing import hash_text
from metaxy_core.graph.plan import FeaturePlan


@dataclass
class Limits:
    """Where comparing the whole tables is better; measured by ``benchmarks``.

    Attributes:
        rows: with fewer rows than these, it is always.
        share: it is where a larger share of the rows is new.
        candidates: it is where a larger share of the records is a candidate.
        left: the largest share of what was examined that is remembered record by record.
        awaiting: what would settle records is remembered where a larger share of rows was examined.
        before: rows that all were rewritten later are left out where there are so many of them.
    """

    rows: int = 30_000
    share: float = 0.2
    candidates: float = 0.5
    left: float = 1 / 32
    awaiting: float = 1 / 32
    before: int = 30_000


LIMITS = Limits()


@dataclass(frozen=True)
class Settled:
    """What was found last.

    Attributes:
        fingerprint: what decided about versions then.
        through: the newest commit that was examined.
        own_through: the newest one of the feature's own, which is later if it wrote what was
            awaited.
        commits: how many there were.
        left: how many records had a difference, but for those that are awaited.
        awaited: how many records were new or stale, and nothing is settled before all of them are
            written; 0 where it is.
        checksum: of their ids and provenance, as ``row_hashes.checksum`` gives it.
    """

    fingerprint: str
    through: int
    own_through: int
    commits: int
    left: int = 0
    awaited: int = 0
    checksum: int = 0

    @property
    def at_once(self) -> Settled:
        """The same, after what was awaited has come."""
        return replace(self, awaited=0, checksum=0)

    def same_commits(self, other: Settled) -> bool:
        """Whether it is about the commits that another one examined."""
        newest = max(self.through, self.own_through)
        return (newest, self.commits) == (other.through, other.commits)

    def same_wait(self, other: Settled) -> bool:
        """Whether it waits for the same."""
        waits = (self.through, self.awaited, self.checksum)
        return self.awaited > 0 and waits == (other.through, other.awaited, other.checksum)

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
        is_awaited: whether it is known already what would settle it.
    """

    settled: Settled | None
    now: Settled | None
    examined: int
    commits: int
    rows: int
    records: int
    is_awaited: bool = False

    @property
    def is_needless(self) -> bool:
        """Whether nothing was done since everything was up to date."""
        return self.settled is not None and not self.commits and not self.settled.left

    @property
    def is_whole(self) -> bool:
        """Whether all records are compared."""
        too_many = self.rows < LIMITS.rows or self.examined > LIMITS.share * self.rows
        return self.settled is None or too_many

    def outcome(self, found: Mapping[int, int]) -> Settled | None:
        """What is worth remembering.

        Args:
            found: how many records have each status.
        """
        arrived = self.settled is not None and self.settled.awaited > 0
        if self.now is None or not (self.commits or arrived):
            return None  # nothing was learnt
        known = 0 if self.settled is None else self.settled.left
        left, few = sum(found.values()), LIMITS.left * self.examined + known
        if left <= few:
            return replace(self.now, left=left)
        awaited = sum(found.get(status, 0) for status in AWAITED)
        is_cheap = self.rows < LIMITS.rows or self.examined <= LIMITS.awaiting * self.rows
        if is_cheap or self.is_awaited or left - awaited > few:
            return None  # to look again costs less than to remember
        return replace(self.now, left=left - awaited, awaited=awaited)


AWAITED: Final = (compare.NEW, compare.STALE)
"""The records that somebody is going to write, in all likelihood."""

UNKNOWN: Final = Examination(settled=None, now=None, examined=0, commits=0, rows=0, records=0)
"""A comparison of which nothing is remembered."""


def fingerprint(plan: FeaturePlan) -> str:
    """All that decides which provenance a feature's records should have, but for the commits."""
    wiring = (plan.key, plan.id_columns, plan.grain, plan.expands, plan.fields, plan.deps)
    return f"{hash_text(repr(wiring)):016x}"
