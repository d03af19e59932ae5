"""Parsed filters become Ibis predicates here; values stay typed literals."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from metaxy_core.errors import UnknownColumn
from metaxy_core.specs.filter import (
    Binary,
    Column,
    Constant,
    IsNull,
    Junction,
    Membership,
    Negation,
    Predicate,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

_OPERATIONS = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}


def filtered(table: ir.Table, predicate: Predicate | None, feature: object) -> ir.Table:
    """The rows of a table for which a predicate is true.

    Raises:
        UnknownColumn: the predicate reads a column that the table does not have.
    """
    if predicate is None:
        return table
    return table.filter(_value(predicate, table, feature))


def _value(predicate: Predicate, table: ir.Table, feature: object) -> Any:
    import ibis

    match predicate:
        case Column(name):
            if name not in table.columns:
                raise UnknownColumn.from_available(feature, name, table.columns, "The filter")
            return table[name]
        case Constant(None):
            return ibis.null()
        case Constant(value):
            return ibis.literal(value)
        case Binary("like", left, Constant(str(pattern))):
            return _value(left, table, feature).like(pattern)
        case Binary(name, left, right):
            return _OPERATIONS[name](_value(left, table, feature), _value(right, table, feature))
        case Junction("and", left, right):
            return _value(left, table, feature) & _value(right, table, feature)
        case Junction(_, left, right):
            return _value(left, table, feature) | _value(right, table, feature)
        case Negation(operand):
            return ~_value(operand, table, feature)
        case IsNull(operand):
            return _value(operand, table, feature).isnull()
        case Membership(operand, values):
            return _value(operand, table, feature).isin([item.value for item in values])
