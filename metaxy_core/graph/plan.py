"""A plan is one feature's wiring with every default resolved; the engine decides nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metaxy_core.definition import FeatureDefinition
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.specs.dependency import FeatureDep
from metaxy_core.specs.feature import FeatureSpec
from metaxy_core.specs.field import FieldSpec
from metaxy_core.specs.filter import Predicate

Definitions = Mapping[FeatureKey, FeatureDefinition]


@dataclass(frozen=True, order=True)
class UpstreamField:
    """A field of an upstream feature."""

    feature: FeatureKey
    field: FieldKey

    def __str__(self) -> str:
        return f"{self.feature}.{self.field}"


@dataclass(frozen=True)
class FieldPlan:
    """What one field's version is made of.

    Attributes:
        key: the field.
        code_version: its author's version.
        reads: the upstream fields it reads, sorted; empty on a root feature.
        version_from: on a root feature, the sample columns that make its version.
    """

    key: FieldKey
    code_version: str
    reads: tuple[UpstreamField, ...]
    version_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class DepPlan:
    """How one upstream feature is brought to the feature's records.

    Attributes:
        feature: the upstream feature.
        ids: pairs of the upstream's id column and its name here.
        columns: pairs of the columns carried and their names here; None means all there are.
        rename: the renames, for columns that are only known in the store.
        predicate: records that fail it count as missing.
        optional: whether a record may exist without this dep's.
        code_versions: current code version of each upstream field that is read.
    """

    feature: FeatureKey
    ids: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str], ...] | None
    rename: tuple[tuple[str, str], ...]
    predicate: Predicate | None
    optional: bool
    code_versions: tuple[tuple[FieldKey, str], ...]

    @property
    def fields(self) -> tuple[FieldKey, ...]:
        """The upstream fields that are read."""
        return tuple(key for key, _ in self.code_versions)


@dataclass(frozen=True)
class FeaturePlan:
    """A feature's wiring."""

    definition: FeatureDefinition
    id_columns: tuple[str, ...]
    fields: tuple[FieldPlan, ...]
    deps: tuple[DepPlan, ...]

    @property
    def key(self) -> FeatureKey:
        """The feature."""
        return self.definition.key

    @property
    def is_root(self) -> bool:
        """Whether the records come from samples."""
        return not self.deps

    def __hash__(self) -> int:
        return hash((self.key, self.id_columns, self.fields, self.deps))


def plan_feature(definition: FeatureDefinition, definitions: Definitions) -> FeaturePlan:
    """Resolve a definition against the definitions of its upstream features."""
    spec = definition.spec
    fields = tuple(_plan_field(field, spec, definitions) for field in spec.fields)
    read = {upstream for field in fields for upstream in field.reads}
    deps = tuple(_plan_dep(dep, definitions[dep.feature], read) for dep in spec.deps)
    return FeaturePlan(definition, spec.id_columns, fields, deps)


def _plan_field(field: FieldSpec, spec: FeatureSpec, definitions: Definitions) -> FieldPlan:
    reads = _declared_reads(field, definitions)
    if reads is None:
        reads = _default_reads(field.key, spec, definitions)
    return FieldPlan(field.key, field.code_version, tuple(sorted(reads)), field.version_from)


def _declared_reads(field: FieldSpec, definitions: Definitions) -> set[UpstreamField] | None:
    if field.deps is None:
        return None
    return {
        UpstreamField(dep.feature, key)
        for dep in field.deps
        for key in (definitions[dep.feature].spec.field_keys if dep.fields is None else dep.fields)
    }


def _default_reads(
    field: FieldKey, spec: FeatureSpec, definitions: Definitions
) -> set[UpstreamField]:
    offered = {
        UpstreamField(dep.feature, key)
        for dep in spec.deps
        for key in definitions[dep.feature].spec.field_keys
    }
    return {upstream for upstream in offered if upstream.field == field} or offered


def _plan_dep(dep: FeatureDep, upstream: FeatureDefinition, read: set[UpstreamField]) -> DepPlan:
    def renamed(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return tuple((name, dep.rename.get(name, name)) for name in names)

    ids = upstream.spec.id_columns
    columns = dep.columns
    if columns is None and not upstream.has_open_columns:
        columns = tuple(column.name for column in upstream.value_columns)
    return DepPlan(
        feature=upstream.key,
        ids=renamed(ids),
        columns=None if columns is None else renamed(tuple(c for c in columns if c not in ids)),
        rename=tuple(sorted(dep.rename.items())),
        predicate=dep.predicate,
        optional=dep.optional,
        code_versions=tuple(
            (field.key, field.code_version)
            for field in upstream.spec.fields
            if UpstreamField(upstream.key, field.key) in read
        ),
    )
