"""How PostgreSQL keeps values: what it has no type for is kept as a number or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from metaxy_core.store.backends.sql.encoding import Encoding, as_json, casting, counting

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt

_MICROSECONDS: Final = 6
_WIDER: Final = {"uint8": "int32", "uint16": "int32", "uint32": "int64", "int8": "int16"}


def encoding(kind: dt.DataType) -> Encoding | None:
    """How a type is kept; None where it is kept as it is."""
    if kind.is_integer():
        name = str(kind.copy(nullable=True))
        if name == "uint64":
            return casting(kind, "decimal(20, 0)")
        return casting(kind, _WIDER[name]) if name in _WIDER else None
    is_known = (
        kind.is_boolean()
        or kind.is_floating()
        or kind.is_string()
        or kind.is_binary()
        or kind.is_decimal()
        or kind.is_date()
    )
    if is_known:
        return None
    if kind.is_timestamp():
        fits = kind.scale is None or kind.scale <= _MICROSECONDS
        return None if fits else counting(kind)
    if kind.is_interval() or kind.is_time():
        return counting(kind)
    return as_json(kind)


def in_microseconds(frame: pa.Table) -> pa.Table:
    """A frame whose timestamps have the unit of PostgreSQL; its driver checks no range."""
    types = [
        pa.timestamp("us", field.type.tz) if pa.types.is_timestamp(field.type) else field.type
        for field in frame.schema
    ]
    fields = [field.with_type(kind) for field, kind in zip(frame.schema, types, strict=True)]
    return frame.cast(pa.schema(fields))
