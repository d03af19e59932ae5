"""Parsed filters become Ibis predicates here; values stay typed literals."""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from datetime import datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from metaxy_core.errors import InvalidFilter, UnknownColumn
from metaxy_core.errors.base import shown
from metaxy_core.specs.filter import (
    Binary,
    Column,
    Constant,
    Filter,
    IsNull,
    Junction,
    Member,
    Membership,
    Negation,
    Predicate,
    Value,
    written,
)
from metaxy_core.system_columns import is_reserved

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

_COMPARISONS = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}
_LONGEST_DECIMAL = 18


def filtered(
    table: ir.Table,
    condition: Filter | None,
    feature: object,
    system: Collection[str] = (),
) -> ir.Table:
    """The rows of a table for which a filter is true.

    Args:
        table: the rows.
        condition: the filter; None keeps every row.
        feature: named in errors.
        system: the system columns that the filter may read; those on disk are nobody's business.

    Raises:
        UnknownColumn: the filter reads a column that the table does not have.
        InvalidFilter: it compares types that do not compare.
    """
    if condition is None:
        return table
    known = [name for name in table.columns if name in system or not is_reserved(name)]
    return table.filter(_Predicates(table, condition, feature, known).truth(condition.predicate))


class _Predicates:
    """One walk over a filter; knows the table and what to say when types do not fit."""

    def __init__(
        self, table: ir.Table, condition: Filter, feature: object, known: Sequence[str]
    ) -> None:
        self._table = table
        self._known = known
        self._condition = condition
        self._feature = feature

    def truth(self, predicate: Predicate) -> Any:
        """The predicate as a truth value."""
        value = self._value(predicate)
        self._require(_family(value.type()) in {"boolean", "null"}, "is not true or false", value)
        return value.cast("boolean")

    def _value(self, predicate: Predicate) -> Any:  # noqa: C901 - one case per kind of node
        import ibis

        match predicate:
            case Column(name):
                return self._column(name)
            case Member(struct, name):
                return self._member(struct, name)
            case Constant(value):
                return ibis.null() if value is None else _literal(value)
            case Binary("like", left, Constant(str(pattern))):
                text = self._value(left)
                self._require(_family(text.type()) == "text", "is no text to LIKE", text)
                return text.like(pattern)
            case Binary("/" | "%", _, Constant(0)):
                return ibis.null("float64")
            case Binary(name, left, right) if name in _ARITHMETIC:
                return _ARITHMETIC[name](self._number(left), self._number(right))
            case Binary(name, left, right):
                return self._comparison(name, self._value(left), self._value(right))
            case Junction("and", left, right):
                return self.truth(left) & self.truth(right)
            case Junction(_, left, right):
                return self.truth(left) | self.truth(right)
            case Negation(operand):
                return ~self.truth(operand)
            case IsNull(operand):
                return self._value(operand).isnull()
            case Membership(operand, values):
                return self._membership(operand, values)
        raise AssertionError(predicate)

    def _column(self, name: str) -> Any:
        if name not in self._known:
            raise UnknownColumn.from_available(
                self._feature, name, self._known, f"Filter {shown(self._condition.text)}"
            )
        return self._table[name]

    def _member(self, struct: Column | Member, name: str) -> Any:
        value = self._value(struct)
        self._require(value.type().is_struct(), f"has no member {name!r}", value)
        if name not in value.type().names:
            raise UnknownColumn.from_available(
                self._feature,
                f"{written(struct)}.{name}",
                [f"{written(struct)}.{member}" for member in value.type().names],
                f"Filter {shown(self._condition.text)}",
            )
        return value[name]

    def _number(self, predicate: Predicate) -> Any:
        value = self._value(predicate)
        self._require(_family(value.type()) in {"number", "null"}, "is no number", value)
        return value

    def _comparison(self, name: str, left: Any, right: Any) -> Any:
        import ibis

        families = {_family(left.type()), _family(right.type())}
        if "null" in families:
            return ibis.null("boolean")
        if families == {"time", "text"}:
            left, right = self._time(left, right.type()), self._time(right, left.type())
        fitting = len({_family(left.type()), _family(right.type())}) == 1
        self._require(fitting, f"is compared with {right.type()}", left)
        return _COMPARISONS[name](left, right)

    def _membership(self, operand: Predicate, values: tuple[Constant, ...]) -> Any:
        import ibis

        given = self._value(operand)
        matches = [
            self._comparison("=", given, _literal(item.value))
            for item in values
            if item.value is not None
        ]
        if not matches:
            return ibis.null("boolean")
        if _family(given.type()) == "time":
            return ibis.or_(*matches)
        found = given.isin([_literal(item.value) for item in values if item.value is not None])
        return found if len(matches) == len(values) else found | ibis.null("boolean")

    def _time(self, value: Any, kind: dt.DataType) -> Any:
        """A literal text beside a date or time is read as one."""
        import ibis

        if _family(value.type()) != "text":
            return value
        text = getattr(value.op(), "value", None)
        is_time = isinstance(text, str) and _is_iso(text)
        self._require(is_time, f"is compared with {kind}", value)
        return ibis.literal(text).cast(kind)

    def _require(self, holds: bool, problem: str, value: Any) -> None:  # noqa: FBT001
        if not holds:
            raise InvalidFilter.from_text(
                self._condition.text,
                f"{value.get_name()}, {value.type()} of '{self._feature}', {problem}",
            )


def _literal(value: Value) -> ir.Scalar:
    """A value with a type that holds it: a number of many digits is a float, as in SQL."""
    import ibis

    if not isinstance(value, Decimal):
        return ibis.literal(value)
    _, digits, exponent = value.as_tuple()
    scale = max(0, -int(exponent))
    precision = max(len(digits) + max(0, int(exponent)), scale)
    if precision > _LONGEST_DECIMAL:
        return ibis.literal(float(value), "float64")
    return ibis.literal(value, f"decimal({precision}, {scale})")


def _is_iso(text: str) -> bool:
    for kind in (datetime, time):
        try:
            kind.fromisoformat(text)
        except ValueError:
            continue
        return True
    return False


def _family(kind: dt.DataType) -> str:
    families = {
        "null": kind.is_null(),
        "boolean": kind.is_boolean(),
        "number": kind.is_numeric(),
        "text": kind.is_string(),
        "time": kind.is_temporal(),
    }
    return next((name for name, matches in families.items() if matches), str(kind))
