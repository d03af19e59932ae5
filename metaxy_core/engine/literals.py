"""Values that stand in a filter become literals of the types that they are compared as."""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from metaxy_core.specs.filter import Value

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

_LONGEST_DECIMAL: Final = 18
_MOST_DIGITS: Final = 38
_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)
_MICROSECONDS, _NANOSECONDS = 6, 9
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - as in UTC
_MICROSECOND: Final = timedelta(microseconds=1)
_FRACTION: Final = re.compile(r"\d[.,](\d+)")


def literal(value: Value) -> ir.Scalar:
    """A value with a type that holds it: a number of many digits is a float, as in SQL."""
    import ibis

    if isinstance(value, int) and not isinstance(value, bool):
        return ibis.literal(value, "int64")
    if not isinstance(value, Decimal):
        return ibis.literal(value)
    if value == value.to_integral_value() and int(value) in _INT64:
        return ibis.literal(int(value), "int64")
    if value == value.to_integral_value() and int(value) in _UINT64:
        return ibis.literal(int(value), "uint64")
    _, digits, exponent = value.as_tuple()
    scale = max(0, -int(exponent))
    precision = max(len(digits) + max(0, int(exponent)), scale)
    if precision > _LONGEST_DECIMAL:
        return ibis.literal(float(value), "float64")
    return ibis.literal(value, f"decimal({precision}, {scale})")


def short_float(value: Value) -> ir.Scalar:
    """A number beside floats of 32 bits: the nearest of them, so that 0.1 is equal to 0.1."""
    import ibis

    exact = float(value)  # type: ignore[arg-type]  # only numbers are compared with numbers
    try:
        (nearest,) = struct.unpack("f", struct.pack("f", exact))
    except OverflowError:
        nearest = exact
    return ibis.literal(nearest, "float64")


def wide_decimal(value: ir.NumericValue, other: dt.DataType) -> ir.NumericValue:
    """A decimal beside another one, in a type that holds both."""
    import ibis.expr.datatypes as dt

    own = value.type()
    if not (own.is_decimal() and other.is_decimal()):
        return value
    (whole, scale), (further, places) = _digits(own), _digits(other)
    if whole >= further and scale >= places:
        return value
    scale = max(scale, places)
    return value.cast(dt.Decimal(min(_MOST_DIGITS, max(whole, further) + scale), scale))


def _digits(kind: dt.DataType) -> tuple[int, int]:
    """How many digits a decimal has before and after the point."""
    scale = kind.scale or 0
    return (kind.precision or _MOST_DIGITS) - scale, scale


def moment(text: str, kind: dt.DataType) -> ir.Scalar:
    """A text beside a column of dates or times, as one.

    A moment with an offset is turned to UTC, and one without is in UTC, which timestamps without a
    zone are, too. Beside dates, a moment in the middle of a day is a timestamp.

    Raises:
        ValueError: it stands for no such value.
    """
    import ibis

    return ibis.literal(found := _written(text, kind)).cast(_type_of(found, kind))


def _written(text: str, kind: dt.DataType) -> str:
    places = _NANOSECONDS if is_in_nanoseconds(kind) else _MICROSECONDS
    further = _further_digits(text, places)
    if kind.is_time():
        clock = time.fromisoformat(text)
        if clock.tzinfo is not None:
            raise ValueError("a time of day has no zone")
        return clock.isoformat(timespec="microseconds")
    found = datetime.fromisoformat(text)
    if found.tzinfo is not None:
        if kind.is_date():
            raise ValueError("a date has no zone")
        found = found.astimezone(UTC).replace(tzinfo=None)
    if kind.is_date() and found.time() == time.min:
        return found.date().isoformat()
    if is_in_nanoseconds(kind):
        _check_nanoseconds(found)
    zone = "+00:00" if kind.is_timestamp() and kind.timezone else ""
    return f"{found.isoformat(sep=' ', timespec='microseconds')}{further}{zone}"


def _further_digits(text: str, places: int) -> str:
    """The digits of a second after those that Python reads."""
    digits = found[1].rstrip("0") if (found := _FRACTION.search(text)) else ""
    if len(digits) > places:
        raise ValueError(f"it has more than {places} digits after the second")
    return digits[_MICROSECONDS:].ljust(places - _MICROSECONDS, "0")


def _check_nanoseconds(found: datetime) -> None:
    count = (found - _EPOCH) // _MICROSECOND * 1_000
    if count not in _INT64 or count + 999 not in _INT64:
        raise ValueError("timestamps of nanoseconds go from 1677-09-21 to 2262-04-11")


def _type_of(written: str, kind: dt.DataType) -> dt.DataType:
    import ibis.expr.datatypes as dt

    if kind.is_time() or (kind.is_date() and len(written) == len("2026-01-31")):
        return kind
    scale = _NANOSECONDS if is_in_nanoseconds(kind) else _MICROSECONDS
    zone = "UTC" if kind.is_timestamp() and kind.timezone else None
    return dt.Timestamp(timezone=zone, scale=scale)


def is_in_nanoseconds(kind: dt.DataType) -> bool:
    """Whether it is a type of timestamps that are counted in nanoseconds."""
    return bool(kind.is_timestamp() and (kind.scale or 0) > _MICROSECONDS)
