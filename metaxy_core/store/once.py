"""What takes long to make is made once per process, such as the SQL of an expression."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Once(Generic[Made]):
    """Things by what decides about them; the least recently used goes first.

    There is no lock: the garbage collector may end a store in the middle of a call, in the same
    thread, and that asks again. At worst a thing is made twice.

    Args:
        limit: how many are kept.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._made: dict[Hashable, Made] = {}

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What belongs to a key, made where it is not there yet."""
        try:
            made = self._made.pop(key)
        except KeyError:
            made = make()
        self._made[key] = made
        if len(self._made) > self._limit:
            with suppress(RuntimeError, StopIteration):  # another thread changes it
                self._made.pop(next(iter(self._made)), None)
        return made
