"""Options of assets, sensors, checks and maintenance that cannot be meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from metaxy_core.errors.base import shown
from metaxy_dagster.errors.assets import AssetError, quoted


class InvalidOptions(AssetError):
    """Arguments that do not fit each other, or what they are about."""

    @classmethod
    def from_argument(cls, call: str, name: str, value: object, wanted: str) -> Self:
        """An argument has no meaning.

        Args:
            call: which asset or function was given it.
            name: of the argument.
            value: what was given.
            wanted: what to give instead.
        """
        return cls(f"{call} has {name}={shown(value)}; give {wanted}.")

    @classmethod
    def from_secret(cls, call: str, name: str) -> Self:
        """A setting that Dagster would show holds a secret."""
        return cls(
            f"{call} has a secret in {name}, which Dagster would show to everybody; put it into an "
            f"environment variable and write ${{NAME}}."
        )

    @classmethod
    def from_nothing(cls, call: str, wanted: str) -> Self:
        """No feature was given."""
        return cls(f"{call} was given no feature; say {wanted}.")

    @classmethod
    def from_partitions(cls, asset: str, made: object) -> Self:
        """An asset would be partitioned twice."""
        return cls(
            f"Asset {asset!r} has partitions_def=, and buckets= or batch_size= make partitions too "
            f"({shown(made)}); keep one."
        )

    @classmethod
    def from_backfill_policy(cls, asset: str, policy: object) -> Self:
        """A run would have several partitions that stand for other records each."""
        return cls(
            f"Asset {asset!r} has backfill_policy={policy!r}, and a run of buckets= or batch_size= "
            f"handles one partition; drop backfill_policy=, or buckets= to compute all in one run."
        )

    @classmethod
    def from_no_partition(cls, asset: str) -> Self:
        """A run does not say which partition it is about, or names several."""
        return cls(
            f"A run of asset {asset!r} handles one partition, and this one has none or several; "
            f"launch it for a partition. A sensor or schedule is told so by partition_keys=[...]; "
            f"batches are launched by increment_partitions_sensor."
        )

    @classmethod
    def from_graphs(cls, call: str, first: object, second: object) -> Self:
        """Features do not belong together."""
        return cls(
            f"{call} was given {str(first)!r} and {str(second)!r}, which are of two graphs; call "
            f"it for each graph."
        )


class InvalidAutomation(InvalidOptions):
    """A sensor, schedule or source that has nothing to watch or to run."""

    @classmethod
    def from_roots(cls, call: str, roots: Sequence[object]) -> Self:
        """Nothing is upstream of what was given."""
        return cls(
            f"{call} finds nothing upstream of {quoted(roots)}. Watch commits of the feature "
            f"itself with features=, or what arrives from outside with observable_samples."
        )

    @classmethod
    def from_leaves(cls, call: str, leaves: Sequence[object]) -> Self:
        """Nothing is downstream of what was given."""
        return cls(
            f"{call} finds nothing downstream of {quoted(leaves)} to run; give target= a job or "
            f"an asset selection."
        )

    @classmethod
    def from_partitioned(cls, call: str, features: Sequence[object]) -> Self:
        """What is to be run has partitions, and it is not said which."""
        return cls(
            f"{call} finds no asset of {quoted(features)} that can be run without a partition. Say "
            f"which ones with partition_keys=[...]; an asset with batch_size= is run by "
            f"increment_partitions_sensor."
        )


class InvalidCheck(InvalidOptions):
    """A choice of ``feature_checks`` that does not fit the features."""

    @classmethod
    def from_unknown(cls, call: str, option: str, value: object, known: Sequence[str]) -> Self:
        """An option names a check, or a severity, that there is not."""
        return cls(f"{call} has {option}={shown(value)}; choose among {', '.join(known)}.")

    @classmethod
    def from_reasons(cls, check: str, reasons: Mapping[str, str]) -> Self:
        """A check that was asked for says nothing of any of the features."""
        why = "; ".join(f"{feature!r}: {reason}" for feature, reason in reasons.items())
        return cls(
            f"feature_checks was asked for {check!r}, which cannot be told ({why}). Leave it out, "
            f"or give what it needs."
        )
