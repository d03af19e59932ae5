"""The functions that the engine counts on, in SQLite: all of them are Python's."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from metaxy_core.engine.hashing import CONCAT, FUNCTION, MD5, hash_text
from metaxy_core.engine.row_hashes import ROW_HASH
from metaxy_core.store.backends.sqlite_numbers import CALCULATE, COMPARE, calculate, compare

_ANY_NUMBER: Final = -1


@dataclass
class Hashing:
    """Which hash the versions of a session have.

    Attributes:
        algorithm: ``md5`` or ``xxh64``.
    """

    algorithm: str = MD5

    def of(self, text: str | None) -> int | None:
        """The hash of a text; NULL stays NULL."""
        return None if text is None else hash_text(text, self.algorithm)


class _BitXor:
    """The exclusive or of numbers, NULL for none."""

    def __init__(self) -> None:
        self._found: int | None = None

    def step(self, value: int | None) -> None:
        """One more."""
        if value is not None:
            self._found = value if self._found is None else self._found ^ value

    def finalize(self) -> int | None:
        """All of them."""
        return self._found


def define_functions(connection: sqlite3.Connection) -> Hashing:
    """Define the engine's functions, and those that Ibis counts on; gives what may be chosen."""
    from ibis.backends.sqlite import udf

    udf.register_all(connection)
    hashing = Hashing()
    connection.create_function(FUNCTION, 1, hashing.of, deterministic=False)
    connection.create_function(CONCAT, _ANY_NUMBER, _concat, deterministic=True)
    connection.create_function(COMPARE, 2, compare, deterministic=True)
    connection.create_function(CALCULATE, 3, calculate, deterministic=True)
    connection.create_function(ROW_HASH, _ANY_NUMBER, _row_hash, deterministic=True)
    connection.create_aggregate("_ibis_bit_xor", 1, _BitXor)  # type: ignore[arg-type]
    return hashing


def _concat(*texts: str | None) -> str | None:
    return None if None in texts else "".join(map(str, texts))


def _row_hash(*values: Any) -> int:
    return hash_text(repr(values))
