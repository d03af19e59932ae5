"""Features are named in few words wherever they are asked for; here the words become features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey, HasKey, HasSpec, Key, KeyLike
from metaxy_dagster.asset_specs import FeatureAsset, feature_of, specs_of, title_of
from metaxy_dagster.errors import InvalidOptions, MissingFeature
from metaxy_dagster.feature_name import FeatureName

Named = KeyLike | FeatureAsset
Features = Named | Sequence[Named]
"""Features as classes, keys, selection texts or assets that hold them; one or several."""

_SINGLE = str | Key | HasKey | HasSpec | dg.AssetsDefinition | dg.AssetSpec


@dataclass(frozen=True)
class Chosen:
    """Features of one graph, and those of the assets that hold them which were given themselves.

    Attributes:
        graph: the graph.
        features: the features, upstream before downstream.
        specs: for features that were given as assets, the specs of these.
    """

    graph: FeatureGraph
    features: tuple[FeatureName, ...]
    specs: Mapping[FeatureKey, Sequence[dg.AssetSpec]] = field(default_factory=dict)


def chosen_features(call: str, *given: Features | None) -> tuple[Chosen, ...]:
    """The features that an author means, in each of some arguments of one call.

    The words of an argument are one selection, so that ``["example/*", "!example/video"]`` leaves
    a feature out. Classes and assets tell the graph in which selections and keys are looked up;
    without any it is the active one. Assets without a feature are passed over where others have
    one.

    Args:
        call: who asks, for messages.
        *given: the arguments; None means every feature of the graph, and an empty list none.

    Raises:
        MissingFeature: none of the assets names a feature.
        InvalidOptions: it is something else, or the features are of several graphs.
        UnknownFeature: the graph does not hold a feature.
        InvalidSelection: a selection cannot be read, or nothing matches it.
    """
    arguments = [None if each is None else list(_terms(call, each)) for each in given]
    graph = _graph(call, [term for terms in arguments for term in terms or ()])
    return tuple(_chosen(graph, terms) for terms in arguments)


def one_or_more(call: str, features: Features | None) -> Chosen:
    """The features that an author means, of which there has to be one at least.

    Args:
        call: who asks, for messages.
        features: see ``chosen_features``.

    Raises:
        InvalidOptions: there is none.
        AssetError: see ``chosen_features``.
    """
    (found,) = chosen_features(call, features)
    if not found.features:
        raise InvalidOptions.from_nothing(
            call, "which ones: classes, keys, a selection such as 'example/*', or assets"
        )
    return found


# --------------------------------------------------------------------------- words


@dataclass(frozen=True)
class _Term:
    """One word.

    Attributes:
        text: what it selects.
        graph: the graph that it brings along, or None.
        spec: the spec that it stands for, or None.
    """

    text: str
    graph: FeatureGraph | None = None
    spec: dg.AssetSpec | None = None


def _terms(call: str, given: Features) -> Iterator[_Term]:
    is_single = isinstance(given, _SINGLE) or not isinstance(given, Iterable)
    words: list[Any] = [given] if is_single else list(given)  # type: ignore[arg-type]
    assets = [word for word in words if isinstance(word, FeatureAsset)]
    held = [(feature_of(spec), spec) for asset in assets for spec in specs_of(asset)]
    named = [(name, spec) for name, spec in held if name is not None]
    others = [word for word in words if not isinstance(word, FeatureAsset)]
    if assets and not named and not others:
        raise MissingFeature.from_asset(", ".join(map(title_of, assets)))
    for name, spec in named:
        yield _Term(name, name.graph, spec)
    for word in others:
        if not isinstance(word, str | Key | HasKey | HasSpec):
            raise InvalidOptions.from_argument(
                call, "features", word, "classes, keys, selections, assets or specs"
            )
        graph = getattr(word, "graph", None)
        text = word if isinstance(word, str) else str(FeatureKey(word))
        yield _Term(text, graph if isinstance(graph, FeatureGraph) else None)


def _graph(call: str, terms: Sequence[_Term]) -> FeatureGraph:
    """The graph that the terms bring along."""
    telling = [(term.graph, term.text) for term in terms if term.graph is not None]
    if not telling:
        return FeatureGraph.active()
    graph, first = telling[0]
    for other, text in telling:
        if other is not graph:
            raise InvalidOptions.from_graphs(call, first, text)
    return graph


def _chosen(graph: FeatureGraph, terms: Sequence[_Term] | None) -> Chosen:
    if terms is not None and not terms:
        return Chosen(graph, ())
    keys = select(graph, *(term.text for term in terms or ()))
    specs: dict[FeatureKey, list[dg.AssetSpec]] = {}
    for term in terms or ():
        if term.spec is not None:
            specs.setdefault(FeatureKey(term.text), []).append(term.spec)
    return Chosen(graph, tuple(FeatureName(graph, key) for key in keys), specs)
