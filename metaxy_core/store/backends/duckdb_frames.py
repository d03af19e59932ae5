"""Arrow frames that DuckDB reads where they are."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import duckdb
import pyarrow as pa

from metaxy_core.store.backends.duckdb_session import quoted

_GIVEN: Final = "__given"


def register(connection: duckdb.DuckDBPyConnection, name: str, frame: pa.Table) -> list[str]:
    """Show a frame under a name; gives the names that are taken for it.

    DuckDB lets Arrow filter the frames that it reads, for which NaN is not greater than any number.
    What has floats is behind a view, in which DuckDB has to compare by itself.
    """
    unregister(connection, name)  # one that could not be, in a transaction that failed
    if not any(_has_floats(field.type) for field in frame.schema):
        connection.register(name, frame)
        return [name]
    given = name + _GIVEN
    connection.register(given, frame)
    columns = ", ".join(map(_shown, frame.schema))
    rows = f"SELECT {columns} FROM {quoted(given)} AS g"  # noqa: S608 - quoted
    connection.execute(f"CREATE OR REPLACE TEMPORARY VIEW {quoted(name)} AS {rows}")
    return [name, given]


def unregister(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """Forget a frame; gives the names that are free."""
    connection.unregister(name)
    with suppress(duckdb.Error):  # in a transaction that failed; another frame replaces it then
        connection.execute(f"DROP VIEW IF EXISTS {quoted(name)}")
    connection.unregister(name + _GIVEN)
    return [name, name + _GIVEN]


def _shown(field: pa.Field) -> str:
    column = f"g.{quoted(field.name)}"
    if not _has_floats(field.type):
        return column
    return f"CASE WHEN {column} IS NOT NULL THEN {column} END AS {quoted(field.name)}"


def _has_floats(kind: pa.DataType) -> bool:
    """Whether a filter can compare floats in a column."""
    if pa.types.is_struct(kind):
        return any(_has_floats(member.type) for member in kind)
    return bool(pa.types.is_floating(kind))
