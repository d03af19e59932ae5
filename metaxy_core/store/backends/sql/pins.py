"""The tables of a store as one head has them: where each of them is, and which rows are seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.store.backends.sql.registry import Registry
from metaxy_core.store.backends.sql.type_texts import type_of

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt

    from metaxy_core.store.backends.heads.log import Head, Pins

WRITE: Final = "metaxy__write"
"""The column of every table that says which writer a row is of, by the head it began with."""

_WRITES: Final = "metaxy__writes"
_WITHOUT: Final = "without"


@dataclass(frozen=True)
class Pin:
    """One table.

    Attributes:
        at: the name of the table of the database that it is in.
        columns: names of its columns, and their types as text, as users know them.
        indexes: the columns of each of its indexes.
    """

    at: str
    columns: tuple[tuple[str, str], ...]
    indexes: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Pin:
        """What a head says of a table."""
        columns = tuple((name, kind) for name, kind in found["columns"])
        return cls(found["at"], columns, tuple(map(tuple, found["indexes"])))

    @property
    def types(self) -> dict[str, dt.DataType]:
        """The types by the columns' names."""
        return {name: type_of(text) for name, text in self.columns}


@dataclass
class State:
    """What a session sees.

    Attributes:
        tables: the tables by name.
        number: rows of writers up to this one are seen,
        without: but for those of these writers.
        write: the number of the writer that this session is; None for one that only reads.
        made: tables of the database that this session has made.
        replaced: those whose place another one has taken.
        own: how many rows of this session there are in tables of the database, where known.
    """

    tables: dict[str, Pin]
    number: int
    without: frozenset[int]
    write: int | None = None
    made: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    own: dict[str, int] = field(default_factory=dict)

    @property
    def has_inserted(self) -> bool:
        """Whether there may be rows of this session in tables that it has not made."""
        return not self.own.keys() <= set(self.made)

    @classmethod
    def from_head(cls, head: Head | None) -> State:
        """What is seen by who reads."""
        return cls({}, 0, frozenset()) if head is None else cls._from_pins(head.tables, head.number)

    @classmethod
    def from_beginning(cls, tables: Pins, number: int) -> State:
        """What is seen by who has begun to write, its own rows included.

        Args:
            tables: those of its head.
            number: of its head.
        """
        found = cls._from_pins(tables, number)
        found.write = number
        found.without -= {number}
        return found

    @classmethod
    def _from_pins(cls, tables: Pins, number: int) -> State:
        without = tables.get(_WRITES, {_WITHOUT: ()})[_WITHOUT]
        pins = {name: Pin.from_json(pin) for name, pin in tables.items() if name != _WRITES}
        return cls(pins, number, frozenset(without))

    def pins(self) -> Pins:
        """What the head says that makes this the state of the store."""
        pins = {name: asdict(pin) for name, pin in self.tables.items()}
        return {**pins, _WRITES: {_WITHOUT: sorted(self.without)}}

    def registry(self) -> Registry:
        """The tables with the types of their columns."""
        return Registry.of({name: dict(pin.columns) for name, pin in self.tables.items()})

    def condition(self, column: str) -> str:
        """Which rows are seen.

        Args:
            column: the writer of a row, in SQL.
        """
        seen = f"{column} <= {self.number}"
        return f"{seen} AND {column} NOT IN ({_listed(self.without)})" if self.without else seen


def begun(number: int, tables: Pins) -> Pins:
    """The tables that a writer begins with: whatever it does is not seen unless it commits.

    Args:
        number: of the writer.
        tables: those of the head before.
    """
    without = tables.get(_WRITES, {_WITHOUT: ()})[_WITHOUT]
    return {**tables, _WRITES: {_WITHOUT: [*without, number]}}


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
