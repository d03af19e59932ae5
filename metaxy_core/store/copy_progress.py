"""How far a copy is, and what it did in the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from metaxy_core.keys import FeatureKey


@dataclass(frozen=True)
class CopiedFeature:
    """What one call copied of a feature.

    Attributes:
        feature: the feature.
        commits: how many commits came.
        rows: how many rows they brought.
        already: how many commits had come before.
    """

    feature: FeatureKey
    commits: int
    rows: int
    already: int


@dataclass(frozen=True)
class CopyProgress:
    """How far a copy is.

    Attributes:
        commits: how many commits of the source were copied.
        of: how many there are to copy, as far as is known.
        rows: how many rows were copied, those of a commit that is not complete too.
    """

    commits: int
    of: int
    rows: int


@dataclass
class Tally:
    """What one call did up to now.

    Attributes:
        of: how many commits of the source it has found to copy.
        steps: how many of them it has copied.
        rows: how many rows, those of a commit that is not complete too.
        commits: how many commits of each feature.
        rows_of: how many rows of each feature.
        already: how many commits of each feature had come before the call.
    """

    of: int = 0
    steps: int = 0
    rows: int = 0
    commits: dict[FeatureKey, int] = field(default_factory=dict)
    rows_of: dict[FeatureKey, int] = field(default_factory=dict)
    already: dict[FeatureKey, int] = field(default_factory=dict)

    @property
    def progress(self) -> CopyProgress:
        """How far the call is."""
        return CopyProgress(self.steps, self.of, self.rows)

    def add(self, rows: Mapping[FeatureKey, int]) -> None:
        """Count a commit of the source, with the rows of each feature that it changed."""
        self.steps += 1
        for feature, count in rows.items():
            self.commits[feature] = self.commits.get(feature, 0) + 1
            self.rows_of[feature] = self.rows_of.get(feature, 0) + count

    def expected(self, feature: FeatureKey) -> int:
        """How many commits a feature should have by now."""
        return self.already[feature] + self.commits.get(feature, 0)

    def of_features(self, features: Iterable[FeatureKey]) -> tuple[CopiedFeature, ...]:
        """What was done for each feature."""
        return tuple(
            CopiedFeature(
                feature,
                self.commits.get(feature, 0),
                self.rows_of.get(feature, 0),
                self.already.get(feature, 0),
            )
            for feature in features
        )
