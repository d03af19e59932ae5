"""Types as text that a store keeps beside its tables, whatever the names of members are."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.errors import WrongColumnType

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt

_CAN_BE_NULL: Final = "nullable"


def text_of(kind: dt.DataType) -> str:
    """A type as text: nested ones as JSON, others in the words of Ibis.

    Raises:
        WrongColumnType: the text would be read as another type.
    """
    told = _told(kind)
    text = told if isinstance(told, str) else json.dumps(told)
    try:
        if type_of(text) == kind:
            return text
    except Exception as error:  # noqa: BLE001 - whatever it is, the text cannot be read
        reason = f": {error}"
    else:
        reason = ""
    raise WrongColumnType(
        f"The type {kind} cannot be kept in this store{reason}. Give the column another type."
    )


@lru_cache(maxsize=4096)
def type_of(text: str) -> dt.DataType:
    """The type that a text tells."""
    return _read(json.loads(text) if text.startswith("{") else text)


def _told(kind: dt.DataType) -> Any:
    found: dict[str, Any]
    if kind.is_struct():
        found = {"struct": [[name, _told(member)] for name, member in kind.items()]}
    elif kind.is_map():
        found = {"map": [_told(kind.key_type), _told(kind.value_type)]}
    elif kind.is_array():
        found = {"array": _told(kind.value_type), "length": kind.length}
    else:
        return str(kind)
    return found if kind.nullable else {**found, _CAN_BE_NULL: False}


def _read(told: Any) -> dt.DataType:
    import ibis
    import ibis.expr.datatypes as dt

    if isinstance(told, str):
        return ibis.dtype(told)
    can_be_null = told.get(_CAN_BE_NULL, True)
    if "struct" in told:
        members = {name: _read(member) for name, member in told["struct"]}
        return dt.Struct(members, nullable=can_be_null)
    if "map" in told:
        key, value = map(_read, told["map"])
        return dt.Map(key, value, nullable=can_be_null)
    return dt.Array(_read(told["array"]), length=told["length"], nullable=can_be_null)
