"""Dagster keeps text in metadata, a store wants to know the graph: a feature's name is both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

import dagster as dg

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import InvalidKey, UnknownFeature
from metaxy_core.feature import locate
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.graph.versions import FeatureVersions
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.feature import FeatureSpec
from metaxy_dagster.errors import UnknownAssetFeature

FEATURE: Final = "metaxy/feature"
_LONGEST_TAG: Final = 63


class FeatureName(str):
    """The text of a feature's key that remembers in which graph the feature stands.

    It can be given to a store wherever a feature is named, and to Dagster wherever text is.

    Attributes:
        graph: the graph.
        key: the feature's key.
    """

    __slots__ = ("graph", "key")
    graph: FeatureGraph
    key: FeatureKey

    def __new__(cls, graph: FeatureGraph, key: FeatureKey) -> Self:
        """The name of a feature of a graph."""
        name = super().__new__(cls, str(key))
        name.graph, name.key = graph, key
        return name

    @property
    def definition(self) -> FeatureDefinition:
        """The feature as its graph knows it now."""
        return self.graph[self.key]

    @property
    def spec(self) -> FeatureSpec:
        """What the feature's author declared."""
        return self.definition.spec

    @property
    def plan(self) -> FeaturePlan:
        """The feature's wiring."""
        return self.graph.plan(self.key)

    @property
    def versions(self) -> FeatureVersions:
        """The feature's static versions."""
        return self.graph.versions[self.key]

    @property
    def upstream(self) -> list[FeatureName]:
        """The features that this one depends on, in the order of its deps."""
        return [self.other(dep.feature) for dep in self.plan.deps]

    def other(self, key: FeatureKey) -> FeatureName:
        """Another feature of the same graph."""
        return FeatureName(self.graph, key)


def feature_name(feature: Any, asset: str) -> FeatureName:
    """The name of a class, key or text, looked up where it was defined or in the active graph.

    Args:
        feature: what an author wrote.
        asset: the asset that it stands at, for the message.

    Raises:
        UnknownAssetFeature: there is no such feature.
    """
    if isinstance(feature, FeatureName):
        return feature
    if isinstance(feature, dg.TextMetadataValue):
        return feature_name(feature.text, asset)
    try:
        return FeatureName(*locate(feature))
    except (UnknownFeature, InvalidKey) as error:
        raise UnknownAssetFeature.from_reason(asset, error) from error


def plain_value(metadata: Mapping[str, Any], name: str) -> Any:
    """What stands in metadata under a name, out of Dagster's wrapping; None where nothing does."""
    value = metadata.get(name)
    return value.value if isinstance(value, dg.MetadataValue) else value


def named_feature(metadata: Mapping[str, Any], asset: str) -> FeatureName | None:
    """The feature that an asset's metadata names, or None."""
    feature = metadata.get(FEATURE)
    return None if feature is None else feature_name(feature, asset)


def feature_tag(key: FeatureKey) -> str | None:
    """The value of the tag ``metaxy/feature`` of a feature's assets; None for a key too long."""
    text = ".".join(key.parts)
    return text if len(text) <= _LONGEST_TAG else None
