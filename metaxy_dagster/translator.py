"""What Dagster calls a feature's asset is decided here, so that a project can decide otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from metaxy_core.definition import FeatureDefinition
from metaxy_dagster.feature_name import FEATURE, feature_tag

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")


class MetaxyTranslator:
    """From a feature's definition to the attributes of its asset; override what should differ.

    What an author writes at the asset itself goes before all of this; tags, kinds and metadata are
    added to the author's.

    Args:
        store_kind: kind that the store's icon is shown for; None for none.

    Example:
        >>> class Media(MetaxyTranslator):
        ...     def asset_key(self, definition: FeatureDefinition) -> dg.AssetKey:
        ...         return super().asset_key(definition).with_prefix("media")
        ...
        ...     def pool(self, definition: FeatureDefinition) -> str | None:
        ...         return "gpu" if "gpu" in definition.spec.tags else None
    """

    def __init__(self, *, store_kind: str | None = "duckdb") -> None:
        self._store_kind = store_kind

    @property
    def store_kind(self) -> str | None:
        """Kind of the store that tables are in, or None where it is not to be shown."""
        return self._store_kind

    def asset_key(self, definition: FeatureDefinition) -> dg.AssetKey:
        """Key by which downstream features find the asset: the parts of the feature's key."""
        return dg.AssetKey(list(definition.key.parts))

    def slice_key(self, definition: FeatureDefinition, where: Mapping[str, Any]) -> dg.AssetKey:
        """Key of an asset that holds the records with fixed values: the values, below the key."""
        values = (_NOT_IN_NAMES.sub("_", str(value)) for value in where.values())
        return dg.AssetKey([*self.asset_key(definition).path, *values])

    def group_name(self, definition: FeatureDefinition) -> str | None:
        """Group: the first part of the key; a key of one part stays in the default group."""
        first, *rest = definition.key.parts
        return first.replace("-", "_") if rest else None

    def description(self, definition: FeatureDefinition) -> str | None:
        """What the asset page says: the spec's description or the docstring of the class."""
        return definition.description

    def kinds(self, definition: FeatureDefinition) -> set[str]:
        """Icons: ``metaxy`` and the kind of store."""
        del definition
        return {"metaxy"} if self._store_kind is None else {"metaxy", self._store_kind}

    def tags(self, definition: FeatureDefinition) -> Mapping[str, str]:
        """Tags to select by: the feature's key, its parts joined by dots."""
        tag = feature_tag(definition.key)
        return {} if tag is None else {FEATURE: tag}

    def owners(self, definition: FeatureDefinition) -> Sequence[str]:
        """Owners of the asset: none, unless overridden."""
        del definition
        return ()

    def metadata(self, definition: FeatureDefinition) -> Mapping[str, Any]:
        """Metadata beside what is always there: the ``metadata`` of the feature's spec."""
        return definition.spec.metadata

    def automation_condition(
        self, definition: FeatureDefinition
    ) -> dg.AutomationCondition[Any] | None:
        """When Dagster materializes the asset by itself: never, unless overridden."""
        del definition
        return None

    def pool(self, definition: FeatureDefinition) -> str | None:
        """The pool that limits how many of the asset's steps run at once: none.

        It is given to assets that are made of functions; one that exists already has its own.
        """
        del definition
        return None
