"""Filter text becomes a small tree of allowed operations; nothing typed reaches SQL as is."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from metaxy_core.errors import InvalidFilter

Value = str | int | float | Decimal | bool | None
Operator = Literal["=", "<>", "<", "<=", ">", ">=", "like", "+", "-", "*", "/", "%"]


@dataclass(frozen=True)
class Column:
    """A column of the filtered feature."""

    name: str


@dataclass(frozen=True)
class Constant:
    """A literal value; its kind tells 1 from TRUE, which are equal in Python."""

    value: Value
    kind: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", type(self.value).__name__)


@dataclass(frozen=True)
class Binary:
    """A comparison or an arithmetic operation."""

    operator: Operator
    left: Predicate
    right: Predicate


@dataclass(frozen=True)
class Junction:
    """AND or OR over two predicates."""

    operator: Literal["and", "or"]
    left: Predicate
    right: Predicate


@dataclass(frozen=True)
class Negation:
    """NOT."""

    operand: Predicate


@dataclass(frozen=True)
class IsNull:
    """IS NULL."""

    operand: Predicate


@dataclass(frozen=True)
class Membership:
    """IN over a list of literals."""

    operand: Predicate
    values: tuple[Constant, ...]


Predicate = Column | Constant | Binary | Junction | Negation | IsNull | Membership


@dataclass(frozen=True)
class Filter:
    """A condition over records, and the text it was written as, for messages."""

    text: str = field(compare=False)
    predicate: Predicate

    @property
    def columns(self) -> frozenset[str]:
        """The columns it reads."""
        return columns_of(self.predicate)


def parse_filter(text: str) -> Filter:
    """Parse SQL text into a filter.

    Raises:
        InvalidFilter: the text does not parse, or uses anything outside the allowed operations.

    Example:
        >>> parse_filter("duration > 1.5").predicate
        Binary(operator='>', left=Column(name='duration'), right=Constant(value=Decimal('1.5')))
    """
    if not isinstance(text, str):
        raise InvalidFilter.from_text(repr(text), "is no text")
    if "\0" in text:
        raise InvalidFilter.from_text(text, "holds a NUL character")
    return _parsed(text)


@lru_cache(maxsize=512)
def _parsed(text: str) -> Filter:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        parsed = sqlglot.parse(text)
        if len(parsed) != 1 or parsed[0] is None:
            raise InvalidFilter.from_text(text, "is not one condition")
        predicate = _Translation(text).predicate(parsed[0])
    except RecursionError as error:
        raise InvalidFilter.from_text(text, "is nested too deeply") from error
    except SqlglotError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InvalidFilter.from_text(text, f"does not parse: {reason}") from error
    if not _is_condition(predicate):
        raise InvalidFilter.from_text(text, "is a value, not a condition")
    return Filter(text, predicate)


def _number(text: str) -> int | Decimal:
    value = Decimal(text)
    whole = text.isdigit() and value < _INT64_LIMIT
    return int(text) if whole else value


_INT64_LIMIT = 2**63


def _is_condition(predicate: Predicate) -> bool:
    match predicate:
        case Constant(value):
            return isinstance(value, bool)
        case Binary(operator):
            return operator not in ("+", "-", "*", "/", "%")
        case _:
            return True


def columns_of(predicate: Predicate) -> frozenset[str]:
    """The columns that a predicate reads."""
    match predicate:
        case Column(name):
            return frozenset({name})
        case Binary(_, left, right) | Junction(_, left, right):
            return columns_of(left) | columns_of(right)
        case Negation(operand) | IsNull(operand) | Membership(operand, _):
            return columns_of(operand)
        case _:
            return frozenset()


class _Translation:
    """One walk over a parsed text; keeps the text for messages."""

    def __init__(self, text: str) -> None:
        self.text = text

    def predicate(self, node: Any) -> Predicate:
        """The tree of a node; some nodes carry their own NOT."""
        found = self._positive(node)
        return Negation(found) if node.args.get("negate") else found

    def _positive(self, node: Any) -> Predicate:
        from sqlglot import expressions as exp

        operators: dict[type, Operator] = {
            exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
            exp.Like: "like", exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%",
        }  # fmt: skip
        match node:
            case exp.Paren():
                return self.predicate(node.this)
            case exp.And() | exp.Or():
                name: Literal["and", "or"] = "and" if isinstance(node, exp.And) else "or"
                return Junction(name, self.predicate(node.left), self.predicate(node.right))
            case exp.Not():
                return Negation(self.predicate(node.this))
            case exp.Is():
                return self._identity(node)
            case exp.In():
                return self._membership(node)
            case exp.Between():
                operand = self.predicate(node.this)
                low, high = self.predicate(node.args["low"]), self.predicate(node.args["high"])
                return Junction("and", Binary(">=", operand, low), Binary("<=", operand, high))
            case exp.Column() if not node.table:
                return Column(node.name)
            case exp.Literal() | exp.Boolean() | exp.Null() | exp.Neg():
                return Constant(self._value(node))
        operator = operators.get(type(node))
        if operator is None:
            raise self._refusal(node)
        left, right = self.predicate(node.left), self.predicate(node.right)
        if operator == "like" and not (
            isinstance(right, Constant) and isinstance(right.value, str)
        ):
            raise self._refusal(node)
        return Binary(operator, left, right)

    def _identity(self, node: Any) -> Predicate:
        operand, right = self.predicate(node.this), self.predicate(node.expression)
        if right == Constant(None):
            return IsNull(operand)
        if isinstance(right, Constant) and isinstance(right.value, bool):
            return Junction("and", Negation(IsNull(operand)), Binary("=", operand, right))
        raise self._refusal(node)

    def _membership(self, node: Any) -> Predicate:
        if node.args.get("query") or not node.expressions:
            raise self._refusal(node)
        values = tuple(Constant(self._value(item)) for item in node.expressions)
        return Membership(self.predicate(node.this), values)

    def _value(self, node: Any) -> Value:
        from sqlglot import expressions as exp

        match node:
            case exp.Null():
                return None
            case exp.Boolean():
                return bool(node.this)
            case exp.Neg():
                value = self._value(node.this)
                if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
                    return -value
            case exp.Literal() if node.is_string:
                return str(node.this)
            case exp.Literal():
                return _number(str(node.this))
        raise self._refusal(node)

    def _refusal(self, node: Any) -> InvalidFilter:
        return InvalidFilter.from_text(self.text, f"uses {node.sql()!r}, which is not allowed")
