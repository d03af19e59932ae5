"""What takes long to make is made once per process, such as the SQL of an expression."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Once(Generic[Made]):
    """Things by what decides about them; the least recently used goes first.

    Args:
        limit: how many are kept.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._made: OrderedDict[Hashable, Made] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What belongs to a key, made where it is not there yet."""
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        made = make()
        with self._lock:
            self._made[key] = made
            if len(self._made) > self._limit:
                self._made.popitem(last=False)
        return made
