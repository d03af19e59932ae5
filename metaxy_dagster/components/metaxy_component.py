"""A graph of features becomes assets, sensors, schedules and checks by a few lines of YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Annotated, Any

import dagster as dg
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import BaseModel, Field, field_validator, model_validator

from metaxy_core.config import Config
from metaxy_core.definition import FeatureDefinition
from metaxy_dagster.automation import on_upstream_change
from metaxy_dagster.components.attributes import said, strict_model, with_known_keys
from metaxy_dagster.components.automation import Checks, Schedule, Sensor
from metaxy_dagster.components.building import ComponentBuild
from metaxy_dagster.components.compute import ResolvedComputes, to_computes
from metaxy_dagster.components.references import References
from metaxy_dagster.components.scaffolding import MetaxyScaffolder
from metaxy_dagster.components.stores import (
    ResolvedStore,
    project_config,
    store_resource,
    store_resources,
)
from metaxy_dagster.components.translation import TranslatedNames
from metaxy_dagster.resource import IO_MANAGER_KEY, STORE_KEY
from metaxy_dagster.translator import MetaxyTranslator

_CALLED = "MetaxyComponent"

Translation = Annotated[
    TranslationFn[FeatureDefinition],
    TranslationFnResolver[FeatureDefinition](lambda definition: {"feature": definition}),
]


@dg.scaffold_with(MetaxyScaffolder)
class MetaxyComponent(dg.Component, dg.Resolvable, dg.Model):
    """Features as assets, with the functions, sensors, schedules and checks that YAML names.

    The features are those of ``feature_module``, or without it those that the entrypoints of the
    project's metaxy.toml define. Each becomes, as with ``load_feature_assets``, the asset of the
    function that ``compute`` names, the asset that a module holds for it, or else an external
    asset. A metaxy.toml in the root of the dg project, or above it, is read as ``mx.init()`` does.

    Relative paths of databases start at the root of the dg project, the folder with its
    pyproject.toml or dg.toml, wherever ``dg`` is called. Names of modules that begin with a dot are
    looked for beside defs.yaml.

    A feature under ``compute`` with ``batch_size`` has an ``increment_partitions`` sensor, also
    where ``sensors`` does not list it.

    Attributes:
        feature_module: module or modules that define or import the features; assets of features
            in them are taken along.
        selection: narrows the features: ``shop/*``, ``+tag:gpu``.
        compute: functions by feature.
        store: the store; None where the project has the resources already.
        store_key: resource key of the store.
        io_manager_key: resource key of the IO manager.
        sensors: sensors.
        schedules: schedules.
        checks: asset checks.
        translation: what Dagster calls things; templates know ``feature``, the definition, and
            ``spec``.

    Raises:
        InvalidComponent: an attribute cannot be used; the message names it, and the feature.

    Example:
        >>> component = MetaxyComponent(
        ...     feature_module="shop.features",
        ...     compute={"shop/face": {"function": "shop.work:faces", "chunk_size": 1_000}},
        ...     store="data/metadata.duckdb",
        ... )
        >>> print(*(each.chunk_size for each in component.compute["shop/face"]))
        1000
    """

    feature_module: Annotated[
        str | list[str] | None,
        said(
            "Module or modules of features, and of assets of them.",
            "shop.features",
            [".features", "shop.assets"],
        ),
    ] = None
    selection: Annotated[
        str | None,
        said("Narrows the features.", "shop/*", "+tag:gpu"),
    ] = None
    compute: ResolvedComputes = Field(default_factory=dict)
    store: ResolvedStore = None
    store_key: Annotated[str, said("Resource key of the MetaxyStoreResource.")] = STORE_KEY
    io_manager_key: Annotated[str, said("Resource key of the MetaxyIOManager.")] = IO_MANAGER_KEY
    sensors: Annotated[list[Sensor], said("Sensors.")] = Field(default_factory=list)
    schedules: Annotated[list[Schedule], said("Schedules.")] = Field(default_factory=list)
    checks: Annotated[list[Checks], said("Asset checks.")] = Field(default_factory=list)
    translation: Translation | None = None

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: Any) -> Any:
        return with_known_keys(values, _CALLED, list(cls.model_fields))

    @field_validator("compute", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return to_computes(given)

    @classmethod
    def model(cls) -> type[BaseModel]:
        """What checks the YAML."""
        return strict_model(super().model(), _CALLED)

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What ``dg`` says of the component."""
        produces = ["asset", "asset_check", "schedule", "sensor", "resource"]
        return dg.ComponentTypeSpec(
            description="Features as assets that compute only what changed.", produces=produces
        )

    @classmethod
    def get_additional_scope(cls) -> Mapping[str, Any]:
        """What templates may call: ``{{ on_upstream_change() }}``."""
        return {**super().get_additional_scope(), "on_upstream_change": on_upstream_change}

    def base_translator(self) -> MetaxyTranslator:
        """What things are called before ``translation``; a subclass may call them otherwise."""
        return MetaxyTranslator()

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets, sensors, schedules and checks, and the store's resources."""
        config = project_config(context.project_root)
        config.import_entrypoints()
        references = References(context)
        build = ComponentBuild.of(
            references,
            self._modules(references),
            self.selection,
            self.compute,
            self._translator(),
            self.store_key,
            self.io_manager_key,
        )
        return dg.Definitions(
            assets=build.assets,
            sensors=build.sensors(self.sensors),
            schedules=[each.schedule(build.specs, self.store_key) for each in self.schedules],
            asset_checks=[
                check
                for each in self.checks
                for check in each.definitions(build.specs, references.function, self.store_key)
            ],
            resources=self._resources(context, config),
        )

    def _modules(self, references: References) -> Sequence[ModuleType]:
        named = self.feature_module or []
        names = [named] if isinstance(named, str) else named
        return [references.module("feature_module", name) for name in names]

    def _translator(self) -> MetaxyTranslator:
        names = self.base_translator()
        return names if self.translation is None else TranslatedNames(names, self.translation)

    def _resources(self, context: dg.ComponentLoadContext, config: Config) -> dict[str, Any]:
        if self.store is None:
            return {}
        store = store_resource(self.store, context.project_root, config)
        return store_resources(store, self.store_key, self.io_manager_key)
