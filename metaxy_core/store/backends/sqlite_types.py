"""How SQLite keeps values: it has integers of 64 bits, floats, text and bytes, and no more."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core.store.backends.sql.encoding import (
    Encoding,
    as_json,
    as_text,
    cast,
    counting,
)

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt

_MICROSECONDS: Final = 6
_EPOCH: Final = date(1970, 1, 1).toordinal()
_FIRST: Final = date.min.toordinal() - _EPOCH
_LAST: Final = date.max.toordinal() - _EPOCH


def encoding(kind: dt.DataType) -> Encoding | None:
    """How a type is kept; None where it is kept as it is."""
    if kind.is_integer() or kind.is_string() or kind.is_binary():
        return _whole(kind) if kind.is_unsigned_integer() else None
    if kind.is_boolean():
        return Encoding("int64", lambda v: v.cast(pa.int64()), lambda v: cast(v, pa.bool_()))
    if kind.is_floating():
        return _float(kind)
    if kind.is_decimal():
        return as_text(kind)
    if kind.is_date():
        return _date()
    if kind.is_timestamp() and (kind.scale is None or kind.scale <= _MICROSECONDS):
        return _timestamp(kind)
    if kind.is_timestamp() or kind.is_interval() or kind.is_time():
        return counting(kind)
    return as_json(kind)


def _whole(kind: dt.DataType) -> Encoding:
    back = kind.to_pyarrow()
    return Encoding("int64", lambda v: v.cast(pa.int64()), lambda v: cast(v, back))


def _float(kind: dt.DataType) -> Encoding:
    """NaN, which SQLite takes for NULL, is kept as text; all text is greater than all numbers."""
    back = kind.to_pyarrow()

    def decode(values: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_string(values.type):
            numbers = [None if v is None else float(v) for v in values.to_pylist()]
            return pa.chunked_array([pa.array(numbers, back)])
        return values.cast(back)

    return Encoding("float64", lambda values: values, decode)


def bound(values: pa.Array) -> list[Any]:
    """Values as they are bound to a statement."""
    found: list[Any] = values.to_pylist()
    if not pa.types.is_floating(values.type):
        return found
    return ["NaN" if v is not None and math.isnan(v) else v for v in found]


def _date() -> Encoding:
    """Text of which the years have four digits, so that it sorts, and can be read again."""

    def encode(values: pa.ChunkedArray) -> pa.ChunkedArray:
        days = values.cast(pa.date32())
        bounds = pc.min_max(days.cast(pa.int32())).as_py().values()
        if any(day is not None and not _FIRST <= day <= _LAST for day in bounds):
            raise ValueError("years go from 1 to 9999")
        return days.cast(pa.string())

    return Encoding("string", encode, lambda values: values.cast(pa.date32()))


def _timestamp(kind: dt.DataType) -> Encoding:
    """Text as SQLite's own functions have it, in UTC where there is a zone."""
    back = kind.to_pyarrow()

    def encode(values: pa.ChunkedArray) -> pa.ChunkedArray:
        micro = values.cast(pa.timestamp("us", "UTC" if back.tz else None))
        texts = [None if v is None else _text(v) for v in micro.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])

    def decode(values: pa.ChunkedArray) -> pa.ChunkedArray:
        zone = UTC if back.tz else None
        moments = [
            None if v is None else datetime.fromisoformat(v).replace(tzinfo=zone)
            for v in values.to_pylist()
        ]
        return pa.chunked_array([pa.array(moments, back)])

    return Encoding("string", encode, decode)


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(sep=" ")
