"""Keys give a feature or field one name everywhere: in code, in messages and in tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import total_ordering
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from metaxy_core.errors import InvalidKey

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@total_ordering
class Key:
    """A path of one or more parts; ``"a/b"``, ``["a", "b"]`` and another key are the same key.

    Raises:
        InvalidKey: a part is empty or holds anything but letters, digits, ``_`` and ``-``.
    """

    __slots__ = ("parts",)
    parts: tuple[str, ...]

    def __init__(self, value: KeyLike) -> None:
        object.__setattr__(self, "parts", _parts_of(value, type(self).__name__))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __str__(self) -> str:
        return "/".join(self.parts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.parts == self.parts

    def __lt__(self, other: Self) -> bool:
        return self.parts < other.parts

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.parts))

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (str(self),)

    def to_identifier(self) -> str:
        """The name used in SQL: parts joined by two underscores, ``-`` written as ``_``."""
        return "__".join(self.parts).replace("-", "_")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


class FeatureKey(Key):
    """Name of a feature, for example ``FeatureKey("example/video")``.

    Example:
        >>> FeatureKey(["example", "video"]) == FeatureKey("example/video")
        True
        >>> FeatureKey("example/video").to_identifier()
        'example__video'
    """

    __slots__ = ()


class FieldKey(Key):
    """Name of a field of a feature, for example ``FieldKey("audio")``."""

    __slots__ = ()


@runtime_checkable
class HasKey(Protocol):
    """Anything that carries a key of its own, such as a feature's spec."""

    @property
    def key(self) -> FeatureKey:
        """The key."""


@runtime_checkable
class HasSpec(Protocol):
    """Anything that carries a spec, such as a feature class."""

    @property
    def spec(self) -> HasKey:
        """The spec."""


KeyLike = str | Iterable[str] | Key | HasKey | HasSpec


def _parts_of(value: object, kind: str) -> tuple[str, ...]:
    if not isinstance(value, str | Key):  # asking for a protocol takes long
        value = value.spec if isinstance(value, HasSpec) else value
        value = value.key if isinstance(value, HasKey) else value
    if isinstance(value, Key):
        return value.parts
    if isinstance(value, str):
        parts: tuple[object, ...] = tuple(value.split("/"))
    elif isinstance(value, Iterable):
        parts = tuple(value)
    else:
        raise InvalidKey.from_value(kind, value)
    names = tuple(part for part in parts if isinstance(part, str) and _PART.fullmatch(part))
    if not names or len(names) != len(parts):
        raise InvalidKey.from_value(kind, value)
    return names
