"""A whole graph becomes assets at once: functions where there are some, specs for all the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from types import ModuleType
from typing import Any

import dagster as dg

from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey, KeyLike
from metaxy_dagster.asset_specs import FeatureAsset, feature_of, specs_of, title_of
from metaxy_dagster.errors import ContradictingAssets, NoFeatures
from metaxy_dagster.feature_name import (
    FEATURE,
    FeatureName,
    feature_name,
    plain_value,
)
from metaxy_dagster.linking import linked_assets
from metaxy_dagster.metadata import FEATURE_VERSION
from metaxy_dagster.metaxify import metaxify
from metaxy_dagster.modules import assets_in, features_in
from metaxy_dagster.resource import IO_MANAGER_KEY, STORE_KEY
from metaxy_dagster.slices import WHERE
from metaxy_dagster.translator import MetaxyTranslator

FeatureFunction = Callable[..., Any] | dg.AssetsDefinition | dg.AssetSpec


def external_feature(
    feature: KeyLike,
    *,
    translator: MetaxyTranslator | None = None,
    io_manager_key: str = IO_MANAGER_KEY,
    **attributes: Any,
) -> dg.AssetSpec:
    """The asset of a feature that is not computed here: another code location's, or nobody's.

    It has the key under which downstream assets look for it, and everything that the definition
    tells; inputs load it from the store.

    Args:
        feature: the feature (a class, key or text).
        translator: what Dagster should call things.
        io_manager_key: key of the IO manager that inputs load it with.
        **attributes: attributes of ``dg.AssetSpec``, ``group_name`` or ``owners`` say, which go
            before what the feature tells.

    Raises:
        UnknownAssetFeature: the graph does not hold the feature.

    Example:
        >>> import metaxy_core as mx
        >>> with mx.FeatureGraph().use():
        ...     class Clip(mx.Feature, spec=mx.FeatureSpec(key="media/clip")):
        ...         pass
        ...     external_feature(Clip).key
        AssetKey(['media', 'clip'])
    """
    names = translator or MetaxyTranslator()
    name = feature_name(feature, str(feature))
    key = attributes.pop("key", names.asset_key(name.definition))
    metadata = {**attributes.pop("metadata", {}), FEATURE: name}
    spec = dg.AssetSpec(key, metadata=metadata, **attributes)
    told = metaxify(spec, translator=names).with_io_manager_key(io_manager_key)
    return told.replace_attributes(key=key)


def load_feature_assets(
    source: ModuleType | FeatureGraph | str | None = None,
    *modules: ModuleType,
    selection: str | None = None,
    functions: Mapping[KeyLike, FeatureFunction] | None = None,
    translator: MetaxyTranslator | None = None,
    store_key: str = STORE_KEY,
    io_manager_key: str = IO_MANAGER_KEY,
) -> list[FeatureAsset]:
    """Assets of all features of a module, a package, a graph or a selection.

    A feature has, in this order of precedence:

    - the asset that ``functions`` gives it: a function, which ``metaxify`` makes an asset of, or an
      asset or spec;
    - the assets in the modules that hold it, several where each has its own ``where``. One that
      only names its feature in its metadata goes through ``metaxify``;
    - otherwise a spec, an external asset that shows what the definition tells.

    Features of other projects on which those depend come along as specs. An asset that depends on
    a feature which several assets feed depends on all of them.

    Args:
        source: a module or package, whose features (defined or imported there) and assets are
            taken; a graph; or the text of a selection from the active graph. None is the active
            graph.
        *modules: further modules, for features in one and functions in another.
        selection: narrows the features: ``"example/*"``, ``"+tag:gpu"``, … as for ``metaxy list``.
        functions: functions or assets by feature.
        translator: what Dagster should call things, where this call makes the asset.
        store_key: resource key of the ``MetaxyStoreResource``, for ``functions``.
        io_manager_key: resource key of the ``MetaxyIOManager``.

    Returns:
        What ``dg.Definitions(assets=...)`` takes, upstream before downstream.

    Raises:
        NoFeatures: the modules neither define nor import a feature.
        ContradictingAssets: a feature has a function here and an asset in a module, or two assets
            that do not share it by ``where``.
        UnknownFeature: ``functions`` names a feature that is not among those chosen.
        InvalidSelection: the selection cannot be read or matches nothing.

    Example:
        >>> import metaxy_core as mx
        >>> with mx.FeatureGraph().use() as graph:
        ...     class Clip(mx.Feature, spec=mx.FeatureSpec(key="media/clip")):
        ...         pass
        ...     class Crop(mx.Feature, spec=mx.FeatureSpec(key="media/crop", deps=[Clip])):
        ...         pass
        >>> def crop(increment):
        ...     return increment.new
        >>> for asset in load_feature_assets(graph, functions={Crop: crop}):
        ...     print(type(asset).__name__, asset.key.to_user_string())
        AssetSpec media/clip
        AssetsDefinition media/crop
    """
    names = translator or MetaxyTranslator()
    found, chosen = _chosen(source, modules, selection)
    given = _given(chosen, functions or {}, names, store_key, io_manager_key)
    held = _held(chosen, assets_in(found), given, names)
    loaded: dict[int, FeatureAsset] = {}
    for name in _with_foreign(chosen):
        spec = external_feature(name, translator=names, io_manager_key=io_manager_key)
        for asset in held.get(name.key, [spec]):
            loaded[id(asset)] = asset
    return linked_assets(list(loaded.values()), names)


def _chosen(
    source: ModuleType | FeatureGraph | str | None,
    further: Sequence[ModuleType],
    selection: str | None,
) -> tuple[list[ModuleType], list[FeatureName]]:
    """The modules to look for assets in, and the features, upstream before downstream."""
    from metaxy_core.graph.selection import select

    modules = [*([source] if isinstance(source, ModuleType) else []), *further]
    if isinstance(source, ModuleType):
        features = features_in(modules)
        if not features:
            raise NoFeatures.from_modules([module.__name__ for module in modules])
        graph = features[0].graph
    else:
        graph = source if isinstance(source, FeatureGraph) else FeatureGraph.active()
        terms = [source] if isinstance(source, str) else []
        features = [FeatureName(graph, key) for key in select(graph, *terms)]
    if selection is not None:
        wanted = set(select(graph, selection))
        features = [name for name in features if name.key in wanted]
    return modules, features


def _with_foreign(chosen: Sequence[FeatureName]) -> list[FeatureName]:
    """The chosen features, and before them the other projects' features that they depend on."""
    found: dict[FeatureKey, FeatureName] = {}
    for name in chosen:
        for other in name.upstream:
            if other.definition.external:
                found.setdefault(other.key, other)
        found[name.key] = name
    return list(found.values())


def _given(
    chosen: Sequence[FeatureName],
    functions: Mapping[KeyLike, FeatureFunction],
    translator: MetaxyTranslator,
    store_key: str,
    io_manager_key: str,
) -> dict[FeatureKey, FeatureAsset]:
    """The assets that the caller gives."""
    by_key = {name.key: name for name in chosen}
    given: dict[FeatureKey, FeatureAsset] = {}
    for feature, function in functions.items():
        key = FeatureKey(feature)
        if key not in by_key:
            raise NoFeatures.from_function(key, list(by_key))
        decorate = metaxify(
            by_key[key],
            translator=translator,
            store_key=store_key,
            io_manager_key=io_manager_key,
        )
        if isinstance(function, FeatureAsset) and _is_made(function):
            given[key] = function
        else:
            given[key] = decorate(function)
    return given


def _held(
    chosen: Sequence[FeatureName],
    assets: Iterable[FeatureAsset],
    given: Mapping[FeatureKey, FeatureAsset],
    translator: MetaxyTranslator,
) -> dict[FeatureKey, list[FeatureAsset]]:
    """The assets of each feature that has some."""
    wanted = {name.key for name in chosen}
    held: dict[FeatureKey, list[FeatureAsset]] = {key: [asset] for key, asset in given.items()}
    for asset in assets:
        features = _features_of(asset) & wanted
        made = asset if not features or _is_made(asset) else metaxify(asset, translator=translator)
        for key in features:
            if key in given:
                raise ContradictingAssets.from_function(key, title_of(asset))
            held.setdefault(key, []).append(made)
    for key, several in held.items():
        _check_shared(key, several)
    return held


def _check_shared(key: FeatureKey, several: Sequence[FeatureAsset]) -> None:
    """Several assets may feed one feature, each its own slice."""
    shares = [
        plain_value(spec.metadata, WHERE) or {}
        for asset in several
        for spec in specs_of(asset)
        if feature_of(spec) == str(key)
    ]
    if len(several) > 1 and any(_overlap(*pair) for pair in combinations(shares, 2)):
        raise ContradictingAssets.from_assets(key, [title_of(asset) for asset in several])


def _overlap(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether a record can be in two slices."""
    return all(first[column] == second[column] for column in first.keys() & second.keys())


def _features_of(asset: FeatureAsset) -> set[FeatureKey]:
    names = [feature_of(spec) for spec in specs_of(asset)]
    return {name.key for name in names if name is not None}


def _is_made(asset: FeatureAsset) -> bool:
    """Whether ``metaxify`` has seen the asset."""
    return any(FEATURE_VERSION in spec.metadata for spec in specs_of(asset))
