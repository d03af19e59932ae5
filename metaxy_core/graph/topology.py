"""Order and reachability over definitions, kept apart because they know nothing but keys."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import FeatureCycle
from metaxy_core.keys import FeatureKey

Edges = Mapping[FeatureKey, tuple[FeatureKey, ...]]


def parents(definitions: Mapping[FeatureKey, FeatureDefinition]) -> Edges:
    """For each feature, the known features it depends on."""
    return {
        key: tuple(dep.feature for dep in definition.spec.deps if dep.feature in definitions)
        for key, definition in definitions.items()
    }


def children(definitions: Mapping[FeatureKey, FeatureDefinition]) -> Edges:
    """For each feature, the features that depend on it."""
    found: dict[FeatureKey, list[FeatureKey]] = {key: [] for key in definitions}
    for key, above in parents(definitions).items():
        for parent in above:
            found[parent].append(key)
    return {key: tuple(below) for key, below in found.items()}


def ordered(definitions: Mapping[FeatureKey, FeatureDefinition]) -> tuple[FeatureKey, ...]:
    """Keys with upstream before downstream; ties in order of definition.

    Raises:
        FeatureCycle: features depend on each other in a circle.
    """
    try:
        return tuple(TopologicalSorter(parents(definitions)).static_order())
    except CycleError as error:
        raise FeatureCycle.from_path(list(reversed(error.args[1]))) from None


def reachable(start: FeatureKey, edges: Edges) -> frozenset[FeatureKey]:
    """Everything that can be reached from a feature, itself left out."""
    found: set[FeatureKey] = set()
    waiting = list(edges[start])
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting.extend(edges[key])
    return frozenset(found)
