"""A field is a logical part of the data that a feature produces; its version moves on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from metaxy_core.compat import FEATURE_IN_FIELD_DEP
from metaxy_core.errors import InvalidSpec
from metaxy_core.keys import FeatureKey, FieldKey, KeyLike
from metaxy_core.specs.base import Spec
from metaxy_core.specs.names import ColumnName, StoredText


def _code_version(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


CodeVersion = Annotated[StoredText, BeforeValidator(_code_version), Field(min_length=1)]


class FieldDep(Spec):
    """Which fields of one upstream feature a field reads.

    Attributes:
        feature: the upstream feature: a class, a spec, a key or its text.
        fields: the upstream fields; None means all of them.
    """

    feature: FeatureKey = Field(validation_alias=FEATURE_IN_FIELD_DEP)
    fields: tuple[FieldKey, ...] | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            feature: KeyLike = ...,
            feature_key: KeyLike = ...,
            fields: Sequence[FieldKey | str | Sequence[str]] | None = None,
        ) -> None: ...


class FieldSpec(Spec):
    """One field of a feature.

    Attributes:
        key: name of the field.
        code_version: what the author bumps when the field's algorithm changes; int or str.
        deps: upstream fields it reads. None: the fields of the same name in the feature's deps,
            or all fields of all deps where no name matches. Empty: none.
        version_from: on a root feature, the sample columns whose values are the field's version.
        description: what the field holds.

    Example:
        >>> FieldSpec(key="audio", code_version=2).code_version
        '2'
    """

    key: FieldKey
    code_version: CodeVersion = "1"
    deps: tuple[FieldDep, ...] | None = None
    version_from: tuple[ColumnName, ...] = ()
    description: StoredText | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            key: FieldKey | str | Sequence[str],
            code_version: str | int = "1",
            deps: Sequence[FieldDep] | None = None,
            version_from: Sequence[str] = (),
            description: str | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _one_source(self) -> FieldSpec:
        if self.version_from and self.deps:
            raise InvalidSpec(
                f"Field '{self.key}' has both version_from and deps; a version comes either from "
                f"sample columns (root features) or from upstream fields. Remove one of them."
            )
        return self
