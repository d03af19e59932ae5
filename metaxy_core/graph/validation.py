"""What contradicts the graph is refused when it is added, with the feature and the fix named."""

from __future__ import annotations

from collections.abc import Mapping

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import (
    ColumnCollision,
    DuplicateFeature,
    IdColumnMismatch,
    InvalidSpec,
    TableCollision,
    UnknownColumn,
    UnknownFeature,
    UnknownField,
)
from metaxy_core.graph import topology
from metaxy_core.graph.plan import grain_of, renamed_ids
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.dependency import FeatureDep

Definitions = Mapping[FeatureKey, FeatureDefinition]


def check_addition(added: FeatureDefinition, definitions: Definitions) -> None:
    """Check a definition, and the ones that were waiting for it, against all that are known."""
    _check_table(added, definitions)
    waiting = [
        definition
        for definition in definitions.values()
        if any(dep.feature == added.key for dep in definition.spec.deps)
    ]
    if waiting:  # otherwise nothing leads back to what was added
        topology.ordered(definitions)
    for definition in (added, *waiting):
        _check_wiring(definition, definitions)


def check_replacement(former: FeatureDefinition, definition: FeatureDefinition) -> None:
    """Only the same class takes the place of a definition, or what another project has of it."""
    if (former.external or definition.external) and former.project != definition.project:
        raise DuplicateFeature.from_projects(definition.key, former.project, definition.project)
    if former.external or definition.external:
        return
    if former.origin != definition.origin:
        raise DuplicateFeature.from_origins(definition.key, former.origin, definition.origin)


def check_complete(definitions: Definitions) -> None:
    """Every dependency has to be known."""
    for definition in definitions.values():
        for dep in definition.spec.deps:
            if dep.feature not in definitions:
                raise UnknownFeature.from_dependency(
                    definition.key, dep.feature, [k for k in definitions if k != definition.key]
                )


def _check_table(added: FeatureDefinition, definitions: Definitions) -> None:
    for other in definitions.values():
        if other.key != added.key and other.table.lower() == added.table.lower():
            raise TableCollision.from_keys(other.key, added.key, added.table)


def _check_wiring(definition: FeatureDefinition, definitions: Definitions) -> None:
    _check_field_deps(definition, definitions)
    known = [dep for dep in definition.spec.deps if dep.feature in definitions]
    for dep in known:
        _check_fields_mapping(definition, dep, definitions[dep.feature])
        _check_dep_columns(definition, dep, definitions[dep.feature], definitions)
        _check_id_columns(definition, dep, definitions[dep.feature], definitions)
    if known and len(known) == len(definition.spec.deps):
        _check_anchor(definition, definitions)
    _check_collisions(definition, known, definitions)


def _check_field_deps(definition: FeatureDefinition, definitions: Definitions) -> None:
    deps = [dep.feature for dep in definition.spec.deps]
    for field in definition.spec.fields:
        for field_dep in field.deps or ():
            if field_dep.feature not in deps:
                raise UnknownField.from_field_dep(
                    definition.key, field.key, field_dep.feature, deps
                )
            upstream = definitions.get(field_dep.feature)
            if upstream is None:
                continue
            for read in field_dep.fields or ():
                if read not in upstream.spec.field_keys:
                    raise UnknownField.from_dependency(
                        definition.key, field.key, upstream.key, read, upstream.spec.field_keys
                    )


def _check_fields_mapping(
    definition: FeatureDefinition, dep: FeatureDep, upstream: FeatureDefinition
) -> None:
    mapped = dep.fields_mapping.fields if dep.fields_mapping else {}
    for own, reads in mapped.items():
        for read in reads:
            if read not in upstream.spec.field_keys:
                raise UnknownField.from_dependency(
                    definition.key, own, upstream.key, read, upstream.spec.field_keys
                )


def _check_dep_columns(
    definition: FeatureDefinition,
    dep: FeatureDep,
    upstream: FeatureDefinition,
    definitions: Definitions,
) -> None:
    if upstream.has_open_columns:
        return
    available = _known_columns(upstream, definitions)
    used = [*(dep.columns or ()), *dep.rename]
    if dep.parsed_filter is not None:
        used += sorted(dep.parsed_filter.columns)
    for column in used:
        if column not in available:
            raise UnknownColumn.from_available(
                upstream.key, column, available, f"Feature '{definition.key}'"
            )


def _check_id_columns(
    definition: FeatureDefinition,
    dep: FeatureDep,
    upstream: FeatureDefinition,
    definitions: Definitions,
) -> None:
    grain = grain_of(definition.spec, definitions)
    given = renamed_ids(dep, upstream)
    if dep.lineage.kind == "aggregation":
        _check_group(definition, dep, upstream, definitions)
    elif dep.lineage.kind == "expansion" and set(dep.lineage.on or given) != set(given):
        raise IdColumnMismatch(
            f"Feature '{definition.key}' expands '{upstream.key}' on {list(dep.lineage.on)}, but "
            f"its records are identified by {list(given)}; give expansion(on={list(given)})."
        )
    elif finer := [name for name in given if name not in grain]:
        raise IdColumnMismatch(
            f"Feature '{definition.key}' works on records of {list(grain)}, but its dep "
            f"'{upstream.key}' is identified by {list(given)}: {finer} would be lost. Add them to "
            f"id_columns, map them with FeatureDep(rename={{...}}), or group them with "
            f"FeatureDep(lineage=aggregation())."
        )


def _check_group(
    definition: FeatureDefinition,
    dep: FeatureDep,
    upstream: FeatureDefinition,
    definitions: Definitions,
) -> None:
    grain = grain_of(definition.spec, definitions)
    on = dep.lineage.on or grain
    if set(on) != set(grain):
        raise IdColumnMismatch(
            f"Feature '{definition.key}' aggregates '{upstream.key}' on {list(on)}, but works on "
            f"records of {list(grain)}; group on the same columns."
        )
    if dep.columns:
        raise InvalidSpec(
            f"Feature '{definition.key}' aggregates '{upstream.key}' and asks for its columns "
            f"{list(dep.columns)}; a group has no one value of them. Leave columns out, and read "
            f"the members with store.read."
        )
    available = {dep.rename.get(name, name) for name in _known_columns(upstream, definitions)}
    if not upstream.has_open_columns and (missing := sorted(set(on) - available)):
        raise IdColumnMismatch(
            f"Feature '{definition.key}' aggregates '{upstream.key}' on {missing}, which it does "
            f"not have; it has {sorted(available)}. Correct `on`, or map names with rename."
        )


def _check_anchor(definition: FeatureDefinition, definitions: Definitions) -> None:
    grain = set(grain_of(definition.spec, definitions))
    given = {dep.feature: _given(dep, definitions, grain) for dep in definition.spec.deps}
    required = [dep for dep in definition.spec.deps if not dep.optional]
    if required and any(given[dep.feature] >= grain for dep in required):
        return
    if not required and all(columns >= grain for columns in given.values()):
        return
    offered = set().union(*(given[dep.feature] for dep in required or definition.spec.deps))
    missing = sorted(grain - offered) or sorted(grain)
    raise IdColumnMismatch(
        f"Feature '{definition.key}' works on records of {sorted(grain)}, but no "
        f"{'required ' if required else ''}dep gives {missing}. Correct id_columns, or map the "
        f"dep's id with FeatureDep(rename={{...}})."
    )


def _given(dep: FeatureDep, definitions: Definitions, grain: set[str]) -> set[str]:
    if dep.lineage.kind == "aggregation":
        return grain
    return set(renamed_ids(dep, definitions[dep.feature]))


def _known_columns(upstream: FeatureDefinition, definitions: Definitions) -> list[str]:
    declared = (column.name for column in upstream.value_columns)
    keys = (*upstream.spec.id_columns, *grain_of(upstream.spec, definitions))
    return list(dict.fromkeys((*keys, *declared)))


def _check_collisions(
    definition: FeatureDefinition, deps: list[FeatureDep], definitions: Definitions
) -> None:
    brought: dict[str, FeatureKey] = {}
    for dep in deps:
        for name in carried_columns(dep, definitions[dep.feature]):
            folded = name.lower()
            if folded in {own.lower() for own in grain_of(definition.spec, definitions)}:
                raise ColumnCollision.from_id(definition.key, name, name, dep.feature)
            if folded in brought:
                raise ColumnCollision.from_deps(definition.key, name, brought[folded], dep.feature)
            brought[folded] = dep.feature


def carried_columns(dep: FeatureDep, upstream: FeatureDefinition) -> list[str]:
    """The names, as renamed, of the declared columns that a dep brings along."""
    if dep.lineage.kind == "aggregation":
        return []
    declared = [column.name for column in upstream.value_columns]
    chosen = declared if dep.columns is None else dep.columns
    return [dep.rename.get(n, n) for n in chosen if n not in upstream.spec.id_columns]
