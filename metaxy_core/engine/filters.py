"""Parsed filters become Ibis predicates here; values stay typed literals."""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from metaxy_core.engine.literals import (
    is_in_nanoseconds,
    literal,
    moment,
    short_float,
    wide_decimal,
)
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
    from ibis.common.exceptions import IbisTypeError

    known = [name for name in table.columns if name in system or not is_reserved(name)]
    try:
        wanted = _Predicates(table, condition, feature, known).truth(condition.predicate)
    except IbisTypeError as error:
        raise InvalidFilter.from_text(
            condition.text, f"has types that do not fit: {error}"
        ) from error
    return table.filter(wanted)


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

    def _value(self, predicate: Predicate) -> Any:
        import ibis

        match predicate:
            case Column(name):
                return self._column(name)
            case Member(struct, name):
                return self._member(struct, name)
            case Constant(value):
                return ibis.null() if value is None else literal(value)
            case Binary("like", left, Constant(str(pattern))):
                text = self._value(left)
                self._require(_family(text.type()) == "text", "is no text to LIKE", text)
                return text.like(pattern)
            case Binary(name, left, right) if name in _ARITHMETIC:
                return self._calculation(name, self._number(left), self._number(right))
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
        """A number to calculate with, of a type that does not overflow sooner than others do."""
        value = self._value(predicate)
        kind = value.type()
        self._require(_family(kind) in {"number", "null"}, "is no number", value)
        if kind.is_float32():
            return value.cast("float64")
        if kind.is_uint64():
            return value.cast("decimal(20, 0)")
        return value.cast("int64") if kind.is_integer() else value

    def _calculation(self, name: str, left: Any, right: Any) -> Any:
        """What two numbers make; NULL where one is NULL, or the second is a zero to divide by."""
        import ibis

        if any(each.type().is_null() for each in (left, right)):
            return ibis.null("float64")
        if name == "/":  # of decimals, databases keep other numbers of digits
            left, right = (_as_float(each) for each in (left, right))
        if name in {"/", "%"} and not getattr(right.op(), "value", 0):
            right = right.nullif(0)
        return _ARITHMETIC[name](left, wide_decimal(right, left.type()))

    def _comparison(self, name: str, left: Any, right: Any) -> Any:
        import ibis

        if any(_family(each.type()) == "null" for each in (left, right)):
            return ibis.null("boolean")
        return _COMPARISONS[name](*self._fitting(left, right))

    def _fitting(self, left: Any, right: Any) -> tuple[Any, Any]:
        """Two values in types that compare."""
        families = {_family(left.type()), _family(right.type())}
        if families == {"time", "text"}:
            left, right = self._time(left, right.type()), self._time(right, left.type())
        if families == {"number"}:
            left, right = _beside(left, right.type()), _beside(right, left.type())
            right = wide_decimal(right, left.type())
        fitting = len({_family(left.type()), _family(right.type())}) == 1
        self._require(fitting, f"is compared with {right.type()}", left)
        self._check_clocks(left, right.type())
        return left, right

    def _membership(self, operand: Predicate, values: tuple[Constant, ...]) -> Any:
        """Values of one kind are a list, for which a database looks them up."""
        import ibis

        given = self._value(operand)
        wanted = [literal(item.value) for item in values if item.value is not None]
        if not wanted or _family(given.type()) == "null":
            return ibis.null("boolean")
        lists: dict[str, tuple[Any, list[Any]]] = {}
        for left, right in (self._fitting(given, each) for each in wanted):
            lists.setdefault(_alike(right.type()), (left, []))[1].append(right)
        found = ibis.or_(*(_listed(left, rights) for left, rights in lists.values()))
        return found if len(wanted) == len(values) else found | ibis.null("boolean")

    def _time(self, value: Any, kind: dt.DataType) -> Any:
        """A literal text beside a date or time is read as one."""
        if _family(value.type()) != "text":
            return value
        text = getattr(value.op(), "value", None)
        self._require(isinstance(text, str), f"is compared with {kind}", value)
        try:
            return moment(str(text), kind)
        except (ValueError, OverflowError) as error:
            raise InvalidFilter.from_text(
                self._condition.text,
                f"{text!r} is compared with a column of type {kind} of '{self._feature}', and is "
                f"no such value ({error}); write it as in '2026-01-31', '2026-01-31 12:30:00' or "
                f"'12:30:00'",
            ) from None

    def _check_clocks(self, left: Any, kind: dt.DataType) -> None:
        """No time of day compares with a date, nor nanoseconds with what has another zone."""
        own = left.type()
        if _family(own) != "time":
            return
        fits = own.is_time() == kind.is_time()
        if fits and (is_in_nanoseconds(own) or is_in_nanoseconds(kind)):
            fits = _zone(own) == _zone(kind)
        self._require(fits, f"is compared with {kind}", left)

    def _require(self, holds: bool, problem: str, value: Any) -> None:  # noqa: FBT001
        if not holds:
            raise InvalidFilter.from_text(
                self._condition.text,
                f"{value.get_name()}, {value.type()} of '{self._feature}', {problem}",
            )


def _family(kind: dt.DataType) -> str:
    families = {
        "null": kind.is_null(),
        "boolean": kind.is_boolean(),
        "number": kind.is_numeric(),
        "text": kind.is_string(),
        "time": kind.is_temporal(),
    }
    return next((name for name, matches in families.items() if matches), str(kind))


def _beside(value: Any, other: dt.DataType) -> Any:
    """A number as it is compared: as a float of 64 bits, if either is one of 32."""
    kind = value.type()
    if kind.is_float32():
        return value if other.is_float32() else value.cast("float64")
    constant = getattr(value.op(), "value", None)
    is_short = other.is_float32() and constant is not None and not kind.is_floating()
    return short_float(constant) if is_short else value


def _alike(kind: dt.DataType) -> str:
    """What values of a list have in common, each of which is compared as it would be alone."""
    if kind.is_numeric():
        return "whole" if kind.is_integer() else "decimal" if kind.is_decimal() else "float"
    return _family(kind)


def _listed(value: Any, wanted: Sequence[Any]) -> Any:
    import ibis

    if _family(value.type()) == "time":
        return ibis.or_(*(value == each for each in wanted))
    return value.isin(wanted)


def _as_float(value: Any) -> Any:
    return value.cast("float64") if value.type().is_decimal() else value


def _zone(kind: dt.DataType) -> bool:
    return bool(kind.is_timestamp() and kind.timezone)
