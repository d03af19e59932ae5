"""Which commits a feature has, in five values: enough to tell whether something was done since."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class CommitSet:
    """The commits of a feature that may have changed what features downstream have to do.

    Compaction is none of them. A rebase is: records that waited for it may be processed now.

    Attributes:
        newest: the largest commit id, or None before the first.
        commits: how many there are; one that arrives late under a smaller id counts here.
        records: how many records they wrote, deleted or gave other versions, added up.
        first_at: when the earliest was made; another store has another time.
        last_at: when the latest was made.
    """

    newest: int | None = None
    commits: int = 0
    records: int = 0
    first_at: dt.datetime | None = None
    last_at: dt.datetime | None = None

    def continues(self, earlier: CommitSet) -> bool:
        """Whether these are the earlier commits, and perhaps more.

        They are not where the store was replaced by another or by an older state of itself.

        Args:
            earlier: what was known before.

        Example:
            >>> CommitSet().continues(CommitSet())
            True
            >>> CommitSet().continues(CommitSet(newest=3, commits=1, records=10))
            False
        """
        if self == earlier or not earlier.commits:
            return True
        return (
            self.first_at == earlier.first_at
            and self.commits > earlier.commits
            and self.records >= earlier.records
            and (self.newest or 0) >= (earlier.newest or 0)
        )
