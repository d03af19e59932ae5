"""The samples of roots are given beside features, where these are compared outside of assets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey
from metaxy_dagster.errors import InvalidOptions
from metaxy_dagster.feature_name import FeatureName, feature_name


@dataclass(frozen=True)
class RootSamples:
    """For some roots every record that should exist, or functions that give them.

    Attributes:
        by_root: frames and functions.
    """

    by_root: Mapping[FeatureKey, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, call: str, graph: FeatureGraph, given: Mapping[Any, Any] | None) -> Self:
        """What an author gives, by class or key.

        Args:
            call: who asks, for messages.
            graph: the graph whose roots they are.
            given: frames, or functions without parameters that give one.

        Raises:
            InvalidOptions: it is no mapping, or there are samples of something else than a root.
        """
        if given is not None and not isinstance(given, Mapping):
            raise InvalidOptions.from_argument(
                call, "samples", type(given), "a mapping of root features to frames or functions"
            )
        found: dict[FeatureKey, Any] = {}
        for feature, frame in (given or {}).items():
            by_text = isinstance(feature, str)
            name = (
                FeatureName(graph, graph[feature].key) if by_text else feature_name(feature, call)
            )
            if name.graph is not graph or not name.plan.is_root:
                raise InvalidOptions(
                    f"{call} has samples of {str(name)!r}, which is no root feature of its graph; "
                    f"give samples of root features only."
                )
            found[name.key] = frame
        return cls(found)

    def __contains__(self, feature: FeatureName) -> bool:
        return feature.key in self.by_root

    def of_root(self, feature: FeatureName) -> Any:
        """Every record of a root that should exist; None where that is not known."""
        samples = self.by_root.get(feature.key)
        return samples() if callable(samples) else samples
