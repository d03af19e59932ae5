"""A dependency says which records and columns of an upstream feature a feature uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, field_validator

from metaxy_core.compat import FEATURE_IN_FEATURE_DEP
from metaxy_core.errors import InvalidSpec
from metaxy_core.keys import FeatureKey, KeyLike
from metaxy_core.specs.base import Spec
from metaxy_core.specs.filter import Filter, parse_filter
from metaxy_core.specs.lineage import Lineage
from metaxy_core.specs.mapping import FieldsMapping
from metaxy_core.specs.names import ColumnName
from metaxy_core.system_columns import is_reserved


class FrozenNames(dict[str, str]):
    """A hashable mapping of names."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))

    def _refuse(self, *_: object, **__: object) -> None:
        raise TypeError("names are frozen")

    __setitem__ = __delitem__ = _refuse


class FeatureDep(Spec):
    """One upstream feature.

    Attributes:
        feature: the upstream feature: a class, a spec, a key or its text.
        columns: its columns that the increment carries; None means all, empty means none.
        rename: upstream column name to the name used here; id columns may be renamed too.
        filter: SQL text over the upstream's columns; records that fail it count as missing.
        optional: whether a record may exist without this dependency's record.
        lineage: how many of its records make one: ``identity()``, ``expansion()`` or
            ``aggregation()``.
        fields_mapping: which of its fields the fields without ``deps`` read; by default those of
            the same name, or all fields of all such deps where no name matches.

    Example:
        >>> FeatureDep(feature="example/video", filter="duration > 1.5").optional
        False
    """

    feature: FeatureKey = Field(validation_alias=FEATURE_IN_FEATURE_DEP)
    columns: tuple[ColumnName, ...] | None = None
    rename: Annotated[Mapping[ColumnName, ColumnName], AfterValidator(FrozenNames)] = Field(
        default_factory=dict, validate_default=True
    )
    filter: str | None = None
    optional: bool = False
    lineage: Lineage = Lineage()
    fields_mapping: FieldsMapping | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            feature: KeyLike = ...,
            key: KeyLike = ...,
            columns: Sequence[str] | None = None,
            rename: Mapping[str, str] = ...,
            filter: str | None = None,  # noqa: A002 - the option's name
            optional: bool = False,
            lineage: Lineage = ...,
            fields_mapping: FieldsMapping | None = None,
        ) -> None: ...

    @field_validator("filter")
    @classmethod
    def _parsable(cls, text: str | None) -> str | None:
        if text is not None:
            parse_filter(text)
        return text

    @field_validator("rename")
    @classmethod
    def _own_names(cls, rename: Mapping[str, str]) -> Mapping[str, str]:
        for name, new in rename.items():
            if is_reserved(new):
                raise InvalidSpec(
                    f"FeatureDep(rename={{{name!r}: {new!r}}}) gives a column a name that is kept "
                    f"for system columns (metaxy_...); choose another."
                )
        return rename

    @property
    def parsed_filter(self) -> Filter | None:
        """The parsed filter."""
        return None if self.filter is None else parse_filter(self.filter)
