"""Values that a database has no type for are kept as another one, and come back as they were."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt

Convert = Callable[[pa.ChunkedArray], pa.ChunkedArray]

_NOT_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True)
class Encoding:
    """How values of one type are kept.

    Attributes:
        kept: the type that the database has, in words of Ibis.
        encode: values as they are kept.
        decode: values as they were, from what the database gives.
    """

    kept: str
    encode: Convert
    decode: Convert


def casting(wanted: dt.DataType, kept: str) -> Encoding:
    """Values that Arrow can cast to what is kept, and back, and lose nothing."""
    import ibis

    there, back = ibis.dtype(kept).to_pyarrow(), wanted.to_pyarrow()
    return Encoding(kept, lambda values: values.cast(there), lambda values: cast(values, back))


def counting(wanted: dt.DataType) -> Encoding:
    """Times and durations as the number of their units."""
    back = arrow_type(wanted)

    def encode(values: pa.ChunkedArray) -> pa.ChunkedArray:
        return values.cast(back).cast(pa.int64())

    return Encoding("int64", encode, lambda values: values.cast(pa.int64()).cast(back))


def as_text(wanted: dt.DataType) -> Encoding:
    """Values as their text in Arrow, which reads it back."""
    back = wanted.to_pyarrow()
    return Encoding("string", lambda v: v.cast(pa.string()), lambda v: cast(v, back))


def as_json(wanted: dt.DataType) -> Encoding:
    """Nested values, and what else there is no type for, as text in JSON."""
    given = wanted.to_pyarrow()
    kind = _counted(given)

    def encode(values: pa.ChunkedArray) -> pa.ChunkedArray:
        if kind != given:
            values = values.cast(given).cast(kind)
        texts = [None if v is None else json.dumps(_to_json(v)) for v in values.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])

    def decode(values: pa.ChunkedArray) -> pa.ChunkedArray:
        found = [None if v is None else _of_json(json.loads(v), kind) for v in values.to_pylist()]
        return pa.chunked_array([pa.array(found, kind).cast(given)])

    return Encoding("string", encode, decode)


def _counted(kind: pa.DataType) -> pa.DataType:
    """A type with numbers in the place of nanoseconds, which Python's own types do not have."""
    types = pa.types
    if (types.is_timestamp(kind) or types.is_duration(kind)) and kind.unit == "ns":
        return pa.int64()
    if types.is_struct(kind):
        return pa.struct([each.with_type(_counted(each.type)) for each in kind])
    if types.is_map(kind):
        return pa.map_(_counted(kind.key_type), _counted(kind.item_type))
    if types.is_fixed_size_list(kind):
        return pa.list_(_counted(kind.value_type), kind.list_size)
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_counted(kind.value_type)))
    return kind


def arrow_type(kind: dt.DataType) -> pa.DataType:
    """A type in Arrow; no database counts the parts of a day in less than microseconds."""
    found = kind.to_pyarrow()
    return pa.time64("us") if pa.types.is_time(found) else found


def cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Values in another type; databases give counts and sums in wider ones than they need."""
    if values.type == kind:
        return values
    if pa.types.is_decimal(kind) and pa.types.is_string(values.type):
        numbers = [None if v is None else Decimal(v) for v in values.to_pylist()]
        return pa.chunked_array([pa.array(numbers, kind)])
    if pa.types.is_boolean(kind) and pa.types.is_integer(values.type):
        return values.cast(pa.int64()).cast(kind)
    return values.cast(kind)


# --------------------------------------------------------------------------- JSON


def _to_json(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else _named(value)
        case Decimal():
            return str(value)
        case bytes():
            return value.hex()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value // timedelta(microseconds=1)
        case dict():
            return {key: _to_json(member) for key, member in value.items()}
        case tuple():
            return [_to_json(member) for member in value]
        case list():
            return [_to_json(member) for member in value]
    return str(value)


def _named(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _of_json(value: Any, kind: pa.DataType) -> Any:
    types = pa.types
    if value is None:
        return None
    if types.is_struct(kind):
        members = [kind.field(number) for number in range(kind.num_fields)]
        return {each.name: _of_json(value.get(each.name), each.type) for each in members}
    if types.is_map(kind):
        return [(_of_json(k, kind.key_type), _of_json(v, kind.item_type)) for k, v in value]
    if types.is_nested(kind):
        return [_of_json(each, kind.value_type) for each in value]
    if types.is_floating(kind):
        return _NOT_FINITE.get(value, value) if isinstance(value, str) else value
    if types.is_decimal(kind):
        return Decimal(value)
    if types.is_binary(kind) or types.is_fixed_size_binary(kind):
        return bytes.fromhex(value)
    if types.is_timestamp(kind):
        return datetime.fromisoformat(value)
    if types.is_date(kind):
        return date.fromisoformat(value)
    if types.is_time(kind):
        return time.fromisoformat(value)
    if types.is_duration(kind):
        return timedelta(microseconds=value)
    return value
