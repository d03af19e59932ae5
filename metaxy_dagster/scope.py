"""A maintenance job has a scope of features, out of which each run may choose some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey
from metaxy_dagster.errors import InvalidOptions
from metaxy_dagster.feature_name import FeatureName, feature_name
from metaxy_dagster.targets import Target, targets
from metaxy_dagster.translator import MetaxyTranslator


@dataclass(frozen=True)
class Scope:
    """Features of one graph, upstream before downstream, and the assets that hold them.

    Attributes:
        name: of the job or op, for messages.
        graph: the graph.
        assets: for each feature its assets; more than one where several feed it.
        samples: for some roots every record that should exist, or a function that gives them.
    """

    name: str
    graph: FeatureGraph
    assets: Mapping[FeatureName, tuple[Target, ...]]
    samples: Mapping[FeatureKey, Any]

    @classmethod
    def of(
        cls,
        name: str,
        features: Any,
        translator: MetaxyTranslator | None,
        samples: Mapping[Any, Any] | None = None,
    ) -> Self:
        """The scope that an author means.

        Args:
            name: of the job or op.
            features: see ``targets``.
            translator: what the asset of a feature is called.
            samples: for roots, by class or key.

        Raises:
            AssetError: it is no feature, the features are of several graphs, or there are samples
                of something else than a root.
        """
        found = targets(features, translator or MetaxyTranslator(), name)
        graph = found[0].feature.graph
        other = next((each.feature for each in found if each.feature.graph is not graph), None)
        if other is not None:
            raise InvalidOptions(
                f"{name} was given {str(found[0].feature)!r} and {str(other)!r}, which are of two "
                f"graphs; make a job for each graph."
            )
        order = {definition.key: index for index, definition in enumerate(graph)}
        assets: dict[FeatureName, tuple[Target, ...]] = {}
        for target in sorted(found, key=lambda each: order[each.feature.key]):
            assets[target.feature] = (*assets.get(target.feature, ()), target)
        return cls(name, graph, assets, _of_roots(name, graph, samples or {}))

    def chosen(self, selection: Sequence[str]) -> list[FeatureName]:
        """The features of the scope that a run's selection names; all where it names none.

        Raises:
            InvalidSelection: the selection cannot be read, or matches nothing.
            InvalidOptions: it names only features that are out of scope.
        """
        wanted = set(select(self.graph, *selection))
        found = [feature for feature in self.assets if feature.key in wanted]
        if not found:
            raise InvalidOptions(
                f"{self.name} is about {', '.join(self.assets)}, and features={list(selection)} "
                f"selects none of them; leave features empty for all."
            )
        return found

    def samples_of(self, feature: FeatureName) -> Any:
        """Every record of a root that should exist; None where that is not known."""
        samples = self.samples.get(feature.key)
        return samples() if callable(samples) else samples

    def why_not_compared(self, feature: FeatureName) -> str | None:
        """Why a feature has no increment here, or None where it has."""
        if feature.definition.external:
            return "another project's"
        if feature.plan.is_root and feature.key not in self.samples:
            return "needs samples"
        return None


def _of_roots(name: str, graph: FeatureGraph, samples: Mapping[Any, Any]) -> dict[FeatureKey, Any]:
    given: dict[FeatureKey, Any] = {}
    for feature, frame in samples.items():
        text = isinstance(feature, str)
        found = FeatureName(graph, graph[feature].key) if text else feature_name(feature, name)
        if found.graph is not graph or not found.plan.is_root:
            raise InvalidOptions(
                f"{name} has samples of {str(found)!r}, which is no root feature of its graph; "
                f"give samples of root features only."
            )
        given[found.key] = frame
    return given
