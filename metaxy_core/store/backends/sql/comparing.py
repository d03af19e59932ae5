"""Values are compared in the form in which a database keeps them, or the comparison is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from metaxy_core.errors import InvalidFilter

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.operations as ops
    import sqlglot.expressions as sge

    from metaxy_core.store.backends.sql.encoding import Encoding

KEPT: Final = "metaxy_kept_"
_REAL: Final = f"{KEPT}float64"
_EXACT: Final = 15
"""So many digits a float tells apart."""


def comparable(
    root: ops.Node, encoding: Callable[[dt.DataType], Encoding | None], name: str
) -> ops.Node:
    """An expression in which encoded values are compared with encoded literals.

    Decimals that are kept as text are compared as floats, which have fifteen exact digits.

    Args:
        root: the expression.
        encoding: how a type is kept.
        name: of the database, for messages.

    Raises:
        InvalidFilter: decimals have more digits.
    """
    import ibis.expr.operations as ops

    def replaced(node: ops.Node, changed: Mapping[str, Any] | None) -> ops.Node:
        if not isinstance(node, ops.Comparison | ops.Between | ops.InValues):
            return node.__recreate__(changed) if changed else node
        given = dict(zip(node.argnames, node.args, strict=True)) | dict(changed or {})
        sides = [each for value in given.values() for each in _values(value)]
        told = [side for side in sides if _is_told(side)]
        kinds = {
            side.dtype
            for side in sides
            if side not in told and _is_ordered(side.dtype) and _is_other(side.dtype, encoding)
        }
        is_equality = isinstance(node, ops.Equals | ops.NotEquals | ops.IdenticalTo)
        decimals = [kind for kind in kinds if kind.is_decimal()]
        if not kinds or not (told or (decimals and not is_equality)):
            return node.__recreate__(changed) if changed else node
        if any((kind.precision or 38) > _EXACT for kind in decimals):
            raise InvalidFilter(
                f"A {name} store keeps decimals of more than {_EXACT} digits as text, so that a "
                f"filter cannot compare them. Give what it needs a column of its own."
            )
        (kind, *_) = decimals or kinds
        kept = {
            name: _each(value, lambda side: _kept(side, kind, encoding))
            for name, value in given.items()
        }
        return type(node)(**kept)

    return root.replace(replaced)


def plain(node: sge.Expression) -> sge.Expression:
    """The functions that say in which form a value is kept are left out of the SQL."""
    import sqlglot.expressions as sge

    if not isinstance(node, sge.Anonymous) or not node.name.lower().startswith(KEPT):
        return node
    value = node.expressions[0]
    return sge.cast(value, "double") if node.name.lower() == _REAL else value


def _is_ordered(kind: dt.DataType) -> bool:
    """Whether a filter compares values of a type with those that it says."""
    return bool(kind.is_decimal() or kind.is_date() or kind.is_timestamp() or kind.is_time())


def _is_other(kind: dt.DataType, encoding: Callable[[dt.DataType], Encoding | None]) -> bool:
    """Whether values are kept as another kind of type."""
    import ibis

    found = encoding(kind)
    return found is not None and type(ibis.dtype(found.kept)) is not type(kind)


def _values(value: Any) -> list[Any]:
    import ibis.expr.operations as ops

    found = value if isinstance(value, tuple) else (value,)
    return [each for each in found if isinstance(each, ops.Value)]


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    import ibis.expr.operations as ops

    if isinstance(value, tuple):
        return tuple(_each(each, change) for each in value)
    return change(value) if isinstance(value, ops.Value) else value


def _kept(
    side: ops.Value, kind: dt.DataType, encoding: Callable[[dt.DataType], Encoding | None]
) -> ops.Value:
    """A value in the form in which values of a type are kept."""
    import ibis.expr.datatypes as dt
    import ibis.expr.operations as ops

    if kind.is_decimal():
        if isinstance(side, ops.Literal):
            value = None if side.value is None else float(side.value)
            return ops.Literal(value, dt.float64)
        return _marked(side, dt.float64)
    found = encoding(kind)
    if found is None:
        return side
    to = dt.dtype(found.kept)
    if not _is_told(side):
        return _marked(side, to)
    values = pa.chunked_array([pa.array([_value(side, kind)], kind.to_pyarrow())])
    return ops.Literal(found.encode(values)[0].as_py(), to)


def _is_told(side: ops.Value) -> bool:
    """Whether a value stands in the expression itself, as what it is or as a text of it."""
    import ibis.expr.operations as ops

    if isinstance(side, ops.Cast):
        return isinstance(side.arg, ops.Literal) and side.arg.dtype.is_string()
    return isinstance(side, ops.Literal)


def _value(side: ops.Value, kind: dt.DataType) -> Any:
    """The value of what stands in the expression.

    Raises:
        InvalidFilter: it is no value of the type.
    """
    import ibis.expr.operations as ops

    value = side.arg.value if isinstance(side, ops.Cast) else side.value
    if not isinstance(value, str):
        return value
    try:
        if kind.is_time():
            return time.fromisoformat(value)
        found = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidFilter(
            f"A filter compares {value!r} with a column of type {kind}; write it as in ISO 8601."
        ) from None
    if kind.is_date():
        return found.date()
    if kind.is_timestamp() and kind.timezone:
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return found


def _marked(value: ops.Value, kind: dt.DataType) -> ops.Value:
    """A value that is taken for one of another type."""
    import ibis

    @ibis.udf.scalar.builtin(
        name=f"{KEPT}{type(kind).__name__.lower()}",
        signature=((value.dtype,), kind.copy(nullable=True)),
    )
    def kept(x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        """The value as it is."""

    return kept(value.to_expr()).op()
