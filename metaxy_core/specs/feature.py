"""The spec of a feature: everything that decides about its records and versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, field_validator, model_validator

from metaxy_core.errors import InvalidSpec
from metaxy_core.keys import FeatureKey, FieldKey, HasSpec, KeyLike
from metaxy_core.specs.base import Spec
from metaxy_core.specs.dependency import FeatureDep
from metaxy_core.specs.field import FieldSpec
from metaxy_core.specs.names import ColumnName, StoredText
from metaxy_core.system_columns import is_reserved

_TAG = re.compile(r"[A-Za-z0-9_.:/-]+")


def _to_deps(value: Any) -> Any:
    if value is None:
        return ()
    if isinstance(value, str | HasSpec) or not isinstance(value, Iterable):
        value = [value]
    return tuple(_to_dep(item) for item in value)


def _to_dep(item: Any) -> Any:
    return item if isinstance(item, FeatureDep | dict) else FeatureDep(feature=item)


def _to_fields(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return value
    return tuple(
        FieldSpec(key=item) if isinstance(item, str | FieldKey) else item for item in value
    )


def _to_tags(value: Any) -> Any:
    if isinstance(value, str):
        value = [value]
    return dict.fromkeys(value, "") if isinstance(value, list | tuple | set) else value


Cost = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]


class FeatureSpec(Spec):
    """What an author declares about a feature.

    Attributes:
        key: name of the feature.
        id_columns: the columns that identify a record.
        deps: upstream features; none for a root feature. A class, a key or text stands for
            ``FeatureDep(feature=...)``.
        fields: the fields its records have; a bare name stands for ``FieldSpec(key=name)``.
        description: what the feature is; the class docstring where absent.
        tags: names, or a mapping of names to values, by which features are selected
            (``tag:gpu``, ``tag:team=vision``); not part of any version.
        metadata: anything else that JSON can hold, for readers and integrations; not part of any
            version.
        cost_per_record: what it costs to compute one record, in any unit; for plans, and not part
            of any version.
        cost_unit: the unit, such as ``"GPU s"``.
    """

    key: FeatureKey
    id_columns: tuple[ColumnName, ...] = ("sample_uid",)
    deps: Annotated[tuple[FeatureDep, ...], BeforeValidator(_to_deps)] = ()
    fields: Annotated[tuple[FieldSpec, ...], BeforeValidator(_to_fields)] = (
        FieldSpec(key="default"),
    )
    description: StoredText | None = None
    tags: Annotated[dict[str, str], BeforeValidator(_to_tags)] = Field(default_factory=dict)
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    cost_per_record: Cost | None = None
    cost_unit: str = ""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            key: KeyLike,
            id_columns: Sequence[str] = ("sample_uid",),
            deps: Sequence[FeatureDep | KeyLike] | None = None,
            fields: Sequence[FieldSpec | FieldKey | str] = ...,
            description: str | None = None,
            tags: Sequence[str] | Mapping[str, str] = ...,
            metadata: Mapping[str, Any] = ...,
            cost_per_record: float | None = None,
            cost_unit: str = "",
        ) -> None: ...

    @property
    def is_root(self) -> bool:
        """Whether the feature has no upstream, so that its records come from samples."""
        return not self.deps

    @property
    def field_keys(self) -> tuple[FieldKey, ...]:
        """Keys of the fields, in declared order."""
        return tuple(field.key for field in self.fields)

    @field_validator("key")
    @classmethod
    def _own_table(cls, key: FeatureKey) -> FeatureKey:
        if is_reserved(key.to_identifier()):
            raise InvalidSpec(
                f"Feature key '{key}' begins with 'metaxy_', which is kept for the catalog's own "
                f"tables; choose another first part."
            )
        return key

    @field_validator("tags")
    @classmethod
    def _selectable(cls, tags: dict[str, str]) -> dict[str, str]:
        for text in (*tags, *filter(None, tags.values())):
            if not _TAG.fullmatch(text):
                raise InvalidSpec(
                    f"Tag {text!r} cannot be written in a selection: use letters, digits and "
                    f"'_', '.', ':', '/', '-'."
                )
        return tags

    @model_validator(mode="after")
    def _consistent(self) -> FeatureSpec:
        self._check_ids()
        self._check_fields()
        self._check_deps()
        return self

    def _check_ids(self) -> None:
        names = [name.lower() for name in self.id_columns]
        if not names or len(set(names)) < len(names):
            raise InvalidSpec(
                f"Feature '{self.key}' has id_columns {list(self.id_columns)}; "
                f"give at least one column, each once."
            )
        for name in self.id_columns:
            if is_reserved(name):
                raise InvalidSpec(
                    f"Id column {name!r} of '{self.key}' begins with 'metaxy_', which is kept for "
                    f"system columns; rename it."
                )

    def _check_fields(self) -> None:
        if not self.fields:
            raise InvalidSpec(f"Feature '{self.key}' has no fields; give at least one FieldSpec.")
        seen: dict[str, FieldKey] = {}
        for field in self.fields:
            name = field.key.to_identifier().lower()
            if name in seen:
                raise InvalidSpec(
                    f"Fields '{seen[name]}' and '{field.key}' of '{self.key}' would share a "
                    f"version column ({name!r}); rename one of them."
                )
            seen[name] = field.key
            if field.version_from and not self.is_root:
                raise InvalidSpec(
                    f"Field '{field.key}' of '{self.key}' has version_from, but the feature has "
                    f"deps; only a root feature takes versions from its samples."
                )
            if field.deps and self.is_root:
                raise InvalidSpec(
                    f"Field '{field.key}' of '{self.key}' has deps, but the feature has none; "
                    f"add the upstream features to the feature's deps."
                )

    def _check_deps(self) -> None:
        seen: set[FeatureKey] = set()
        for dep in self.deps:
            if dep.feature in seen:
                raise InvalidSpec(
                    f"Feature '{self.key}' lists '{dep.feature}' twice in deps; keep one "
                    f"FeatureDep with the columns, rename and filter of both."
                )
            seen.add(dep.feature)
