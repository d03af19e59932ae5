"""Times of day that are counted in nanoseconds, beside those that DuckDB reads from text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir


def comparable_times(expression: ir.Table) -> ir.Table:
    """An expression in which times are microseconds where a filter compares them.

    DuckDB has two types of them, which it does not compare with each other, and Ibis has one.
    """
    if not expression.op().find(_is_timed):
        return expression
    return expression.op().replace(_comparable).to_expr()


def _is_timed(node: Any) -> bool:
    import ibis.expr.operations as ops

    return isinstance(node, ops.Comparison) and all(side.dtype.is_time() for side in node.args)


def _comparable(node: Any, changed: dict[str, Any] | None) -> Any:
    import ibis.expr.datatypes as dt
    import ibis.expr.operations as ops

    node = node if changed is None else node.__recreate__(changed)
    if not _is_timed(node) or _joins(node):
        return node
    sides = (each if isinstance(each, ops.Cast) else ops.Cast(each, dt.time) for each in node.args)
    return type(node)(*sides)


def _joins(node: Any) -> bool:
    """Whether it compares columns of two tables, by which they are joined: these stay exact."""
    import ibis.expr.operations as ops

    return len({side.rel for side in node.args if isinstance(side, ops.Field)}) > 1
