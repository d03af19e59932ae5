"""What DuckDB says of values in a query, in words that say what to do."""

from __future__ import annotations

from typing import Final

import duckdb

from metaxy_core.errors import InvalidFilter, MetaxyError, ValueOutOfRange
from metaxy_core.errors.base import first_line

_NOT_COMPARED: Final = "Cannot compare values"


def of_values(error: Exception) -> MetaxyError | None:
    """Values that do not fit their types, or that DuckDB does not compare; None for other errors.

    Args:
        error: what DuckDB raised.
    """
    if isinstance(error, duckdb.DataError):
        return ValueOutOfRange.from_reason(first_line(error))
    if isinstance(error, duckdb.BinderException) and _NOT_COMPARED in str(error):
        return InvalidFilter(
            f"A filter compares columns of types that do not compare. Give one of them the other's "
            f"type. DuckDB says: {first_line(error)}"
        )
    return None
