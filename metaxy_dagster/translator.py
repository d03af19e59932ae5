"""What Dagster calls a feature's asset is decided here, so that a project can decide otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from metaxy_core.definition import FeatureDefinition

_LONGEST_TAG = 63


class MetaxyTranslator:
    """From a feature's definition to the attributes of its asset; override what should differ.

    What an author writes at the asset itself goes before all of this.

    Args:
        store_kind: kind that the store's icon is shown for; None for none.

    Example:
        >>> class Media(MetaxyTranslator):
        ...     def asset_key(self, definition: FeatureDefinition) -> dg.AssetKey:
        ...         return super().asset_key(definition).with_prefix("media")
    """

    def __init__(self, *, store_kind: str | None = "duckdb") -> None:
        self._store_kind = store_kind

    def asset_key(self, definition: FeatureDefinition) -> dg.AssetKey:
        """Key by which downstream features find the asset: the parts of the feature's key."""
        return dg.AssetKey(list(definition.key.parts))

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
        text = ".".join(definition.key.parts)
        return {"metaxy/feature": text} if len(text) <= _LONGEST_TAG else {}

    def owners(self, definition: FeatureDefinition) -> Sequence[str]:
        """Owners of the asset: none, unless overridden."""
        del definition
        return ()

    def metadata(self, definition: FeatureDefinition) -> Mapping[str, Any]:
        """Metadata beside what is always there: the ``metadata`` of the feature's spec."""
        return definition.spec.metadata
