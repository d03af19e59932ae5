"""Frames of a few rows, written out as SQL: a query that has them needs no load job before it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.store.backends.bigquery_types import declared

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_ROWS: Final = 20
_LONGEST: Final = 20_000
_NOT_PLAIN: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def written_rows(frame: pa.Table) -> str | None:
    """The query whose rows a frame has; None where it has many, or values that are better loaded.

    Args:
        frame: with types that BigQuery has.
    """
    if frame.num_rows > _MOST_ROWS or not frame.num_columns:
        return None
    if not frame.num_rows:
        kinds = ((field.name, declared(field.type)) for field in frame.schema)
        nothing = ", ".join(f"CAST(NULL AS {kind}) AS `{name}`" for name, kind in kinds)
        return f"SELECT {nothing} LIMIT 0"
    columns = []
    for name in frame.column_names:
        texts = _texts(frame[name])
        if texts is None:
            return None
        columns.append([f"{text} AS `{name}`" for text in texts])
    query = " UNION ALL ".join(f"SELECT {', '.join(row)}" for row in zip(*columns, strict=True))
    return query if len(query) <= _LONGEST else None


def _texts(values: pa.ChunkedArray) -> list[str] | None:
    """Values in SQL."""
    kind = declared(values.type)
    written = _WRITTEN.get(kind)
    if written is None:
        return None
    found = values.to_pylist()
    if kind == "STRING" and any(_NOT_PLAIN.search(each) for each in found if each is not None):
        return None
    return [f"CAST(NULL AS {kind})" if each is None else written(each) for each in found]


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _moment(value: datetime) -> str:
    text = value.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")
    return f"CAST('{text}' AS TIMESTAMP)"


_WRITTEN: Final[dict[str, Callable[[Any], str]]] = {
    "INT64": lambda value: f"CAST('{value}' AS INT64)" if abs(value) >= 2**63 - 1 else str(value),
    "STRING": _text,
    "BOOL": lambda value: "TRUE" if value else "FALSE",
    "TIMESTAMP": _moment,
}
