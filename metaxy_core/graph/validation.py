"""What contradicts the graph is refused when it is added, with the feature and the fix named."""

from __future__ import annotations

from collections.abc import Mapping

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import (
    ColumnCollision,
    IdColumnMismatch,
    TableCollision,
    UnknownColumn,
    UnknownFeature,
    UnknownField,
)
from metaxy_core.graph import topology
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.dependency import FeatureDep
from metaxy_core.specs.filter import columns_of

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
        _check_dep_columns(definition, dep, definitions[dep.feature])
        _check_id_columns(definition, dep, definitions[dep.feature])
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


def _check_dep_columns(
    definition: FeatureDefinition, dep: FeatureDep, upstream: FeatureDefinition
) -> None:
    if upstream.has_open_columns:
        return
    available = [*upstream.spec.id_columns, *(column.name for column in upstream.value_columns)]
    used = [*(dep.columns or ()), *dep.rename]
    if dep.predicate is not None:
        used += sorted(columns_of(dep.predicate))
    for column in used:
        if column not in available:
            raise UnknownColumn.from_available(
                upstream.key, column, available, f"Feature '{definition.key}'"
            )


def _check_id_columns(
    definition: FeatureDefinition, dep: FeatureDep, upstream: FeatureDefinition
) -> None:
    own = definition.spec.id_columns
    given = [dep.rename.get(name, name) for name in upstream.spec.id_columns]
    finer = [name for name in given if name not in own]
    if finer:
        raise IdColumnMismatch(
            f"Feature '{definition.key}' has id columns {list(own)}, but its dep "
            f"'{upstream.key}' is identified by {given}: {finer} would be lost. Add them to "
            f"id_columns, or map them with FeatureDep(rename={{...}})."
        )


def _check_anchor(definition: FeatureDefinition, definitions: Definitions) -> None:
    own = set(definition.spec.id_columns)
    complete = {
        dep.feature: {dep.rename.get(n, n) for n in definitions[dep.feature].spec.id_columns} >= own
        for dep in definition.spec.deps
    }
    required = [dep for dep in definition.spec.deps if not dep.optional]
    if required and any(complete[dep.feature] for dep in required):
        return
    if not required and all(complete.values()):
        return
    given = set().union(
        *(
            {dep.rename.get(n, n) for n in definitions[dep.feature].spec.id_columns}
            for dep in required or definition.spec.deps
        )
    )
    missing = sorted(own - given) or sorted(own)
    raise IdColumnMismatch(
        f"Feature '{definition.key}' has id columns {list(definition.spec.id_columns)}, but no "
        f"{'required ' if required else ''}dep gives {missing}. Correct id_columns, or map the "
        f"dep's id with FeatureDep(rename={{...}})."
    )


def _check_collisions(
    definition: FeatureDefinition, deps: list[FeatureDep], definitions: Definitions
) -> None:
    brought: dict[str, FeatureKey] = {}
    for dep in deps:
        for name in carried_columns(dep, definitions[dep.feature]):
            if name in definition.spec.id_columns:
                raise ColumnCollision(
                    f"Dep '{dep.feature}' of '{definition.key}' brings column {name!r}, which is "
                    f"an id column there; rename it with FeatureDep(rename={{...}})."
                )
            if name in brought:
                raise ColumnCollision.from_deps(definition.key, name, brought[name], dep.feature)
            brought[name] = dep.feature


def carried_columns(dep: FeatureDep, upstream: FeatureDefinition) -> list[str]:
    """The names, as renamed, of the declared columns that a dep brings along."""
    declared = [column.name for column in upstream.value_columns]
    chosen = declared if dep.columns is None else dep.columns
    return [dep.rename.get(n, n) for n in chosen if n not in upstream.spec.id_columns]
