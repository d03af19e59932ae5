"""A plan is one feature's wiring with every default resolved; the engine decides nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metaxy_core.definition import FeatureDefinition
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.specs.dependency import FeatureDep
from metaxy_core.specs.feature import FeatureSpec
from metaxy_core.specs.field import FieldSpec
from metaxy_core.specs.filter import Filter
from metaxy_core.specs.mapping import FieldsMapping

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
        ids: pairs of an upstream column and its name here, by which its records are matched.
        columns: pairs of the columns carried and their names here; None means all there are.
        rename: the renames, for columns that are only known in the store.
        filter: records that fail it count as missing.
        optional: whether a record may exist without this dep's.
        code_versions: current code version of each upstream field that is read.
        aggregates: whether many of its records make one.
        record_ids: its own id columns; they tell the members of a group apart.
    """

    feature: FeatureKey
    ids: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str], ...] | None
    rename: tuple[tuple[str, str], ...]
    filter: Filter | None
    optional: bool
    code_versions: tuple[tuple[FieldKey, str], ...]
    aggregates: bool
    record_ids: tuple[str, ...]

    @property
    def fields(self) -> tuple[FieldKey, ...]:
        """The upstream fields that are read."""
        return tuple(key for key, _ in self.code_versions)


@dataclass(frozen=True)
class FeaturePlan:
    """A feature's wiring.

    Attributes:
        definition: the feature.
        id_columns: what identifies a record.
        grain: what identifies a piece of work: the id columns, or the parent's of an expansion.
        expands: whether one piece of work makes many records.
        fields: what each field's version is made of.
        deps: how each upstream feature is brought along.
    """

    definition: FeatureDefinition
    id_columns: tuple[str, ...]
    grain: tuple[str, ...]
    expands: bool
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
        return hash((self.key, self.id_columns, self.grain, self.fields, self.deps))


def plan_feature(definition: FeatureDefinition, definitions: Definitions) -> FeaturePlan:
    """Resolve a definition against the definitions of its upstream features."""
    spec = definition.spec
    fields = tuple(_plan_field(field, spec, definitions) for field in spec.fields)
    read = {upstream for field in fields for upstream in field.reads}
    grain = grain_of(spec, definitions)
    deps = tuple(_plan_dep(dep, definitions[dep.feature], read, grain) for dep in spec.deps)
    expands = any(dep.lineage.kind == "expansion" for dep in spec.deps)
    return FeaturePlan(definition, spec.id_columns, grain, expands, fields, deps)


def grain_of(spec: FeatureSpec, definitions: Definitions) -> tuple[str, ...]:
    """The columns that identify one piece of a feature's work."""
    for dep in spec.deps:
        if dep.lineage.kind == "expansion" and dep.feature in definitions:
            return dep.lineage.on or renamed_ids(dep, definitions[dep.feature])
    return spec.id_columns


def renamed_ids(dep: FeatureDep, upstream: FeatureDefinition) -> tuple[str, ...]:
    """An upstream's id columns under the names they have in the depending feature."""
    return tuple(dep.rename.get(name, name) for name in upstream.spec.id_columns)


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
    found: set[UpstreamField] = set()
    offered: set[UpstreamField] = set()
    for dep in spec.deps:
        keys = definitions[dep.feature].spec.field_keys
        mapping = dep.fields_mapping or FieldsMapping.by_name()
        found |= {UpstreamField(dep.feature, key) for key in mapping.reads(field, keys)}
        if dep.fields_mapping is None:
            offered |= {UpstreamField(dep.feature, key) for key in keys}
    return found or offered


def _plan_dep(
    dep: FeatureDep, upstream: FeatureDefinition, read: set[UpstreamField], grain: tuple[str, ...]
) -> DepPlan:
    def renamed(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return tuple((name, dep.rename.get(name, name)) for name in names)

    ids = upstream.spec.id_columns
    aggregates = dep.lineage.kind == "aggregation"
    columns = () if aggregates else dep.columns
    if columns is None and not upstream.has_open_columns:
        columns = tuple(column.name for column in upstream.value_columns)
    return DepPlan(
        feature=upstream.key,
        ids=_group_ids(dep, grain) if aggregates else renamed(ids),
        columns=None if columns is None else renamed(tuple(c for c in columns if c not in ids)),
        rename=tuple(sorted(dep.rename.items())),
        filter=dep.parsed_filter,
        optional=dep.optional,
        code_versions=tuple(
            (field.key, field.code_version)
            for field in upstream.spec.fields
            if UpstreamField(upstream.key, field.key) in read
        ),
        aggregates=aggregates,
        record_ids=ids,
    )


def _group_ids(dep: FeatureDep, grain: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    original = {here: there for there, here in dep.rename.items()}
    return tuple((original.get(here, here), here) for here in dep.lineage.on or grain)
