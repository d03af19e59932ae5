"""SQL is compiled once per process; building and compiling it can cost more than running it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class CompiledSql:
    """The SQL of expressions by what decides about it; the least recently used goes first.

    Args:
        limit: how many statements are kept.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._statements: OrderedDict[Hashable, str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, compile_: Callable[[], str]) -> str:
        """The statement of a key, compiled where it is not known yet."""
        with self._lock:
            if key in self._statements:
                self._statements.move_to_end(key)
                return self._statements[key]
        statement = compile_()
        with self._lock:
            self._statements[key] = statement
            if len(self._statements) > self._limit:
                self._statements.popitem(last=False)
        return statement
