"""Records are told apart by their ids; what an id must be is checked here."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core.errors import MissingColumn, NullId
from metaxy_core.keys import FeatureKey

SHOWN = 5


def check_ids(feature: FeatureKey, id_columns: Sequence[str], frame: pa.Table) -> None:
    """Every id column is there and holds no NULL.

    Raises:
        MissingColumn: an id column is missing.
        NullId: an id column holds NULL.
    """
    for name in id_columns:
        if name not in frame.column_names:
            raise MissingColumn.from_available(feature, name, "an id column", frame.column_names)
        column = frame[name]
        if column.null_count:
            rows = pc.indices_nonzero(column.is_null()).to_pylist()
            raise NullId.from_rows(feature, name, rows, len(rows))


def shown_ids(rows: pa.Table) -> list[object]:
    """Ids as they are shown in messages: a value, or a tuple where there are several columns."""
    columns = [column.to_pylist() for column in rows.columns]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def ids_where(frame: pa.Table, id_columns: Sequence[str], mask: pa.Array) -> list[object]:
    """The first ids of a frame for which a mask holds, and a few more to count."""
    return shown_ids(frame.select(list(id_columns)).filter(mask).slice(0, SHOWN + 1))
