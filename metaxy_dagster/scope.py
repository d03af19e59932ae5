"""A maintenance job has a scope of features, out of which each run may choose some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_dagster.chosen import Features, one_or_more
from metaxy_dagster.errors import InvalidOptions
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.root_samples import RootSamples
from metaxy_dagster.targets import Target, targets_of
from metaxy_dagster.translator import MetaxyTranslator


@dataclass(frozen=True)
class Scope:
    """Features of one graph, upstream before downstream, and the assets that hold them.

    Attributes:
        name: of the job or op, for messages.
        graph: the graph.
        assets: for each feature its assets; more than one where several feed it.
        samples: of some roots.
    """

    name: str
    graph: FeatureGraph
    assets: Mapping[FeatureName, tuple[Target, ...]]
    samples: RootSamples

    @classmethod
    def of(
        cls,
        name: str,
        features: Features | None,
        translator: MetaxyTranslator | None,
        samples: Mapping[Any, Any] | None = None,
    ) -> Self:
        """The scope that an author means.

        Args:
            name: of the job or op.
            features: see ``chosen_features``.
            translator: what the asset of a feature is called.
            samples: for roots, by class or key.

        Raises:
            AssetError: it is no feature, the features are of several graphs, or there are samples
                of something else than a root.
        """
        found = one_or_more(name, features)
        held = groupby(targets_of(found, translator), key=lambda target: target.feature)
        assets = {feature: tuple(several) for feature, several in held}
        return cls(name, found.graph, assets, RootSamples.of(name, found.graph, samples))

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

    def why_not_compared(self, feature: FeatureName) -> str | None:
        """Why a feature has no increment here, or None where it has."""
        if feature.definition.external:
            return "another project's"
        if feature.plan.is_root and feature not in self.samples:
            return "needs samples"
        return None
