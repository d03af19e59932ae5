"""Specs that name a feature get all that Dagster can know of it, and keep what their author set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from metaxy_core.keys import FeatureKey
from metaxy_dagster.asset_specs import FeatureAsset, feature_of, specs_of, title_of
from metaxy_dagster.errors import InvalidOptions, MissingFeature
from metaxy_dagster.feature_name import FEATURE, FeatureName, plain_value
from metaxy_dagster.metadata import AssetKeyOf, definition_metadata
from metaxy_dagster.run_metadata import STORAGE_KIND
from metaxy_dagster.slices import WHERE, slice_where
from metaxy_dagster.translator import MetaxyTranslator

PARTITIONED: Final = "metaxy/partitioned"
"""The tag of assets that have partitions, by which selections leave them out."""

_NO_GROUP = (None, "default")


def asset_keys(feature: FeatureName, translator: MetaxyTranslator) -> AssetKeyOf:
    """The asset key of every feature in a feature's graph."""

    def asset_key(key: FeatureKey) -> dg.AssetKey:
        return translator.asset_key(feature.graph[key])

    return asset_key


def own_key(
    feature: FeatureName, translator: MetaxyTranslator, where: Mapping[str, Any] | None
) -> dg.AssetKey:
    """The key of the asset that holds a feature, or those of its records that have some values."""
    if where is None:
        return translator.asset_key(feature.definition)
    return translator.slice_key(feature.definition, where)


def dep_keys(
    feature: FeatureName, translator: MetaxyTranslator, listed: Iterable[Any] = ()
) -> list[dg.AssetKey]:
    """The assets of a feature's deps, but for those features that listed assets hold already."""
    held: set[FeatureKey] = set()
    for asset in listed:
        if isinstance(asset, FeatureAsset):
            names = map(feature_of, specs_of(asset))
            held |= {name.key for name in names if name is not None}
    asset_key_of = asset_keys(feature, translator)
    return [asset_key_of(dep.feature) for dep in feature.plan.deps if dep.feature not in held]


def enriched_spec(
    spec: dg.AssetSpec, feature: FeatureName, translator: MetaxyTranslator
) -> dg.AssetSpec:
    """A spec with what its feature's definition tells, key and deps left as they are.

    Args:
        spec: what the author wrote; wins wherever it says something.
        feature: the feature that the asset holds.
        translator: what Dagster should call things.
    """
    definition = feature.definition
    slice_where(feature, plain_value(spec.metadata, WHERE))
    metadata = {
        **translator.metadata(definition),
        **({} if translator.store_kind is None else {STORAGE_KIND: translator.store_kind}),
        **definition_metadata(feature, asset_keys(feature, translator)),
    }
    merged = spec.merge_attributes(
        metadata={
            name: value
            for name, value in metadata.items()
            if name == FEATURE or name not in spec.metadata
        },
        tags={
            **{k: v for k, v in translator.tags(definition).items() if k not in spec.tags},
            **({} if spec.partitions_def is None else {PARTITIONED: "true"}),
        },
        kinds=translator.kinds(definition),
        owners=() if spec.owners else translator.owners(definition),
    )
    group = spec.group_name
    return merged.replace_attributes(
        description=spec.description or translator.description(definition),
        group_name=translator.group_name(definition) if group in _NO_GROUP else group,
        code_version=spec.code_version or feature.versions.code,
        automation_condition=spec.automation_condition
        or translator.automation_condition(definition),
    )


def enriched_asset_spec(
    spec: dg.AssetSpec, feature: FeatureName | None, translator: MetaxyTranslator
) -> dg.AssetSpec:
    """A spec that stands alone, under its feature's key.

    Raises:
        MissingFeature: it names no feature, and none is given.
    """
    name = feature or feature_of(spec)
    if name is None:
        raise MissingFeature.from_asset(spec.key.to_user_string())
    keyed = spec.replace_attributes(key=_new_key(spec, name, translator))
    deps = _missing_deps(keyed, name, translator)
    return enriched_spec(keyed.merge_attributes(deps=deps), name, translator)


def enriched_assets(
    assets: dg.AssetsDefinition, feature: FeatureName | None, translator: MetaxyTranslator
) -> dg.AssetsDefinition:
    """An asset or multi-asset, each spec of which that names a feature is enriched.

    Args:
        assets: what ``@dg.asset``, ``@dg.multi_asset`` … made.
        feature: the feature of its only asset, or None where metadata names features.
        translator: what Dagster should call things.

    Raises:
        MissingFeature: none of its assets names a feature, and none is given.
        InvalidOptions: one feature is given for several assets.
    """
    features = _features(assets, feature)
    replacements = _key_replacements(assets, features, translator)
    keyed = assets.with_attributes(asset_key_replacements=replacements) if replacements else assets
    by_key = {replacements.get(key, key): name for key, name in features.items()}

    def enrich(spec: dg.AssetSpec) -> dg.AssetSpec:
        return enriched_spec(spec, by_key[spec.key], translator) if spec.key in by_key else spec

    missing = {
        spec.key: _missing_deps(spec, by_key[spec.key], translator)
        for spec in keyed.specs
        if spec.key in by_key
    }
    return with_deps(keyed.map_asset_specs(enrich), missing)


def _features(
    assets: dg.AssetsDefinition, feature: FeatureName | None
) -> dict[dg.AssetKey, FeatureName]:
    specs = list(assets.specs)
    listed = title_of(assets)
    if feature is not None:
        if len(specs) != 1:
            raise InvalidOptions(
                f"@metaxify({feature!r}) stands over several assets ({listed}), and one feature "
                f"cannot be all of them. Use @metaxify() and name the feature of each spec under "
                f"metadata={{'metaxy/feature': ...}}."
            )
        return {specs[0].key: feature}
    named: Iterable[tuple[dg.AssetKey, FeatureName | None]] = (
        (spec.key, feature_of(spec)) for spec in specs
    )
    features = {key: name for key, name in named if name is not None}
    if not features:
        raise MissingFeature.from_asset(listed)
    return features


def _new_key(spec: dg.AssetSpec, feature: FeatureName, translator: MetaxyTranslator) -> dg.AssetKey:
    """The feature's key, unless the author gave the asset a key with a prefix.

    A key of one part is what Dagster makes of a function's or an output's name; under it no
    feature downstream would find the asset.
    """
    if len(spec.key.path) > 1:
        return spec.key
    return own_key(feature, translator, plain_value(spec.metadata, WHERE))


def _missing_deps(
    spec: dg.AssetSpec, feature: FeatureName, translator: MetaxyTranslator
) -> list[dg.AssetDep]:
    present = {dep.asset_key for dep in spec.deps} | {spec.key}
    return [dg.AssetDep(key) for key in dep_keys(feature, translator) if key not in present]


def with_deps(
    assets: dg.AssetsDefinition, missing: Mapping[dg.AssetKey, Sequence[dg.AssetDep]]
) -> dg.AssetsDefinition:
    """Add deps, and leave inputs what they are.

    When deps are added, Dagster makes an input for each dep under a name made of its key, and a
    parameter that has this name would lose its value. So parameters have another key meanwhile.
    """
    if not any(missing.values()):
        return assets
    if not isinstance(assets.node_def, dg.OpDefinition):
        names = ", ".join(
            dep.asset_key.to_user_string() for deps in missing.values() for dep in deps
        )
        raise InvalidOptions(
            f"Dagster cannot add deps to the graph-backed asset {assets.node_def.name!r}, which "
            f"lacks {names}: name all assets that feed its feature's deps when it is made, as in "
            f"@metaxify(..., chunk_size=..., deps=[left, right]); a graph of your own takes them "
            f"as inputs."
        )
    hidden = {
        key: key.with_prefix("metaxy_input")
        for name, key in assets.node_keys_by_input_name.items()
        if not _only_orders(assets.node_def.ins[name])
    }
    shown = {other: key for key, other in hidden.items()}
    added = assets.with_attributes(asset_key_replacements=hidden).map_asset_specs(
        lambda spec: spec.merge_attributes(deps=missing.get(spec.key, ()))
    )
    return added.with_attributes(asset_key_replacements=shown)


def _only_orders(given: dg.In) -> bool:
    """Whether an input says what comes before, and brings no value."""
    return isinstance(given.dagster_type, dg.DagsterType) and given.dagster_type.is_nothing


def _key_replacements(
    assets: dg.AssetsDefinition,
    features: dict[dg.AssetKey, FeatureName],
    translator: MetaxyTranslator,
) -> dict[dg.AssetKey, dg.AssetKey]:
    """New keys of the assets, and of inputs that are named after a dep feature."""
    own = {
        spec.key: _new_key(spec, features[spec.key], translator)
        for spec in assets.specs
        if spec.key in features
    }
    inputs: dict[dg.AssetKey, dg.AssetKey] = {}
    for spec in assets.specs:
        if spec.key in features:
            name = features[spec.key]
            inputs |= _dep_replacements(spec, name, translator)
    replacements = {**inputs, **own}
    return {old: new for old, new in replacements.items() if old != new}


def _dep_replacements(
    spec: dg.AssetSpec, feature: FeatureName, translator: MetaxyTranslator
) -> dict[dg.AssetKey, dg.AssetKey]:
    deps = {dep.asset_key for dep in spec.deps}
    found: dict[dg.AssetKey, dg.AssetKey] = {}
    for dep in feature.plan.deps:
        short = dg.AssetKey([dep.feature.parts[-1].replace("-", "_")])
        if short in deps:
            found[short] = asset_keys(feature, translator)(dep.feature)
    return found
