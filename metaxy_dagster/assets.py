"""A function becomes an asset that computes one increment of a feature."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import dagster as dg

from metaxy_dagster.enriching import asset_keys, enriched_spec, missing_dep_keys, own_key
from metaxy_dagster.errors import (
    InvalidOptions,
    MissingIncrement,
    MissingSamples,
    UnexpectedSamples,
    UnknownParameter,
)
from metaxy_dagster.feature_name import FEATURE, FeatureName, feature_name
from metaxy_dagster.functions import AssetFunction, asset_function, combined_signature
from metaxy_dagster.increments import IncrementOutput, frames_of, increment_output
from metaxy_dagster.partition_slices import run_slice
from metaxy_dagster.resource import MetaxyStoreResource
from metaxy_dagster.samples import samples_output
from metaxy_dagster.slices import WHERE, slice_where
from metaxy_dagster.translator import MetaxyTranslator

Orphans = Literal["keep", "delete"]


class AssetOptions(TypedDict, total=False):
    """Options of ``dg.asset`` that ``metaxify`` passes on; see there for what they mean."""

    name: str
    key_prefix: str | Sequence[str]
    key: dg.AssetKey | str | Sequence[str]
    ins: Mapping[str, Any]
    deps: Iterable[Any]
    metadata: Mapping[str, Any]
    tags: Mapping[str, str]
    kinds: AbstractSet[str]
    owners: Sequence[str]
    description: str
    group_name: str
    code_version: str
    automation_condition: dg.AutomationCondition[Any]
    freshness_policy: dg.FreshnessPolicy
    partitions_def: dg.PartitionsDefinition[Any]
    backfill_policy: dg.BackfillPolicy
    retry_policy: dg.RetryPolicy
    pool: str
    op_tags: Mapping[str, Any]
    hooks: AbstractSet[dg.HookDefinition]
    resource_defs: Mapping[str, object]
    required_resource_keys: AbstractSet[str]


@dataclass(frozen=True)
class Settings:
    """What ``metaxify`` itself was told.

    Attributes:
        samples: for a root feature, gives every record that should exist.
        orphans: what to do with stored records that are no longer expected.
        store_key: key of the store resource.
        io_manager_key: key of the IO manager.
        translator: what Dagster should call things.
        where: the value of some columns in all records that the asset handles.
    """

    samples: Callable[..., Any] | None
    orphans: Orphans
    store_key: str
    io_manager_key: str
    translator: MetaxyTranslator
    where: Mapping[str, Any] | None = None


def increment_asset(
    function: Callable[..., Any], feature: FeatureName, settings: Settings, options: AssetOptions
) -> dg.AssetsDefinition:
    """The asset of a feature whose records a function computes.

    Args:
        function: the function.
        feature: the feature.
        settings: what ``metaxify`` was told.
        options: options of ``dg.asset``.

    Raises:
        AssetError: function, feature and options do not fit together.
    """
    _check_options(feature, options)
    slice_where(feature, settings.where)
    work = asset_function(function, feature)
    samples = None if settings.samples is None else asset_function(settings.samples, feature)
    _check_parameters(feature, work, samples)
    functions = [work] if samples is None else [work, samples]
    ins = _ins(feature, functions, settings, options.get("ins", {}))
    further = list(options.get("deps", ()))
    taken = {asset_in.key for asset_in in ins.values()}
    taken |= {dg.AssetDep.from_coercible(dep).asset_key for dep in further}
    missing = missing_dep_keys(feature, settings.translator, further)
    deps = [key for key in missing if key not in taken]
    pool = settings.translator.pool(feature.definition)
    asset: dg.AssetsDefinition = dg.asset(
        key=_asset_key(feature, settings, options),
        ins=ins,
        deps=[*further, *deps],
        io_manager_key=settings.io_manager_key,
        description=_description(function, feature, settings, options),
        metadata={
            **options.get("metadata", {}),
            FEATURE: feature,
            **({} if settings.where is None else {WHERE: dict(settings.where)}),
        },
        **({} if pool is None else {"pool": pool}) | _passed_on(options),
    )(_compute(feature, work, samples, settings, options))
    return asset.map_asset_specs(lambda spec: enriched_spec(spec, feature, settings.translator))


# --------------------------------------------------------------------------- running


def _compute(
    feature: FeatureName,
    work: AssetFunction,
    samples: AssetFunction | None,
    settings: Settings,
    options: AssetOptions,
) -> Callable[..., IncrementOutput]:
    """The function that Dagster calls: resolve, and hand the work on to the IO manager."""
    where = slice_where(feature, settings.where)

    def compute(context: dg.AssetExecutionContext, **arguments: Any) -> IncrementOutput:
        started = time.monotonic()
        part = where & run_slice(context, feature)
        with ExitStack() as opened:
            store = opened.enter_context(arguments[settings.store_key].open())
            if work.takes_increment:
                output = increment_output(
                    feature,
                    store,
                    None if samples is None else samples.call(context, arguments),
                    lambda increment: work.call(context, arguments, increment),
                    context.log.info,
                    part,
                )
            else:
                frames = frames_of(feature, work.call(context, arguments))
                output = samples_output(feature, store, frames, context.log.info, part)
            output.deletes_orphans = settings.orphans == "delete"
            output.opened, output.started = opened.pop_all(), started
            return output

    functools.update_wrapper(compute, work.function, updated=())
    resources: dict[str, Any] = dict.fromkeys(
        options.get("required_resource_keys", ()),
        dg.ResourceParam[Any],  # type: ignore[misc]
    )
    resources[settings.store_key] = MetaxyStoreResource
    functions = [work] if samples is None else [work, samples]
    compute.__signature__ = combined_signature(functions, resources, feature)  # type: ignore[attr-defined]
    return compute


# --------------------------------------------------------------------------- defining


def _asset_key(feature: FeatureName, settings: Settings, options: AssetOptions) -> dg.AssetKey:
    if "key" in options:
        return dg.AssetKey.from_coercible(options["key"])
    path = list(own_key(feature, settings.translator, settings.where).path)
    if "name" in options:
        path[-1] = options["name"]
    prefix = options.get("key_prefix", ())
    return dg.AssetKey([*([prefix] if isinstance(prefix, str) else prefix), *path])


def _description(
    function: Callable[..., Any], feature: FeatureName, settings: Settings, options: AssetOptions
) -> str | None:
    described = options.get("description") or settings.translator.description(feature.definition)
    return described or function.__doc__


def _passed_on(options: AssetOptions) -> dict[str, Any]:
    own = ("name", "key_prefix", "key", "ins", "deps", "metadata", "description")
    return {
        name: value
        for name, value in options.items()
        if name not in (*own, "required_resource_keys")
    }


def _check_options(feature: FeatureName, options: AssetOptions) -> None:
    known = AssetOptions.__annotations__
    unknown = [name for name in options if name not in known]
    if unknown:
        raise InvalidOptions(
            f"@metaxify({str(feature)!r}) does not know the option(s) {', '.join(unknown)}; it "
            f"passes on {', '.join(known)} to dg.asset."
        )


def _check_parameters(
    feature: FeatureName, work: AssetFunction, samples: AssetFunction | None
) -> None:
    plan = feature.plan
    if not plan.is_root:
        if samples is not None:
            raise UnexpectedSamples.from_asset(
                feature, "its feature has deps, from which its records follow"
            )
        if not work.takes_increment:
            raise MissingIncrement.from_deps(feature, [dep.feature for dep in plan.deps])
    elif work.takes_increment and samples is None:
        raise MissingSamples.from_asset(feature)
    elif samples is not None and not work.takes_increment:
        raise UnexpectedSamples.from_asset(
            feature, "its function takes no 'increment' and so returns the samples itself"
        )


def _ins(
    feature: FeatureName,
    functions: Sequence[AssetFunction],
    settings: Settings,
    given: Mapping[str, Any],
) -> dict[str, dg.AssetIn]:
    """The assets to load, one for each parameter that is one."""
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
