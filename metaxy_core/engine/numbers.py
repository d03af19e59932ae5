"""Numbers that a statement is not compiled anew for, such as the commit after which rows count.

Each has a name. It stands in an expression as an integer that nothing else can be, and the value is
put in its place in the SQL.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ibis.expr.types as ir

Numbers = Mapping[str, int]
"""Values by name."""

SINCE: Final = "since"
"""The newest commit that was settled."""

OWN_SINCE: Final = "own since"
"""The newest one of the feature's own; later than the other where what was awaited came."""

_places: dict[str, int] = {}


def number(name: str) -> ir.IntegerScalar:
    """A number in an expression."""
    import ibis

    return ibis.literal(_place(name), "int64")


def with_numbers(sql: str, numbers: Numbers) -> str:
    """A statement with the values of its numbers."""
    for name, value in numbers.items():
        sql = sql.replace(str(_place(name)), str(value))
    return sql


def _place(name: str) -> int:
    return _places.setdefault(name, 10**18 + secrets.randbelow(8 * 10**18))
