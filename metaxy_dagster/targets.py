"""Checks and maintenance are about features, and are told at the assets that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaxy_dagster.chosen import Chosen
from metaxy_dagster.feature_name import FeatureName, plain_value
from metaxy_dagster.naming import dagster_name, op_name
from metaxy_dagster.slices import WHERE, WHOLE, Slice, slice_where
from metaxy_dagster.translator import MetaxyTranslator

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True)
class Target:
    """A feature and the asset that holds it, or a slice of it.

    Attributes:
        feature: the feature.
        asset_key: key of the asset.
        code_version: what Dagster takes for the code version of the asset.
        is_partitioned: whether the asset is known to have partitions.
        part: which of the feature's records the asset holds.
    """

    feature: FeatureName
    asset_key: dg.AssetKey
    code_version: str
    is_partitioned: bool = False
    part: Slice = WHOLE

    @property
    def name(self) -> str:
        """The asset's key as a part of a Dagster name, which no other asset's key has."""
        return dagster_name(op_name(self.asset_key))


def targets_of(chosen: Chosen, translator: MetaxyTranslator | None) -> tuple[Target, ...]:
    """The assets of some features: those that were given, or else the ones of a translator's key.

    Args:
        chosen: the features.
        translator: what the asset of a feature is called.
    """
    names = translator or MetaxyTranslator()
    return tuple(
        target
        for feature in chosen.features
        for target in _given(feature, chosen) or [_by_key(feature, names)]
    )


def _given(feature: FeatureName, chosen: Chosen) -> list[Target]:
    specs = {spec.key: spec for spec in chosen.specs.get(feature.key, ())}
    return [
        Target(
            feature,
            spec.key,
            spec.code_version or feature.versions.code,
            is_partitioned=spec.partitions_def is not None,
            part=slice_where(feature, plain_value(spec.metadata, WHERE)),
        )
        for spec in specs.values()
    ]


def _by_key(feature: FeatureName, translator: MetaxyTranslator) -> Target:
    return Target(feature, translator.asset_key(feature.definition), feature.versions.code)
