"""Numbers that SQLite has no type for, compared and calculated with as other databases do it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from typing import Final

Number = int | float | Decimal

COMPARE: Final = "metaxy_compare"
CALCULATE: Final = "metaxy_calculate"

_DIGITS: Final = 400
_EXACT: Final = Context(prec=_DIGITS)
_FLOATS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
_LEAST, _GREATEST = -(2**63), 2**63 - 1
_WHOLE: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "%": lambda one, other: int(math.copysign(1, one)) * (abs(one) % abs(other)),
}
_DECIMALS: Final = {
    "+": _EXACT.add,
    "-": _EXACT.subtract,
    "*": _EXACT.multiply,
    "%": _EXACT.remainder,
}


def compare(left: str | float | None, right: str | float | None) -> int | None:
    """Less than, equal to or greater than zero, as the first number is than the second.

    Decimals are texts; they are exact, but beside a float. NaN is the greatest of all.
    """
    if left is None or right is None:
        return None
    one, other = _read(left), _read(right)
    if isinstance(one, float) or isinstance(other, float):
        one, other = float(one), float(other)
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) - math.isnan(other)
    return (one > other) - (one < other)


def calculate(name: str, left: str | float | None, right: str | float | None) -> str | float | None:
    """A sum, difference, product, quotient or remainder; NULL where there is none.

    Raises:
        OverflowError: a whole number does not fit into 64 bits.
    """
    if left is None or right is None:
        return None
    one, other = _read(left), _read(right)
    if name == "/" or isinstance(one, float) or isinstance(other, float):
        found = _of_floats(name, float(one), float(other))
        return "NaN" if found is not None and math.isnan(found) else found
    if name == "%" and not other:
        return None
    if isinstance(one, int) and isinstance(other, int):
        return _whole(_WHOLE[name](one, other))
    return f"{_DECIMALS[name](Decimal(one), Decimal(other)):f}"


def _whole(found: int) -> int:
    if not _LEAST <= found <= _GREATEST:
        raise OverflowError(found)
    return found


def _of_floats(name: str, left: float, right: float) -> float | None:
    if name in _FLOATS:
        return _FLOATS[name](left, right)
    if not right:
        return None
    if math.isinf(left):
        return math.nan if name == "%" or math.isinf(right) else left * math.copysign(1, right)
    return math.fmod(left, right) if name == "%" else left / right


def _read(value: str | float) -> Number:
    if not isinstance(value, str):
        return value
    return math.nan if value == "NaN" else Decimal(value)
