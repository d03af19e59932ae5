"""Any data frame becomes an Arrow table here, so that nothing below has to know who made it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import narwhals as nw
import pyarrow as pa

from metaxy_core.errors import UnexpectedColumn, UnsupportedFrame
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.names import is_storable

_OF_ARROW: Final = ("__filename", "__fragment_index", "__batch_index", "__last_in_fragment")
"""What Arrow itself calls columns that it adds to those of a frame when it reads it."""

_BINARY: Final = (
    pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary,
)  # fmt: skip


def to_arrow(feature: FeatureKey, frame: Any) -> pa.Table:
    """A frame of any supported library as an Arrow table with plain column types.

    Args:
        feature: named in errors.
        frame: a Polars (eager or lazy), pandas, PyArrow or Ibis table, a DuckDB relation, or a
            Narwhals frame over one of them.

    Raises:
        UnsupportedFrame: the object is none of these.
        UnexpectedColumn: two columns have one name, or names that differ only in case, or one has a
            name that cannot be kept.
    """
    try:
        table = _table(feature, frame)
    except (UnicodeError, pa.ArrowException) as error:
        raise UnsupportedFrame(
            f"The frame for '{feature}' holds values that Arrow does not: {error}. Correct them; "
            f"nothing was written."
        ) from error
    _check_names(feature, table.column_names)
    return _plain(table)


def _table(feature: FeatureKey, frame: Any) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if isinstance(frame, pa.RecordBatchReader):
        return frame.read_all()
    try:
        narrow = nw.from_native(frame)
    except TypeError as error:
        raise UnsupportedFrame.from_object(feature, frame) from error
    except nw.exceptions.DuplicateError:
        _check_names(feature, map(str, frame.columns))
        raise
    _check_names(feature, narrow.collect_schema().names())
    if narrow.implementation.is_pandas():
        return pa.Table.from_pandas(narrow.to_native(), preserve_index=False)
    if isinstance(narrow, nw.LazyFrame):
        return narrow.collect(backend="pyarrow").to_native()
    return narrow.to_arrow()


def _check_names(feature: FeatureKey, names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if not name or not is_storable(name) or name in _OF_ARROW:
            raise UnexpectedColumn(
                f"The frame for '{feature}' has a column named {name[:100]!r}, which cannot be "
                f"kept; rename it. Nothing was written."
            )
        folded = name.lower()
        if folded in seen:
            raise UnexpectedColumn(
                f"The frame for '{feature}' has the columns {seen[folded]!r} and {name!r}, which "
                f"would be one in a database; rename or drop one of them. Nothing was written."
            )
        seen[folded] = name


def _plain(table: pa.Table) -> pa.Table:
    fields = [field.with_type(_plain_type(field.type)) for field in table.schema]
    plain = pa.schema(fields)
    return table if plain == table.schema else table.cast(plain)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if any(is_kind(kind) for is_kind in _BINARY):
        return pa.binary()
    if pa.types.is_struct(kind):
        return pa.struct([member.with_type(_plain_type(member.type)) for member in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_list_view(kind):
        return pa.list_(_plain_type(kind.value_type))
    return kind
