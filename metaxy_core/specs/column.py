"""Columns have logical types, so that no data library is needed to define a feature."""

from __future__ import annotations

import datetime as dt
import enum
import types
import typing
import uuid
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from metaxy_core.specs.base import Spec

ANY = "any"

_LOGICAL: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (enum.Enum, "str"),
    (int, "int"),
    (float, "float"),
    (str, "str"),
    (bytes, "bytes"),
    (dt.datetime, "datetime"),
    (dt.date, "date"),
    (dt.time, "time"),
    (dt.timedelta, "timedelta"),
    (Decimal, "decimal"),
    (uuid.UUID, "str"),
    (PurePath, "str"),
)


class ColumnSpec(Spec):
    """One metadata column of a feature.

    Attributes:
        name: column name.
        type: logical type: ``bool int float str bytes datetime date time timedelta decimal``,
            ``list[...]`` of one of them, or ``any`` (the first write decides).
        nullable: whether NULL is allowed.
        required: whether every written frame has to have the column.
        default: the value of records whose frame lacks the column.
        description: what the column holds.
    """

    name: str
    type: str = ANY
    nullable: bool = True
    required: bool = True
    default: str | int | float | bool | None = None
    description: str | None = None


def logical_type(annotation: Any) -> tuple[str, bool]:
    """The logical type of a Python annotation, and whether it admits None.

    Example:
        >>> logical_type(int | None)
        ('int', True)
        >>> logical_type(list[str])
        ('list[str]', False)
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return logical_type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return _union_type(arguments)
    if origin is typing.Literal:
        return _common(logical_type(type(value))[0] for value in arguments), None in arguments
    if origin in (list, tuple, set, frozenset) and arguments:
        return (
            f"list[{_common(logical_type(item)[0] for item in arguments if item is not ...)}]",
            False,
        )
    if isinstance(annotation, type):
        for known, name in _LOGICAL:
            if issubclass(annotation, known):
                return name, False
    return ANY, annotation in (Any, None, type(None), object)


def _union_type(arguments: tuple[Any, ...]) -> tuple[str, bool]:
    members = [logical_type(item) for item in arguments if item is not type(None)]
    nullable = len(members) < len(arguments) or any(inner for _, inner in members)
    return _common(name for name, _ in members), nullable


def _common(names: typing.Iterable[str]) -> str:
    distinct = set(names)
    if distinct == {"int", "float"}:
        return "float"
    return distinct.pop() if len(distinct) == 1 else ANY
