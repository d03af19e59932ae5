"""A fields mapping says which upstream fields a field reads where it does not say so itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from metaxy_core.errors import InvalidSpec
from metaxy_core.keys import FieldKey
from metaxy_core.specs.base import Spec


class FieldsMapping(Spec):
    """Which fields of one dep the fields without ``deps`` of their own read.

    Attributes:
        kind: ``by_name``: the field of the same key; ``by_suffix``: fields whose last part is the
            last part of the own key; ``explicit``: as ``fields`` says, none where it says nothing;
            ``all``; ``none``.
        fields: for ``explicit``, own field to the upstream fields it reads.

    Example:
        >>> FieldsMapping.explicit({"text": ["audio"]}).reads(
        ...     FieldKey("text"), (FieldKey("audio"), FieldKey("frames")))
        (FieldKey('audio'),)
    """

    kind: Literal["by_name", "by_suffix", "explicit", "all", "none"]
    fields: dict[FieldKey, tuple[FieldKey, ...]] = Field(default_factory=dict)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            kind: Literal["by_name", "by_suffix", "explicit", "all", "none"],
            fields: Mapping[str | FieldKey, Sequence[str | FieldKey]] = ...,
        ) -> None: ...

    @classmethod
    def by_name(cls) -> FieldsMapping:
        """The field of the same key."""
        return cls(kind="by_name")

    @classmethod
    def by_suffix(cls) -> FieldsMapping:
        """Fields whose last part is the last part of the own key."""
        return cls(kind="by_suffix")

    @classmethod
    def explicit(cls, fields: Mapping[str | FieldKey, Sequence[str | FieldKey]]) -> FieldsMapping:
        """As listed."""
        return cls(kind="explicit", fields=fields)

    @classmethod
    def all(cls) -> FieldsMapping:
        """Every field."""
        return cls(kind="all")

    @classmethod
    def none(cls) -> FieldsMapping:
        """No field: the dep gives records and columns, but no version."""
        return cls(kind="none")

    @model_validator(mode="after")
    def _fitting(self) -> FieldsMapping:
        if self.fields and self.kind != "explicit":
            raise InvalidSpec(
                f"A {self.kind} mapping takes no fields (got {', '.join(map(str, self.fields))}); "
                f"use FieldsMapping.explicit({{...}})."
            )
        return self

    def __hash__(self) -> int:
        return hash((self.kind, tuple(sorted(self.fields.items()))))

    def reads(self, own: FieldKey, offered: tuple[FieldKey, ...]) -> tuple[FieldKey, ...]:
        """The upstream fields, of those offered, that a field reads."""
        match self.kind:
            case "all":
                return offered
            case "by_name":
                return tuple(key for key in offered if key == own)
            case "by_suffix":
                return tuple(key for key in offered if key.parts[-1] == own.parts[-1])
            case "explicit":
                return self.fields.get(own, ())
            case _:
                return ()
