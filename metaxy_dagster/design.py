"""A function, its feature and its options are read together once, whatever asset they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import dagster as dg

from metaxy_core.store.base import MetadataStore
from metaxy_dagster.enriching import asset_keys, dep_keys, enriched_spec, own_key
from metaxy_dagster.errors import (
    InvalidOptions,
    MissingIncrement,
    MissingSamples,
    UnexpectedSamples,
)
from metaxy_dagster.feature_name import FEATURE, FeatureName
from metaxy_dagster.functions import AssetFunction, asset_function
from metaxy_dagster.input_members import of_partitions, partition_metadata
from metaxy_dagster.inputs import asset_ins
from metaxy_dagster.metadata import column_lineage
from metaxy_dagster.options import AssetOptions, Settings, check_options, check_settings
from metaxy_dagster.partition_slices import run_slice
from metaxy_dagster.partitions import Partitions, asset_partitions
from metaxy_dagster.requests import Request
from metaxy_dagster.resource import MetaxyStoreResource
from metaxy_dagster.run_config import LaunchConfig, launch_config
from metaxy_dagster.slices import WHERE, slice_where

BATCH_SIZE: Final = "metaxy/batch_size"
MAX_BATCHES: Final = "metaxy/max_batches"


@dataclass(frozen=True)
class AssetDesign:
    """What an asset is to be.

    Attributes:
        feature: the feature.
        work: the function that computes its records.
        samples: the function that gives a root's samples, or None.
        config: the config that runs can be given.
        ins: the assets to load, by parameter.
        partitions: how its records are divided into partitions, or None.
        settings: what ``metaxify`` was told.
        options: options of ``dg.asset``.
    """

    feature: FeatureName
    work: AssetFunction
    samples: AssetFunction | None
    config: LaunchConfig
    ins: Mapping[str, dg.AssetIn]
    partitions: Partitions | None
    settings: Settings
    options: AssetOptions

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        feature: FeatureName,
        settings: Settings,
        options: AssetOptions,
    ) -> Self:
        """Read a function and its options.

        Raises:
            AssetError: function, feature and options do not fit together.
        """
        check_options(feature, options)
        check_settings(feature, settings)
        slice_where(feature, settings.where)
        work = asset_function(function, feature)
        samples = None if settings.samples is None else asset_function(settings.samples, feature)
        _check_parameters(feature, work, samples)
        functions = [work] if samples is None else [work, samples]
        config = launch_config(functions, settings.limit, feature)
        ins = asset_ins(feature, functions, settings, options.get("ins", {}))
        partitions = asset_partitions(feature, _key(feature, settings, options), settings)
        if partitions is not None:
            _check_partitions(feature, partitions, options)
        ins = of_partitions(ins, feature, partitions)
        return cls(feature, work, samples, config, ins, partitions, settings, options)

    @property
    def is_whole(self) -> bool:
        """Whether one step computes the increment."""
        return self.settings.chunk_size is None

    @property
    def functions(self) -> list[AssetFunction]:
        """The functions that Dagster gives arguments for."""
        return [self.work] if self.samples is None else [self.work, self.samples]

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return _key(self.feature, self.settings, self.options)

    @property
    def deps(self) -> list[Any]:
        """The assets that come before and are not loaded."""
        further = list(self.options.get("deps", ()))
        taken = {asset_in.key for asset_in in self.ins.values()}
        taken |= {dg.AssetDep.from_coercible(dep).asset_key for dep in further}
        missing = dep_keys(self.feature, self.settings.translator, further)
        return [*further, *(key for key in missing if key not in taken)]

    @property
    def description(self) -> str | None:
        """What the asset's page says."""
        described = self.settings.translator.description(self.feature.definition)
        return self.options.get("description") or described or self.work.function.__doc__

    @property
    def metadata(self) -> dict[str, Any]:
        """The asset's metadata, before its feature's is added."""
        metadata = {**self.options.get("metadata", {}), FEATURE: self.feature}
        if self.settings.batch_size is not None:
            metadata[BATCH_SIZE] = self.settings.batch_size
            metadata[MAX_BATCHES] = self.settings.max_batches
        metadata |= partition_metadata(self.partitions)
        if self.settings.where is not None:
            metadata[WHERE] = dict(self.settings.where)
        return metadata

    @property
    def resources(self) -> dict[str, Any]:
        """Resources that no function takes as a parameter, and their annotations."""
        keys = self.options.get("required_resource_keys", ())
        resources: dict[str, Any] = dict.fromkeys(keys, dg.ResourceParam[Any])  # type: ignore[misc]
        return {**resources, self.settings.store_key: MetaxyStoreResource}

    @property
    def column_lineage(self) -> dg.TableColumnLineage:
        """Where the feature's columns come from."""
        return column_lineage(self.feature.plan, asset_keys(self.feature, self.settings.translator))

    @property
    def partitions_def(self) -> dg.PartitionsDefinition[Any] | None:
        """The asset's partitions."""
        if self.partitions is None:
            return self.options.get("partitions_def")
        return self.partitions.definition

    @property
    def pool(self) -> str | None:
        """The pool of the step that calls the function."""
        return self.options.get("pool") or self.settings.translator.pool(self.feature.definition)

    def parted(
        self, context: Any, arguments: Mapping[str, Any], store: MetadataStore
    ) -> tuple[Request, dict[str, Any]]:
        """Which part of the increment a run handles, and the arguments of the function.

        Args:
            context: of the step.
            arguments: what Dagster gives.
            store: the store.

        Raises:
            InvalidOptions: the asset has partitions, and the run is not about one of them.
        """
        request, rest = self.config.parted(arguments)
        part = slice_where(self.feature, self.settings.where) & run_slice(context, self.feature)
        request = replace(request, part=part)
        if self.partitions is None:
            return request, rest
        if not context.has_partition_key:
            raise InvalidOptions.from_no_partition(self.feature)
        key, partitions = context.partition_key, self.partitions
        members = partitions.members(key, self.feature, store)
        request = replace(request, partition=key, lasting=partitions.lasting, among=members)
        elsewhere = partitions.planned_elsewhere(key, self.feature, store)
        return request.without(elsewhere, self.feature, store), rest

    def passed_on(self, *own: str) -> dict[str, Any]:
        """The options that ``dg.asset`` gets as they are.

        Args:
            *own: names of further options that it does not.
        """
        taken = ("name", "key_prefix", "key", "ins", "deps", "metadata", "description", "pool")
        left_out = (*taken, "required_resource_keys", "partitions_def", *own)
        return {name: value for name, value in self.options.items() if name not in left_out}

    def enriched(self, assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
        """The asset with all that its feature tells."""
        translator = self.settings.translator
        return assets.map_asset_specs(lambda spec: enriched_spec(spec, self.feature, translator))


def _key(feature: FeatureName, settings: Settings, options: AssetOptions) -> dg.AssetKey:
    if "key" in options:
        return dg.AssetKey.from_coercible(options["key"])
    path = list(own_key(feature, settings.translator, settings.where).path)
    if "name" in options:
        path[-1] = options["name"]
    prefix = options.get("key_prefix", ())
    return dg.AssetKey([*([prefix] if isinstance(prefix, str) else prefix), *path])


def _check_partitions(feature: FeatureName, partitions: Partitions, options: AssetOptions) -> None:
    if "partitions_def" in options:
        raise InvalidOptions.from_partitions(feature, partitions.definition)
    policy = options.get("backfill_policy")
    if policy is not None and policy.max_partitions_per_run != 1:
        raise InvalidOptions.from_backfill_policy(feature, policy)


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
