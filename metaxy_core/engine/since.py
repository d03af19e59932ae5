"""A commit that statements speak of without being compiled anew for every commit there is.

It stands in an expression as a number that nothing else can be, and is put in its place in the SQL.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ibis.expr.types as ir

_PLACE: Final = 10**18 + secrets.randbelow(8 * 10**18)


def since_commit() -> ir.IntegerScalar:
    """The commit, in an expression."""
    import ibis

    return ibis.literal(_PLACE, "int64")


def with_since(sql: str, commit: int) -> str:
    """A statement that speaks of a certain commit."""
    return sql.replace(str(_PLACE), str(commit))
