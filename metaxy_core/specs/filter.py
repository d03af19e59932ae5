"""Filter text becomes a small tree of allowed operations; nothing typed reaches SQL as is."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from metaxy_core.errors import InvalidFilter
from metaxy_core.specs.names import is_storable

Value = str | int | float | Decimal | bool | None
Operator = Literal["=", "<>", "<", "<=", ">", ">=", "like", "+", "-", "*", "/", "%"]


@dataclass(frozen=True)
class Column:
    """A column of the filtered feature."""

    name: str


@dataclass(frozen=True)
class Member:
    """A member of a struct column, written ``column.member``."""

    struct: Column | Member
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


Predicate = Column | Member | Constant | Binary | Junction | Negation | IsNull | Membership


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
        InvalidFilter: the text does not parse, or uses anything outside the allowed operations; the
            message points at the place.

    Example:
        >>> parse_filter("duration > 1.5").predicate
        Binary(operator='>', left=Column(name='duration'), right=Constant(value=Decimal('1.5')))
    """
    if not isinstance(text, str):
        raise InvalidFilter.from_text(repr(text), "is no text")
    if "\0" in text:
        place = text.index("\0")
        raise InvalidFilter.from_text(text, "holds a NUL character", place, place)
    if not is_storable(text):
        raise InvalidFilter.from_text(ascii(text), "holds half of a character")
    return _parsed(text)


@lru_cache(maxsize=512)
def _parsed(text: str) -> Filter:
    from metaxy_core.specs.condition import Condition

    return Filter(text, Condition(text).predicate())


def columns_of(predicate: Predicate) -> frozenset[str]:
    """The columns that a predicate reads."""
    match predicate:
        case Column(name):
            return frozenset({name})
        case Member(struct):
            return columns_of(struct)
        case Binary(_, left, right) | Junction(_, left, right):
            return columns_of(left) | columns_of(right)
        case Negation(operand) | IsNull(operand) | Membership(operand, _):
            return columns_of(operand)
        case _:
            return frozenset()


def written(column: Column | Member) -> str:
    """A column or member as it is written in a filter, for messages.

    Example:
        >>> written(Member(Column("metadata"), "duration"))
        'metadata.duration'
    """
    return column.name if isinstance(column, Column) else f"{written(column.struct)}.{column.name}"
