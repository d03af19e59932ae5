"""Checks and maintenance are about features, and are told at the assets that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey, HasKey, HasSpec
from metaxy_dagster.errors import InvalidOptions, MissingFeature
from metaxy_dagster.feature_name import FeatureName, feature_name, named_feature
from metaxy_dagster.translator import MetaxyTranslator


@dataclass(frozen=True)
class Target:
    """A feature and the asset that holds it.

    Attributes:
        feature: the feature.
        asset_key: key of the asset.
        code_version: what Dagster takes for the code version of the asset.
        is_partitioned: whether the asset is known to have partitions.
    """

    feature: FeatureName
    asset_key: dg.AssetKey
    code_version: str
    is_partitioned: bool = False

    @property
    def is_external(self) -> bool:
        """Whether the feature is another project's, to be read only."""
        return self.feature.definition.external

    @property
    def name(self) -> str:
        """The asset's key as a part of a Dagster name."""
        return "_".join(self.asset_key.path).replace("-", "_")


def targets(given: Any, translator: MetaxyTranslator, by: str) -> tuple[Target, ...]:
    """The features and assets that an author means.

    Args:
        given: a class, key, selection text, asset or spec, or several; None for every feature of
            the active graph. Assets that hold no feature are passed over where there are others.
        translator: what the asset of a feature is called.
        by: who asks, for messages.

    Raises:
        MissingFeature: none of the assets names a feature.
        InvalidOptions: it is something else, or nothing at all.
        InvalidSelection: the text is no selection, or matches nothing.
    """
    items = _listed(given)
    found = {target.asset_key: target for each in items for target in _of(each, translator, by)}
    if not found:
        assets = [each for each in items if isinstance(each, dg.AssetsDefinition | dg.AssetSpec)]
        if assets:
            raise MissingFeature.from_asset(", ".join(_shown(each) for each in assets))
        raise InvalidOptions(
            f"{by} was given no feature at all ({given!r}); name features, a selection such as "
            f"'example/*', or assets."
        )
    return tuple(found.values())


def _listed(given: Any) -> list[Any]:
    if given is None:
        return [""]
    single = str | HasKey | FeatureKey | HasSpec | dg.AssetsDefinition | dg.AssetSpec
    return list(given) if isinstance(given, Iterable) and not isinstance(given, single) else [given]


def _of(each: Any, translator: MetaxyTranslator, by: str) -> Iterator[Target]:
    if isinstance(each, dg.AssetsDefinition):
        yield from _of_specs(each.specs)
    elif isinstance(each, dg.AssetSpec):
        yield from _of_specs([each])
    elif isinstance(each, str) and not isinstance(each, FeatureName):
        graph = FeatureGraph.active()
        for key in select(graph, *[each] if each else []):
            yield _of_feature(FeatureName(graph, key), translator)
    elif isinstance(each, FeatureName | FeatureKey | HasKey | HasSpec):
        yield _of_feature(feature_name(each, by), translator)
    else:
        raise InvalidOptions(
            f"{by} was given {each!r}, which is neither a feature, a selection, an asset nor a "
            f"spec; name the feature's class or key."
        )


def _of_feature(feature: FeatureName, translator: MetaxyTranslator) -> Target:
    return Target(feature, translator.asset_key(feature.definition), feature.versions.code)


def _of_specs(specs: Iterable[dg.AssetSpec]) -> Iterator[Target]:
    for spec in specs:
        feature = named_feature(spec.metadata, spec.key.to_user_string())
        if feature is not None:
            code = spec.code_version or feature.versions.code
            yield Target(feature, spec.key, code, spec.partitions_def is not None)


def _shown(asset: dg.AssetsDefinition | dg.AssetSpec) -> str:
    keys = [asset.key] if isinstance(asset, dg.AssetSpec) else asset.keys
    return ", ".join(sorted(key.to_user_string() for key in keys))
