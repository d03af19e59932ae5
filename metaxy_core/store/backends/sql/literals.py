"""Literals beside a column that a database keeps in another form are kept in the same form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from metaxy_core.errors import InvalidFilter
from metaxy_core.store.backends.sql.encoding import Encoding, arrow_type

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.operations as ops
    import ibis.expr.types as ir
    import sqlglot.expressions as sge

    Encodings = Callable[[dt.DataType], Encoding | None]

_KEPT: Final = "metaxy_kept"
_COUNTS, _TEXTS = "int64", "string"


def with_kept_literals(expression: ir.Table, database: str, encoding: Encodings) -> ir.Table:
    """An expression in which texts that stand for dates and times are as columns are kept.

    Args:
        expression: what is compiled.
        database: for messages.
        encoding: how a type is kept.

    Raises:
        InvalidFilter: it compares columns that are kept in different forms.
    """
    import ibis.expr.operations as ops

    comparisons = expression.op().find(ops.Comparison)
    timed = [each for each in comparisons if all(_is_timed(side.dtype) for side in each.args)]
    if not timed:
        return expression
    for each in timed:
        _check(each, database, encoding)

    def kept(node: Any, changed: dict[str, Any] | None) -> Any:
        return _kept(node if changed is None else node.__recreate__(changed), encoding)

    return expression.op().replace(kept).to_expr()


def bare_literals(node: sge.Expression) -> sge.Expression:
    """A kept literal stands for itself."""
    import sqlglot.expressions as sge

    is_kept = isinstance(node, sge.Anonymous) and node.name.lower() == _KEPT
    return node.expressions[0] if is_kept else node


def kept_value(value: pa.Array, encoding: Encoding | None) -> Any:
    """The one value of an array, as a column keeps it."""
    values = pa.chunked_array([value])
    return (values if encoding is None else encoding.encode(values))[0].as_py()


def _kept(node: Any, encoding: Encodings) -> Any:
    import ibis
    import ibis.expr.operations as ops

    if not isinstance(node, ops.Cast) or not _is_timed(node.to):
        return node
    found = encoding(node.to)
    is_text = isinstance(node.arg, ops.Literal) and node.arg.dtype.is_string()
    if not is_text or found is None or found.kept not in {_COUNTS, _TEXTS}:
        return node
    value = kept_value(_array(node.arg.value, node.to), found)
    return _marking(found.kept, node.to)(ibis.literal(value, found.kept)).op()


def _array(text: str, kind: dt.DataType) -> pa.Array:
    """What a text stands for; the one kind that Arrow does not read is read by Python."""
    wanted = arrow_type(kind)
    if kind.is_time():
        return pa.array([time.fromisoformat(text)], wanted)
    return pa.array([text]).cast(wanted)


@lru_cache(maxsize=256)
def _marking(given: str, kind: dt.DataType) -> Any:
    """A function of a kept value that has the type of what it stands for; SQL does without."""
    import ibis

    def mark(value: Any) -> Any:
        """Give what it stands for."""

    return ibis.udf.scalar.builtin(mark, name=_KEPT, signature=((given,), kind))


def _is_timed(kind: dt.DataType) -> bool:
    return bool(kind.is_temporal() or kind.is_interval())


def _check(comparison: ops.Comparison, database: str, encoding: Encodings) -> None:
    kinds = comparison.left.dtype, comparison.right.dtype
    one, other = (_form(kind, encoding) for kind in kinds)
    if one != other:
        raise InvalidFilter(
            f"A {database} store keeps {kinds[0]} and {kinds[1]} in different ways, so that a "
            f"filter cannot compare them. Give one of the columns the other's type."
        )


def _form(kind: dt.DataType, encoding: Encodings) -> str:
    """What numbers count; everything else is for the database to compare."""
    found = encoding(kind)
    if found is None or found.kept != _COUNTS:
        return "own"
    return "nanoseconds" if kind.is_timestamp() else str(kind.copy(nullable=True))
