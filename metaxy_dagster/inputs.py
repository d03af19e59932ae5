"""The parameters of a function that are upstream features become the inputs of its asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from metaxy_dagster.enriching import asset_keys
from metaxy_dagster.errors import InvalidOptions, UnknownParameter
from metaxy_dagster.feature_name import FEATURE, FeatureName, feature_name
from metaxy_dagster.functions import AssetFunction
from metaxy_dagster.options import Settings


def asset_ins(
    feature: FeatureName,
    functions: Sequence[AssetFunction],
    settings: Settings,
    given: Mapping[str, Any],
) -> dict[str, dg.AssetIn]:
    """The assets to load, one for each parameter that is one.

    Args:
        feature: the feature.
        functions: the functions that take them.
        settings: what ``metaxify`` was told.
        given: what the author says of some of them.

    Raises:
        UnknownParameter: no dep has a parameter's name.
        InvalidOptions: ``given`` names what no function takes.
    """
    names = dict.fromkeys(name for item in functions for name in item.inputs)
    unused = [name for name in given if name not in names]
    if unused:
        raise InvalidOptions(
            f"Asset {str(feature)!r} has ins={{{unused[0]!r}: ...}}, but its function takes no "
            f"parameter {unused[0]!r}; add it, or list the asset under deps."
        )
    return {
        name: _chosen(feature, name, given[name], settings)
        if name in given
        else _by_name(feature, name, settings)
        for name in names
    }


def _by_name(feature: FeatureName, name: str, settings: Settings) -> dg.AssetIn:
    """The dep whose key ends with a parameter's name."""
    deps = [dep.feature for dep in feature.plan.deps]
    matching = [key for key in deps if key.parts[-1].replace("-", "_") == name]
    if len(matching) != 1:
        raise UnknownParameter.from_deps(feature, name, deps)
    return _feature_in(feature.other(matching[0]), settings)


def _chosen(feature: FeatureName, name: str, chosen: Any, settings: Settings) -> dg.AssetIn:
    """What ``ins`` says: a feature, or an ``AssetIn``, which may narrow a dep that is a feature."""
    if not isinstance(chosen, dg.AssetIn):
        return _feature_in(feature_name(chosen, feature), settings)
    key = chosen.key or dg.AssetKey([*(chosen.key_prefix or ()), name])
    asset_key_of = asset_keys(feature, settings.translator)
    for dep in feature.plan.deps:
        if asset_key_of(dep.feature) == key:
            return _feature_in(feature.other(dep.feature), settings, chosen)
    return chosen._replace(key=key, key_prefix=None)


def _feature_in(
    upstream: FeatureName, settings: Settings, chosen: dg.AssetIn | None = None
) -> dg.AssetIn:
    base = dg.AssetIn() if chosen is None else chosen
    return dg.AssetIn(
        key=settings.translator.asset_key(upstream.definition),
        metadata={**(base.metadata or {}), FEATURE: upstream},
        input_manager_key=base.input_manager_key or settings.io_manager_key,
        partition_mapping=base.partition_mapping,
        dagster_type=base.dagster_type,
    )
