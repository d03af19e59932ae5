"""A partition of an asset stands for some of its feature's records; here it is told which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import dagster as dg

from metaxy_core.specs.bucket import Bucket
from metaxy_core.store.base import MetadataStore
from metaxy_dagster.errors import InvalidOptions
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.naming import op_name
from metaxy_dagster.options import Settings

SETTLED: Final = "settled"
"""The partition that stays where those of batches go; it stands for all that is in none of them."""


class Partitions(Protocol):
    """How an asset's records are divided into partitions."""

    @property
    def definition(self) -> dg.PartitionsDefinition[str]:
        """The partitions, as Dagster knows them."""

    @property
    def lasting(self) -> str | None:
        """The partition that tells of the whole feature, where the others do not last."""

    def members(self, key: str, feature: FeatureName, store: MetadataStore) -> Any:
        """The records of a partition, as ``resolve_update(among=...)`` takes them; None for all."""

    def planned_elsewhere(self, key: str, feature: FeatureName, store: MetadataStore) -> Any:
        """The ids of those records that another partition has; None for none."""


@dataclass(frozen=True)
class Buckets:
    """Static partitions, one for each bucket that the hash of a record's id may fall into.

    Attributes:
        count: how many there are.
    """

    count: int

    @property
    def definition(self) -> dg.PartitionsDefinition[str]:
        """Partitions named by their numbers, with zeros before, so that they sort."""
        digits = len(str(self.count - 1))
        return dg.StaticPartitionsDefinition([f"{n:0{digits}}" for n in range(self.count)])

    @property
    def lasting(self) -> None:
        """None: all of them last."""

    def members(self, key: str, feature: FeatureName, store: MetadataStore) -> Bucket:
        """The bucket of a partition."""
        del feature, store
        return Bucket(int(key), of=self.count)

    def planned_elsewhere(self, key: str, feature: FeatureName, store: MetadataStore) -> None:
        """None: a record is in one bucket."""


@dataclass(frozen=True)
class Batches:
    """Dynamic partitions, one for each batch of records that a sensor planned, and one that stays.

    Attributes:
        name: name of the partitions; no other asset's have it.
    """

    name: str

    @property
    def definition(self) -> dg.DynamicPartitionsDefinition:
        """The partitions, which come and go."""
        return dg.DynamicPartitionsDefinition(name=self.name)

    @property
    def plan(self) -> str:
        """Name of the plan, in the store, that holds the batches."""
        return f"partitions {self.name}"

    @property
    def lasting(self) -> str:
        """The partition that stays."""
        return SETTLED

    def members(self, key: str, feature: FeatureName, store: MetadataStore) -> Any:
        """The ids of a partition's records; None for the one that stays.

        Raises:
            UnknownBatch: the batch is done and forgotten.
        """
        return None if key == SETTLED else store.planned_ids(feature, self.plan, key)

    def planned_elsewhere(self, key: str, feature: FeatureName, store: MetadataStore) -> Any:
        """The ids of all batches, which the partition that stays leaves alone."""
        if key != SETTLED:
            return None
        planned = store.planned_ids(feature, self.plan)
        return planned if planned.height else None


def asset_partitions(
    feature: FeatureName, asset: dg.AssetKey, settings: Settings
) -> Partitions | None:
    """How the records of an asset are divided; None where they are not.

    Args:
        feature: the feature.
        asset: key of the asset.
        settings: what ``metaxify`` was told.

    Raises:
        InvalidOptions: it was told what cannot be done, or not together.
    """
    if settings.batch_size is None:
        return None if settings.buckets is None else Buckets(settings.buckets)
    _check_batches(feature, settings)
    return Batches(f"{op_name(asset)}__batches")


def _check_batches(feature: FeatureName, settings: Settings) -> None:
    asset = f"Asset {str(feature)!r} has batch_size="
    for option in ("buckets", "chunk_size"):
        if getattr(settings, option) is not None:
            raise InvalidOptions(
                f"{asset} and {option}=, and both say how its increment is divided; keep one."
            )
    if feature.plan.is_root:
        raise InvalidOptions(
            f"{asset}, but its feature is a root: the sensor that plans batches does not know the "
            f"samples. Drop batch_size=; buckets= divides a root's samples."
        )
    if settings.limit is not None:
        raise InvalidOptions(
            f"{asset} and limit=, but what a run leaves of its batch is in no other one, and "
            f"nobody would ask for it; drop limit=, and make batch_size= smaller."
        )
    if settings.orphans == "delete":
        raise InvalidOptions(
            f"{asset} and orphans='delete', but a batch holds new and stale records only; delete "
            f"orphans apart from it, with store.delete(feature, increment.orphaned)."
        )
