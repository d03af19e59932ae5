"""``translation:`` of a component says in YAML what a ``MetaxyTranslator`` says in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from metaxy_core.definition import FeatureDefinition
from metaxy_dagster.errors import InvalidComponent
from metaxy_dagster.translator import MetaxyTranslator

if TYPE_CHECKING:
    from dagster.components.utils.translation import TranslationFn

_OF_THE_FEATURE: Final = (
    "deps",
    "code_version",
    "partitions_def",
    "skippable",
    "freshness_policy",
)


class TranslatedNames(MetaxyTranslator):
    """A translator whose names go through a component's ``translation:``.

    Args:
        names: what things are called before.
        translation: from the spec that these make to the one that the component wants.
    """

    def __init__(
        self, names: MetaxyTranslator, translation: TranslationFn[FeatureDefinition]
    ) -> None:
        super().__init__(store_kind=names.store_kind)
        self._names = names
        self._translation = translation

    def asset_key(self, definition: FeatureDefinition) -> dg.AssetKey:
        """The key."""
        return self._spec(definition).key

    def group_name(self, definition: FeatureDefinition) -> str | None:
        """The group."""
        return self._spec(definition).group_name

    def description(self, definition: FeatureDefinition) -> str | None:
        """The description."""
        return self._spec(definition).description

    def kinds(self, definition: FeatureDefinition) -> set[str]:
        """The kinds."""
        return set(self._spec(definition).kinds)

    def tags(self, definition: FeatureDefinition) -> Mapping[str, str]:
        """The tags, but for those that stand for kinds."""
        spec = self._spec(definition)
        kinds = {f"dagster/kind/{kind}" for kind in spec.kinds}
        return {name: value for name, value in spec.tags.items() if name not in kinds}

    def owners(self, definition: FeatureDefinition) -> Sequence[str]:
        """The owners."""
        return self._spec(definition).owners

    def metadata(self, definition: FeatureDefinition) -> Mapping[str, Any]:
        """The metadata."""
        return self._spec(definition).metadata

    def automation_condition(
        self, definition: FeatureDefinition
    ) -> dg.AutomationCondition[Any] | None:
        """The automation condition."""
        return self._spec(definition).automation_condition

    def pool(self, definition: FeatureDefinition) -> str | None:
        """The pool, which a translation does not know."""
        return self._names.pool(definition)

    def _spec(self, definition: FeatureDefinition) -> dg.AssetSpec:
        names = self._names
        before = dg.AssetSpec(
            names.asset_key(definition),
            group_name=names.group_name(definition),
            description=names.description(definition),
            kinds=names.kinds(definition),
            tags=names.tags(definition),
            owners=names.owners(definition),
            metadata=names.metadata(definition),
            automation_condition=names.automation_condition(definition),
        )
        after = self._translation(before, definition)
        changed = [n for n in _OF_THE_FEATURE if getattr(after, n) != getattr(before, n)]
        if changed:
            raise InvalidComponent.from_attribute(
                f"translation.{changed[0]} for feature '{definition.key}'",
                getattr(after, changed[0]),
                "this in post_processing; a translation says names and what goes with them",
            )
        return after
