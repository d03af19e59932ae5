"""A sensor or schedule looks at some features and runs the assets of some, perhaps of others."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey
from metaxy_dagster.chosen import Features, chosen_features
from metaxy_dagster.enriching import PARTITIONED
from metaxy_dagster.errors import InvalidAutomation
from metaxy_dagster.feature_name import FEATURE, FeatureName, feature_tag


@dataclass(frozen=True)
class Watched:
    """What is looked at, and what is run.

    Attributes:
        features: whose commits count.
        targets: which features are to be brought up to date.
    """

    features: tuple[FeatureName, ...]
    targets: tuple[FeatureName, ...]


def watched(call: str, features: Features, of: Features) -> Watched:
    """What a sensor looks at and runs.

    Args:
        call: who asks, for messages.
        features: features to look at.
        of: features to run, of which everything upstream is looked at too.

    Raises:
        InvalidAutomation: no feature is given, or nothing is upstream of the ones given.
        AssetError: what is given is no feature, or features are of several graphs.
        InvalidSelection: a selection cannot be read, or nothing matches it.
    """
    chosen, run = chosen_features(call, features, of)
    graph = chosen.graph
    if not chosen.features and not run.features:
        raise InvalidAutomation.from_nothing(call, "features=[...] to watch, or of=[...] to run")
    above = _reached(graph, [f"+{name}" for name in run.features], without=run.features)
    if run.features and not above and not chosen.features:
        raise InvalidAutomation.from_roots(call, run.features)
    below = [f"{name}+" for name in chosen.features]
    targets = run.features or _reached(graph, below, without=chosen.features)
    return Watched(tuple(dict.fromkeys([*chosen.features, *above])), targets)


def assets_of(
    features: Sequence[FeatureName], partition_keys: Sequence[str] = ()
) -> dg.AssetSelection:
    """The assets of features, whatever keys they have, as far as runs can materialize them.

    Args:
        features: the features.
        partition_keys: for which partitions there are runs; without any, assets with partitions
            are left out.
    """
    found = functools.reduce(operator.or_, map(_assets_of, features)).materializable()
    return found if partition_keys else found - dg.AssetSelection.tag(PARTITIONED, "true")


def check_runnable(
    call: str,
    features: Sequence[FeatureName],
    partition_keys: Sequence[str],
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext,
) -> None:
    """See to it that a run of features' assets does anything: Dagster runs no asset without a word.

    Args:
        call: who asks, for messages.
        features: the features.
        partition_keys: see ``assets_of``.
        context: of the tick; that of a test may know no definitions.

    Raises:
        InvalidAutomation: none of the assets can be run.
    """
    try:
        repository = context.repository_def
    except dg.DagsterInvariantViolationError:
        return
    if repository is None:
        return
    selection = assets_of(features, partition_keys)
    if not selection.resolve(repository.asset_graph, allow_missing=True):
        raise InvalidAutomation.from_partitioned(call, features)


def _assets_of(name: FeatureName) -> dg.AssetSelection:
    """The assets that hold a feature, found by their tag; a key that is too long has none."""
    tag = feature_tag(name.key)
    if tag is None:
        return dg.AssetSelection.assets(dg.AssetKey(list(name.key.parts)))
    return dg.AssetSelection.tag(FEATURE, tag)


def _reached(
    graph: FeatureGraph, terms: Sequence[str], without: Sequence[FeatureName]
) -> tuple[FeatureName, ...]:
    found: Sequence[FeatureKey] = select(graph, *terms) if terms else ()
    left_out = {name.key for name in without}
    return tuple(FeatureName(graph, key) for key in found if key not in left_out)
