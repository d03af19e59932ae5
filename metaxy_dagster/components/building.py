"""What a component's attributes mean together: the features it loads and the assets they get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self

import dagster as dg

from metaxy_core.errors import InvalidKey, UnknownFeature
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey
from metaxy_dagster.asset_specs import FeatureAsset, feature_of, specs_of
from metaxy_dagster.components.automation import IncrementPartitions, Sensor
from metaxy_dagster.components.compute import Compute
from metaxy_dagster.components.references import References
from metaxy_dagster.design import BATCH_SIZE
from metaxy_dagster.errors import InvalidComponent
from metaxy_dagster.feature_assets import load_feature_assets
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.metaxify import metaxify
from metaxy_dagster.modules import features_in
from metaxy_dagster.translator import MetaxyTranslator


@dataclass(frozen=True)
class ComponentBuild:
    """The assets of a component, and what its sensors, schedules and checks ask of them.

    Attributes:
        graph: the graph of the features.
        assets: all assets, upstream before downstream.
        computed: the features with functions.
        store_key: resource key of the store.
    """

    graph: FeatureGraph
    assets: Sequence[FeatureAsset]
    computed: Mapping[str, Sequence[Compute]]
    store_key: str

    @classmethod
    def of(
        cls,
        references: References,
        modules: Sequence[ModuleType],
        selection: str | None,
        computed: Mapping[str, Sequence[Compute]],
        translator: MetaxyTranslator,
        store_key: str,
        io_manager_key: str,
    ) -> Self:
        """Make the assets.

        Args:
            references: finds modules and functions.
            modules: of the features; without any they are those of the active graph.
            selection: narrows the features.
            computed: the functions of features.
            translator: what Dagster should call things.
            store_key: resource key of the store.
            io_manager_key: resource key of the IO manager.

        Raises:
            InvalidComponent: a function cannot be found, or is for a feature that is not loaded.
            AssetError: features, functions and options do not fit together.
        """
        graph = _graph(modules)
        keys: dict[str, Any] = {
            "store_key": store_key,
            "io_manager_key": io_manager_key,
            "translator": translator,
        }
        holder = ModuleType("compute")
        holder.assets = [  # type: ignore[attr-defined]
            metaxify(_feature(graph, feature), **_options(references, feature, each), **keys)(
                references.function(f"compute.{feature}", each.function)
            )
            for feature, several in computed.items()
            for each in several
        ]
        source, further = (modules[0], modules[1:]) if modules else (graph, [])
        loaded = load_feature_assets(source, *further, holder, selection=selection, **keys)
        build = cls(graph, loaded, computed, store_key)
        build._check_computed()
        return build

    def specs(self, attribute: str, terms: str | Sequence[str] | None) -> list[dg.AssetSpec]:
        """The specs of the features that a selection names, as far as this component has them.

        Args:
            attribute: where it is said, for messages.
            terms: the selection; None means all.

        Raises:
            InvalidSelection: it cannot be read, or nothing in the graph matches it.
            UnknownFeature: the graph does not hold a feature.
            InvalidComponent: its features are not among those that the component loads.
        """
        words = [terms] if isinstance(terms, str) else list(terms or [])
        wanted = set(select(self.graph, *words))
        found = [
            spec
            for asset in self.assets
            for spec in specs_of(asset)
            if (name := feature_of(spec)) is not None and name.key in wanted
        ]
        if not found:
            raise InvalidComponent.from_no_feature(attribute, " ".join(words), self._features)
        return found

    def sensors(self, said: Sequence[Sensor]) -> list[dg.SensorDefinition]:
        """The sensors that are said, and one for each batched feature that is not."""
        found: list[dg.SensorDefinition] = []
        listed: set[FeatureKey] = set()
        for each in said:
            if each.upstream_change is not None:
                found.append(each.upstream_change.sensor(self.specs, self.store_key))
            if each.increment_partitions is not None:
                listed.add(FeatureKey(each.increment_partitions.feature))
                found += self._partitions(each.increment_partitions)
        for feature, several in self.computed.items():
            batched = any(each.batch_size is not None for each in several)
            if batched and FeatureKey(feature) not in listed:
                found += self._partitions(IncrementPartitions(feature))
        return found

    def _partitions(self, said: IncrementPartitions) -> list[dg.SensorDefinition]:
        attribute = "sensors.increment_partitions.feature"
        keys = {spec.key for spec in self.specs(attribute, said.feature)}
        assets = [
            asset
            for asset in self.assets
            if isinstance(asset, dg.AssetsDefinition) and keys & _batched(asset)
        ]
        if not assets:
            wanted = "a feature that is computed here with batch_size"
            raise InvalidComponent.from_attribute(attribute, said.feature, wanted)
        return [said.sensor(asset, self.store_key) for asset in assets]

    @property
    def _features(self) -> list[str]:
        names = [feature_of(spec) for asset in self.assets for spec in specs_of(asset)]
        return sorted({str(name) for name in names if name is not None})

    def _check_computed(self) -> None:
        loaded = self._features
        for feature in self.computed:
            if str(FeatureKey(feature)) not in loaded:
                raise InvalidComponent.from_no_feature("compute", feature, loaded)


def _batched(asset: dg.AssetsDefinition) -> set[dg.AssetKey]:
    """The keys that an asset computes in batches; others may feed the same feature otherwise."""
    return {spec.key for spec in asset.specs if BATCH_SIZE in spec.metadata}


def _graph(modules: Sequence[ModuleType]) -> FeatureGraph:
    features = features_in(modules)
    return features[0].graph if features else FeatureGraph.active()


def _feature(graph: FeatureGraph, feature: str) -> FeatureName:
    try:
        return FeatureName(graph, graph[feature].key)
    except (UnknownFeature, InvalidKey) as error:
        known = [str(definition.key) for definition in graph]
        raise InvalidComponent.from_no_feature("compute", feature, known) from error


def _options(references: References, feature: str, said: Compute) -> dict[str, Any]:
    options = said.options
    if said.samples is not None:
        attribute = f"compute.{feature}.samples"
        options["samples"] = references.function(attribute, said.samples)
    return options
