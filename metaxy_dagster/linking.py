"""Where several assets feed one feature, whoever depends on the feature depends on all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import dagster as dg

from metaxy_dagster.asset_specs import FeatureAsset, feature_of, specs_of
from metaxy_dagster.enriching import with_deps
from metaxy_dagster.metadata import COLUMN_LINEAGE
from metaxy_dagster.slices import WHERE
from metaxy_dagster.translator import MetaxyTranslator

Slices = Mapping[dg.AssetKey, Sequence[dg.AssetKey]]


def linked_assets(
    assets: Sequence[FeatureAsset], translator: MetaxyTranslator | None = None
) -> list[FeatureAsset]:
    """Assets, each of which depends on every slice of the features it depends on.

    Assets with ``where`` have keys of their own, which an asset downstream cannot know by itself:
    it names the feature's. Here that key is replaced by those of the slices among ``assets``, in
    deps, inputs and column lineage. ``load_feature_assets`` does this to what it loads.

    Args:
        assets: all that may depend on each other.
        translator: what gave the features' keys.

    Example:
        >>> import metaxy_core as mx
        >>> with mx.FeatureGraph().use():
        ...     class Frame(mx.Feature, spec=mx.FeatureSpec(
        ...         key="frame", id_columns=["camera", "n"])): ...
        ...     class Face(mx.Feature, spec=mx.FeatureSpec(
        ...         key="face", id_columns=["camera", "n"], deps=[Frame])): ...
        >>> from metaxy_dagster import external_feature
        >>> left = external_feature(
        ...     Frame, key=["frame", "left"], metadata={"metaxy/where": {"camera": "left"}})
        >>> _, face = linked_assets([left, external_feature(Face)])
        >>> print(*(dep.asset_key.to_user_string() for dep in face.deps))
        frame/left
    """
    slices = _slices(assets, translator or MetaxyTranslator())
    return [_linked(asset, slices) for asset in assets] if slices else list(assets)


def _slices(assets: Sequence[FeatureAsset], translator: MetaxyTranslator) -> Slices:
    """For the key of each feature that no asset has, the keys of its slices."""
    found: dict[dg.AssetKey, list[dg.AssetKey]] = defaultdict(list)
    specs = [spec for asset in assets for spec in specs_of(asset)]
    for spec in specs:
        name = feature_of(spec)
        if name is not None and spec.metadata.get(WHERE):
            found[translator.asset_key(name.definition)].append(spec.key)
    for spec in specs:
        found.pop(spec.key, None)
    return found


def _linked(asset: FeatureAsset, slices: Slices) -> FeatureAsset:
    wanted = {dep.asset_key for spec in specs_of(asset) for dep in spec.deps} & set(slices)
    if not wanted:
        return asset
    if isinstance(asset, dg.AssetSpec):
        deps = [other for dep in asset.deps for other in _each(dep, slices)]
        return _traced(asset.replace_attributes(deps=deps), slices)
    missing = {
        spec.key: [other for dep in spec.deps for other in _each(dep, slices)[1:]]
        for spec in asset.specs
    }
    first = asset.with_attributes(asset_key_replacements={key: slices[key][0] for key in wanted})
    return with_deps(first, missing).map_asset_specs(lambda spec: _traced(spec, slices))


def _each(dep: dg.AssetDep, slices: Slices) -> list[dg.AssetDep]:
    """A dep on each slice in the place of the one on their feature; any other dep stays."""
    keys = slices.get(dep.asset_key, [dep.asset_key])
    return [dg.AssetDep(key, partition_mapping=dep.partition_mapping) for key in keys]


def _traced(spec: dg.AssetSpec, slices: Slices) -> dg.AssetSpec:
    """A spec whose columns come from the slices' columns."""
    lineage = spec.metadata.get(COLUMN_LINEAGE)
    if not isinstance(lineage, dg.TableColumnLineage):
        return spec
    deps = {
        column: [
            dg.TableColumnDep(key, dep.column_name)
            for dep in found
            for key in slices.get(dep.asset_key, [dep.asset_key])
        ]
        for column, found in lineage.deps_by_column.items()
    }
    return spec.merge_attributes(metadata={COLUMN_LINEAGE: dg.TableColumnLineage(deps)})
