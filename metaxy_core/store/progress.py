"""The progress of a feature is the share of its expected records that are up to date."""

from __future__ import annotations

from dataclasses import dataclass

from metaxy_core.keys import FeatureKey


@dataclass(frozen=True)
class Progress:
    """How far a feature is, in pieces of work: records, or the parents of an expansion.

    Attributes:
        feature: the feature.
        expected: how many there should be.
        up_to_date: how many of these are stored and computed from the current versions.
        new: how many are to be computed for the first time.
        stale: how many are to be computed again.
        blocked: how many wait until something upstream is recomputed.
        failing: how many are new or stale and failed at least once at their present provenance.
        orphaned: how many are stored and no longer expected.
    """

    feature: FeatureKey
    expected: int
    up_to_date: int
    new: int
    stale: int
    blocked: int
    failing: int
    orphaned: int

    @property
    def share(self) -> float:
        """The share of the expected records that are up to date, from 0 to 1; 1 where none are."""
        return self.up_to_date / self.expected if self.expected else 1.0
