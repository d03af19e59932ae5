"""What can be wrong with features, fields, dependencies and graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from metaxy_core.errors.base import MetaxyError, nearest, shown
from metaxy_core.errors.pointing import pointed


class DefinitionError(MetaxyError):
    """A feature, field, dependency or graph that cannot be what its author meant."""


class InvalidKey(DefinitionError):
    """A key that cannot name a feature or a field."""

    @classmethod
    def from_value(cls, kind: str, value: object) -> Self:
        return cls(
            f"{shown(value)} is no {kind}: write parts of ASCII letters, digits, '_' and '-' "
            f"joined by '/', such as 'example/video', or a list of such parts."
        )


class InvalidSpec(DefinitionError):
    """A spec whose values contradict each other or are of the wrong type."""


class InvalidFilter(DefinitionError):
    """Filter text outside the allowed operations."""

    @classmethod
    def from_text(
        cls, text: str, reason: str, start: int | None = None, end: int | None = None
    ) -> Self:
        message = (
            f"Filter {shown(text)}: {reason}. Allowed are columns, literals, comparisons, AND, OR, "
            f"NOT, IN, BETWEEN, LIKE, IS NULL and + - * / %."
        )
        if start is not None:
            message += "\n" + pointed(text, start, start if end is None else end)
        return cls(message)


class UnknownColumn(MetaxyError):
    """A column that a feature does not have."""

    @classmethod
    def from_available(
        cls, feature: object, column: str, available: Sequence[str], used_by: str
    ) -> Self:
        return cls(
            f"{used_by} names column {shown(column)}, which feature '{feature}' does not have; "
            f"{nearest(column, available)}"
        )


class UnknownFeature(DefinitionError):
    """A feature that the graph does not hold."""

    @classmethod
    def from_graph(cls, feature: object, known: Sequence[object]) -> Self:
        return cls(
            f"Feature '{feature}' is not in the graph; {nearest(feature, known)} "
            f"Import the module that defines it, or list it under 'entrypoints' in metaxy.toml."
        )

    @classmethod
    def from_dependency(cls, feature: object, dependency: object, known: Sequence[object]) -> Self:
        return cls(
            f"Feature '{feature}' depends on '{dependency}', which is not in the graph; "
            f"{nearest(dependency, known)} Define it, or correct the key in deps."
        )

    @classmethod
    def from_store(cls, feature: object, address: str, known: Sequence[object]) -> Self:
        return cls(
            f"Feature '{feature}' has no commits in the store {address!r}; "
            f"{nearest(feature, known)}"
        )

    @classmethod
    def from_plan(cls, feature: object, listed: Sequence[object]) -> Self:
        return cls(f"The plan does not list feature '{feature}'; {nearest(feature, listed)}")


class UnknownField(DefinitionError):
    """A field that a feature does not have."""

    @classmethod
    def from_feature(cls, feature: object, field: object, known: Sequence[object]) -> Self:
        return cls(f"Feature '{feature}' has no field '{field}'; {nearest(field, known)}")

    @classmethod
    def from_dependency(
        cls,
        feature: object,
        field: object,
        upstream: object,
        missing: object,
        known: Sequence[object],
    ) -> Self:
        return cls(
            f"Field '{field}' of feature '{feature}' reads field '{missing}' of '{upstream}', "
            f"which has no such field; {nearest(missing, known)}"
        )

    @classmethod
    def from_field_dep(
        cls, feature: object, field: object, upstream: object, deps: Sequence[object]
    ) -> Self:
        return cls(
            f"Field '{field}' of feature '{feature}' reads from '{upstream}', which is not among "
            f"the feature's deps; add it to deps, or correct the FieldDep "
            f"({nearest(upstream, deps).rstrip('.')})."
        )


class FeatureCycle(DefinitionError):
    """Features that depend on each other in a circle."""

    @classmethod
    def from_path(cls, path: Sequence[object]) -> Self:
        return cls(
            f"Features depend on each other in a circle: {' -> '.join(map(str, path))}. "
            f"Remove one of these deps."
        )


class DuplicateFeature(DefinitionError):
    """Two different classes with one feature key."""

    @classmethod
    def from_origins(cls, feature: object, first: str, second: str) -> Self:
        return cls(
            f"Feature '{feature}' is defined twice, by {first} and by {second}; "
            f"give one of them another key, or define it in its own `with FeatureGraph().use():`."
        )

    @classmethod
    def from_projects(cls, feature: object, first: str, second: str) -> Self:
        return cls(
            f"Feature '{feature}' is defined by project {first!r} and by project {second!r}; give "
            f"one of them another key, or take it out of [externals] in metaxy.toml."
        )


class TableCollision(DefinitionError):
    """Two features whose tables would have one name."""

    @classmethod
    def from_keys(cls, first: object, second: object, table: str) -> Self:
        return cls(
            f"Features '{first}' and '{second}' would share the table {table!r}; "
            f"rename one of them so that the names differ in more than case, '-', '_' or '/'."
        )


class ColumnCollision(DefinitionError):
    """Two deps that would bring the same column."""

    @classmethod
    def from_deps(cls, feature: object, column: str, first: object, second: object) -> Self:
        return cls(
            f"Feature '{feature}' would get column {column!r} from both '{first}' and '{second}'; "
            f"rename it with FeatureDep(rename={{{column!r}: ...}}) or choose columns with "
            f"FeatureDep(columns=[...]) on one of them."
        )

    @classmethod
    def from_id(cls, feature: object, there: str, here: str, upstream: object) -> Self:
        return cls(
            f"Column {there!r} of '{upstream}' would come to '{feature}' as {here!r}, which is an "
            f"id column there; rename it with FeatureDep(rename={{...}}), or leave it out with "
            f"columns=[...]."
        )


class IdColumnMismatch(DefinitionError):
    """Id columns that the deps cannot give under the declared lineage."""
