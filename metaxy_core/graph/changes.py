"""Changes of code that somebody thinks of making, so that their price can be known before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import UnknownField
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey, FieldKey, KeyLike
from metaxy_core.specs.field import FieldSpec

Changes = Mapping[FeatureKey, frozenset[FieldKey]]


def declared_changes(graph: FeatureGraph, changed: Iterable[KeyLike]) -> Changes:
    """The fields whose code changes, for each feature that has any.

    Args:
        graph: where the features are.
        changed: fields as ``"feature.field"``, and features of which every field changes.

    Raises:
        UnknownFeature: the graph does not hold a feature.
        UnknownField: a feature does not have a field.

    Example:
        >>> from metaxy_core.specs.feature import FeatureSpec
        >>> spec = FeatureSpec(key="example/video", fields=["audio", "frames"])
        >>> graph = FeatureGraph([FeatureDefinition(spec=spec)])
        >>> declared_changes(graph, ["example/video.audio"])
        {FeatureKey('example/video'): frozenset({FieldKey('audio')})}
    """
    found: dict[FeatureKey, frozenset[FieldKey]] = {}
    for change in changed:
        feature, field = _parted(change)
        definition = graph[feature]
        known = definition.spec.field_keys
        if field is not None and field not in known:
            raise UnknownField.from_feature(definition.key, field, known)
        fields = frozenset(known if field is None else (field,))
        found[definition.key] = found.get(definition.key, frozenset()) | fields
    return found


def with_changes(graph: FeatureGraph, changes: Changes) -> FeatureGraph:
    """The graph as it would be after some changes; the same one where there are none."""
    if not changes:
        return graph
    return FeatureGraph(_changed(item, changes.get(item.key, frozenset())) for item in graph)


def _parted(change: KeyLike) -> tuple[KeyLike, FieldKey | None]:
    if not isinstance(change, str) or "." not in change:
        return change, None
    feature, _, field = change.rpartition(".")
    return feature, FieldKey(field)


def _changed(definition: FeatureDefinition, fields: frozenset[FieldKey]) -> FeatureDefinition:
    if not fields:
        return definition
    spec = definition.spec
    bumped = tuple(_bumped(field) if field.key in fields else field for field in spec.fields)
    return definition.model_copy(update={"spec": spec.model_copy(update={"fields": bumped})})


def _bumped(field: FieldSpec) -> FieldSpec:
    """The field under a code version that it does not have."""
    return field.model_copy(update={"code_version": f"{field.code_version} (changed)"})
