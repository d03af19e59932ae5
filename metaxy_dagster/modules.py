"""What a module or package holds: the features in it and the assets made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType

import dagster as dg

from metaxy_core.feature import Feature
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey
from metaxy_dagster.errors import NoFeatures
from metaxy_dagster.feature_name import FeatureName


def with_submodules(module: ModuleType) -> list[ModuleType]:
    """A module, and all modules of a package, imported."""
    if not hasattr(module, "__path__"):
        return [module]
    names = [found.name for found in walk_packages(module.__path__, f"{module.__name__}.")]
    return [module, *(import_module(name) for name in names)]


def features_in(modules: Iterable[ModuleType]) -> list[FeatureName]:
    """The features that modules and packages define or import, upstream before downstream.

    Raises:
        NoFeatures: they are of several graphs.
    """
    found: dict[FeatureKey, FeatureGraph] = {}
    for value in _values(modules):
        if isinstance(value, type) and issubclass(value, Feature) and "graph" in vars(value):
            found[value.spec.key] = value.graph
    graphs = {id(graph): graph for graph in found.values()}
    if len(graphs) > 1:
        raise NoFeatures.from_graphs(sorted(map(str, found)))
    return [
        FeatureName(graph, definition.key)
        for graph in graphs.values()
        for definition in graph
        if definition.key in found
    ]


def assets_in(modules: Iterable[ModuleType]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The assets and specs that modules and packages hold, each once; those in lists too."""
    found: dict[int, dg.AssetsDefinition | dg.AssetSpec] = {}
    for value in _values(modules):
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, dg.AssetsDefinition | dg.AssetSpec):
                found[id(item)] = item
    return list(found.values())


def _values(modules: Iterable[ModuleType]) -> Sequence[object]:
    every = [each for module in modules for each in with_submodules(module)]
    return [value for module in every for value in vars(module).values()]
