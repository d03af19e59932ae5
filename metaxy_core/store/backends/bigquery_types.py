"""How BigQuery keeps values, and what it calls their types."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core.errors import ValueOutOfRange
from metaxy_core.store.backends.sql.encoding import (
    Encoding,
    as_json,
    as_text,
    casting,
    counting,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.datatypes as dt
    from google.cloud.bigquery import SchemaField

_FIRST: Final = datetime(1, 1, 1)  # noqa: DTZ001 - as in UTC
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001
_MICROSECONDS: Final = 6
_NUMERIC: Final = (38, 9)
_BIGNUMERIC: Final = (76, 38)
_ZONED: Final = "timestamp('UTC', 6)"


def encoding(kind: dt.DataType) -> Encoding | None:
    """How a type is kept; None where it is kept as it is."""
    if kind.is_integer():
        return _whole(kind)
    if kind.is_floating():
        return None if kind.is_float64() else casting(kind, "float64")
    if kind.is_boolean() or kind.is_string() or kind.is_binary() or kind.is_date():
        return None
    if kind.is_decimal():
        return _decimal(kind)
    if kind.is_timestamp():
        if kind.scale is not None and kind.scale > _MICROSECONDS:
            return counting(kind)
        return None if kind.timezone in (None, "UTC") else casting(kind, _ZONED)
    if kind.is_interval() or kind.is_time():
        return counting(kind)
    return as_json(kind)


def _whole(kind: dt.DataType) -> Encoding | None:
    if kind.is_int64():
        return None
    return casting(kind, "decimal(38, 9)" if kind.is_uint64() else "int64")


def _decimal(kind: dt.DataType) -> Encoding | None:
    precision, scale = kind.precision or _NUMERIC[0], kind.scale or 0
    for most, digits in (_NUMERIC, _BIGNUMERIC):
        if (precision, scale) == (most, digits):
            return None
        if scale <= digits and precision - scale <= most - digits:
            return casting(kind, f"decimal({most}, {digits})")
    return as_text(kind)


def check_years(frame: pa.Table) -> None:
    """Refuse a frame with a date or moment that is not in the years 1 to 9999.

    Raises:
        ValueOutOfRange: it has one, with the name of its column.
    """
    for field in frame.schema:
        if not (pa.types.is_date(field.type) or pa.types.is_timestamp(field.type)):
            continue
        if not _has_years(frame[field.name]):
            raise ValueOutOfRange.from_reason(
                f"column {field.name!r} has a year that is not between 1 and 9999"
            )


def _has_years(values: pa.ChunkedArray) -> bool:
    kind = pa.timestamp("us") if pa.types.is_timestamp(values.type) else pa.date32()
    first, last = (pa.scalar(end).cast(kind) for end in (_FIRST, _LAST))
    try:
        plain = values.cast(kind)
    except pa.ArrowInvalid:  # too far away for microseconds
        return False
    return not pc.any(pc.or_(pc.less(plain, first), pc.greater(plain, last))).as_py()


def declared(kind: pa.DataType) -> str:
    """What the type of an encoded column is called."""
    types = pa.types
    if types.is_decimal(kind):
        return "NUMERIC" if types.is_decimal128(kind) else "BIGNUMERIC"
    if types.is_timestamp(kind):
        return "DATETIME" if kind.tz is None else "TIMESTAMP"
    for is_kind, name in _NAMES:
        if is_kind(kind):
            return name
    raise TypeError(f"a column of type {kind} is not encoded")


_NAMES: Final = (
    (pa.types.is_integer, "INT64"),
    (pa.types.is_floating, "FLOAT64"),
    (pa.types.is_boolean, "BOOL"),
    (pa.types.is_string, "STRING"),
    (pa.types.is_large_string, "STRING"),
    (pa.types.is_null, "STRING"),
    (pa.types.is_binary, "BYTES"),
    (pa.types.is_large_binary, "BYTES"),
    (pa.types.is_fixed_size_binary, "BYTES"),
    (pa.types.is_date, "DATE"),
)


def fields(columns: Sequence[tuple[str, str]]) -> list[SchemaField]:
    """Columns in words of the client library, from their names and types."""
    from google.cloud.bigquery import SchemaField

    return [SchemaField(name, kind) for name, kind in columns]
