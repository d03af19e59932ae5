"""DuckDB keeps a duration as an interval and gives it back as one; users get their duration."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_PARTS = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
_MICROSECONDS_A_DAY = 86_400_000_000


def with_durations(table: pa.Table) -> pa.Table:
    """A table whose interval columns are durations in microseconds."""
    for index, field in enumerate(table.schema):
        if pa.types.is_interval(field.type):
            chunks = [_duration(chunk) for chunk in table.column(index).chunks]
            column = pa.chunked_array(chunks, pa.duration("us"))
            table = table.set_column(index, field.name, column)
    return table


def _duration(interval: pa.Array) -> pa.Array:
    parts = np.frombuffer(interval.buffers()[1], _PARTS)[interval.offset :][: len(interval)]
    total = parts["days"] * np.int64(_MICROSECONDS_A_DAY) + parts["nanoseconds"] // 1_000
    return pa.array(total, pa.duration("us"), mask=~np.asarray(interval.is_valid()))
