"""Sensors and schedules are told features in few words; here they become names, keys and assets."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import dagster as dg

from metaxy_core.feature import locate
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey, HasKey, HasSpec, Key, KeyLike
from metaxy_dagster.errors import InvalidAutomation, MissingFeature
from metaxy_dagster.feature_name import FEATURE, FeatureName, named_feature

Term = KeyLike | dg.AssetsDefinition | dg.AssetSpec
Terms = Term | Sequence[Term]
"""Features as classes, keys, selection texts or assets that hold them; one or several."""

_LONGEST_TAG: Final = 63


@dataclass(frozen=True)
class Watched:
    """What is looked at, and what is run.

    Attributes:
        features: whose commits count.
        targets: which features are to be brought up to date.
    """

    features: tuple[FeatureName, ...]
    targets: tuple[FeatureName, ...]

    @property
    def selection(self) -> dg.AssetSelection:
        """The assets of the targets, whatever keys they have, as far as Dagster can run them."""
        chosen = (_assets_of(name) for name in self.targets)
        return functools.reduce(operator.or_, chosen).materializable()


def watched(call: str, features: Terms, of: Terms) -> Watched:
    """What a sensor looks at and runs.

    Args:
        call: who asks, for messages.
        features: features to look at.
        of: features to run, of which everything upstream is looked at too.

    Raises:
        InvalidAutomation: no feature is given, or nothing is upstream of the ones given.
        MissingFeature: an asset names no feature.
        UnknownFeature: the graph does not hold a feature.
        InvalidSelection: a selection cannot be read, or nothing matches it.
    """
    graph, (chosen, run) = _resolved(features, of)
    if not chosen and not run:
        raise InvalidAutomation.from_nothing(call, "features=[...] to watch, or of=[...] to run")
    above = _reached(graph, [f"+{key}" for key in run], without=run)
    if run and not above and not chosen:
        raise InvalidAutomation.from_roots(call, run)
    below = run or _reached(graph, [f"{key}+" for key in chosen], without=chosen)
    looked_at = dict.fromkeys([*chosen, *above])
    return Watched(_names(graph, looked_at), _names(graph, below))


def targets(call: str, of: Terms) -> Watched:
    """What a schedule runs and looks at, which is the same.

    Args:
        call: who asks, for messages.
        of: features to run.

    Raises:
        InvalidAutomation: no feature is given.
        MissingFeature: an asset names no feature.
        UnknownFeature: the graph does not hold a feature.
        InvalidSelection: a selection cannot be read, or nothing matches it.
    """
    graph, (run,) = _resolved(of)
    if not run:
        raise InvalidAutomation.from_nothing(call, "of=[...] which ones to run")
    return Watched(_names(graph, run), _names(graph, run))


def dagster_name(beginning: str, features: Sequence[object]) -> str:
    """A name that Dagster allows, made of features' keys.

    Example:
        >>> dagster_name("changes_of", ["example/video", "my-clip", "a", "b"])
        'changes_of_example_video_and_3_more'
    """
    first = re.sub(r"\W", "_", str(features[0]))
    more = f"_and_{len(features) - 1}_more" if len(features) > 1 else ""
    return f"{beginning}_{first}{more}"


# --------------------------------------------------------------------------- details


def _resolved(*given: Terms) -> tuple[FeatureGraph, list[tuple[FeatureKey, ...]]]:
    """The graph that the terms are about, and the features that each argument means."""
    arguments = [[name for term in _each(terms) for name in _texts(term)] for terms in given]
    named = [term for terms in arguments for term in terms if isinstance(term, FeatureName)]
    graph = named[0].graph if named else FeatureGraph.active()
    return graph, [select(graph, *terms) if terms else () for terms in arguments]


def _each(terms: Terms) -> Iterable[Term]:
    single = isinstance(terms, str | Key | HasKey | HasSpec | dg.AssetsDefinition | dg.AssetSpec)
    return [terms] if single else terms  # type: ignore[list-item, return-value]


def _texts(term: Term) -> list[str]:
    """The selection that a term is; where it tells its graph, with it."""
    if isinstance(term, dg.AssetsDefinition | dg.AssetSpec):
        return _held_by([term] if isinstance(term, dg.AssetSpec) else list(term.specs))
    if isinstance(term, str):
        return [term]
    return [FeatureName(*locate(term))]


def _held_by(specs: Sequence[dg.AssetSpec]) -> list[str]:
    names = [named_feature(spec.metadata, spec.key.to_user_string()) for spec in specs]
    found = [name for name in names if name is not None]
    if not found:
        raise MissingFeature.from_asset(", ".join(spec.key.to_user_string() for spec in specs))
    return [*found]


def _reached(
    graph: FeatureGraph, terms: Sequence[str], without: Sequence[FeatureKey]
) -> tuple[FeatureKey, ...]:
    found = select(graph, *terms) if terms else ()
    return tuple(key for key in found if key not in without)


def _names(graph: FeatureGraph, keys: Iterable[FeatureKey]) -> tuple[FeatureName, ...]:
    return tuple(FeatureName(graph, key) for key in keys)


def _assets_of(name: FeatureName) -> dg.AssetSelection:
    """The assets that hold a feature, found by their tag; a key that is too long has none."""
    value = ".".join(name.key.parts)
    if len(value) > _LONGEST_TAG:
        return dg.AssetSelection.assets(dg.AssetKey(list(name.key.parts)))
    return dg.AssetSelection.tag(FEATURE, value)
