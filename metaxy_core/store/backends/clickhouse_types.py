"""How ClickHouse keeps values: what it has no type for is kept as a number or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from metaxy_core.store.backends.sql.encoding import Encoding, as_json, cast, counting

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt

_MICROSECONDS: Final = 6


def encoding(kind: dt.DataType) -> Encoding | None:
    """How a type is kept; None where it is kept as it is."""
    is_known = (
        kind.is_integer()
        or kind.is_boolean()
        or kind.is_floating()
        or kind.is_string()
        or kind.is_binary()
        or kind.is_decimal()
        or kind.is_date()
    )
    if is_known:
        return None
    if kind.is_timestamp():
        return _timestamp(kind)
    if kind.is_interval() or kind.is_time():
        return counting(kind)
    return as_json(kind)


def _timestamp(kind: dt.DataType) -> Encoding:
    """Microseconds, in UTC where there is a zone; without one they come back as if in UTC."""
    back = kind.to_pyarrow()
    if kind.scale is not None and kind.scale > _MICROSECONDS:
        return counting(kind)
    kept = pa.timestamp("us", "UTC" if back.tz else None)
    name = "timestamp('UTC', 6)" if back.tz else "timestamp(6)"
    return Encoding(name, lambda values: values.cast(kept), lambda values: cast(values, back))
