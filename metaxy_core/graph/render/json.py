"""JSON is for programs: its keys are stable, and its versions whole."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from metaxy_core.definition import FeatureDefinition
from metaxy_core.graph.diff import FeatureDiff, FieldDiff, GraphDiff
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.dependency import FeatureDep


def graph_to_json(graph: FeatureGraph, chosen: Collection[FeatureKey] | None = None) -> str:
    """A graph, or the chosen features of it, as JSON text.

    The object has ``version`` (of the whole graph) and ``features``, upstream first. A feature has
    ``key``, ``version``, ``code_version`` (over its own fields' code versions), ``description``,
    ``id_columns``, ``cost_per_record`` (null where none is declared), ``cost_unit``, ``fields`` and
    ``deps``. A field has ``key``, ``version``, ``code_version`` (as
    its author wrote it), ``reads`` (upstream fields as ``feature.field``) and ``version_from``. A
    dep has ``feature``, ``optional``, ``filter``, ``columns`` (null means all) and ``rename``.
    """
    features = [_feature(graph, d) for d in graph if chosen is None or d.key in chosen]
    return _text({"version": graph.versions.project, "features": features})


def diff_to_json(diff: GraphDiff) -> str:
    """A diff as JSON text.

    The object has ``old_version`` and ``new_version`` (of the whole graphs), ``features`` and
    ``edges``. A feature has ``key``, ``change`` (``added``, ``removed``, ``changed`` or
    ``unchanged``), ``old_version``, ``new_version`` (null where there is none), ``wiring`` (what
    changed, in words) and ``fields``; a field has the same but ``reasons`` for ``wiring``. An edge
    has ``upstream``, ``downstream``, ``optional`` and ``change``.
    """
    edges = [
        {
            "upstream": str(edge.upstream),
            "downstream": str(edge.downstream),
            "optional": edge.optional,
            "change": edge.change.value,
        }
        for edge in diff.edges
    ]
    features = [_feature_diff(feature) for feature in diff.features]
    return _text(
        {"old_version": diff.old, "new_version": diff.new, "features": features, "edges": edges}
    )


def _feature(graph: FeatureGraph, definition: FeatureDefinition) -> dict[str, Any]:
    versions = graph.versions[definition.key]
    fields = [
        {
            "key": str(field.key),
            "version": versions.fields[field.key],
            "code_version": field.code_version,
            "reads": [str(read) for read in field.reads],
            "version_from": list(field.version_from),
        }
        for field in graph.plan(definition.key).fields
    ]
    return {
        "key": str(definition.key),
        "version": versions.feature,
        "code_version": versions.code,
        "description": definition.description,
        "id_columns": list(definition.spec.id_columns),
        "cost_per_record": definition.spec.cost_per_record,
        "cost_unit": definition.spec.cost_unit,
        "fields": fields,
        "deps": [_dep(dep) for dep in definition.spec.deps],
    }


def _dep(dep: FeatureDep) -> dict[str, Any]:
    return {
        "feature": str(dep.feature),
        "optional": dep.optional,
        "filter": dep.filter,
        "columns": None if dep.columns is None else list(dep.columns),
        "rename": dict(dep.rename),
    }


def _feature_diff(feature: FeatureDiff) -> dict[str, Any]:
    fields = [{**_versions(field), "reasons": list(field.reasons)} for field in feature.fields]
    return {**_versions(feature), "wiring": list(feature.wiring), "fields": fields}


def _versions(item: FeatureDiff | FieldDiff) -> dict[str, Any]:
    return {
        "key": str(item.key),
        "change": item.change.value,
        "old_version": item.old,
        "new_version": item.new,
    }


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
