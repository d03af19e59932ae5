"""Assets and specs are looked at alike: by their specs, and by the features that these name."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from metaxy_dagster.feature_name import FeatureName, named_feature

FeatureAsset = dg.AssetsDefinition | dg.AssetSpec


def specs_of(asset: FeatureAsset) -> Sequence[dg.AssetSpec]:
    """The specs of an asset, or the spec itself."""
    return [asset] if isinstance(asset, dg.AssetSpec) else list(asset.specs)


def title_of(asset: FeatureAsset) -> str:
    """The keys of an asset, for messages."""
    return ", ".join(sorted(spec.key.to_user_string() for spec in specs_of(asset)))


def feature_of(spec: dg.AssetSpec) -> FeatureName | None:
    """The feature that a spec's metadata names, or None."""
    return named_feature(spec.metadata, spec.key.to_user_string())
