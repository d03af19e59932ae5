"""Databases in memory that have a name: store objects of one process share them by it."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from metaxy_core.errors import InvalidSetting
from metaxy_core.store.backends.duckdb_instances import INSTANCES, Settings, alike
from metaxy_core.store.backends.duckdb_session import CATALOG, quoted
from metaxy_core.store.backends.refusals import locked

_ENGINE: Final = "DuckDB"


class NamedDatabase:
    """One database, and the store objects that have it open.

    Args:
        address: the name, as stores give it.
        settings: DuckDB settings of whoever opens it first.
    """

    def __init__(self, address: str, settings: Settings) -> None:
        self.address = address
        self.settings = dict(settings)
        self.users: set[int] = set()
        self._numbers = itertools.count(1)
        self._is_clean = True
        self._writing = threading.Lock()
        self._owner = INSTANCES.take(self.settings)
        self._owner.execute(f"ATTACH ':memory:' AS {CATALOG}")

    def joined(self) -> int:
        """A number for one more store object."""
        number = next(self._numbers)
        self.users.add(number)
        return number

    def connection(self) -> duckdb.DuckDBPyConnection:
        """One more connection to it."""
        return self._owner.cursor()

    @contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Held by the one store object that writes.

        Raises:
            StoreLocked: another one has written for as long as we were told to wait.
        """
        if not self._writing.acquire(timeout=min(seconds, threading.TIMEOUT_MAX)):
            other = RuntimeError("another store of this process writes")
            raise locked(_ENGINE, self.address, seconds, other)
        try:
            yield
        finally:
            self._writing.release()

    def soil(self) -> None:
        """A store object could not drop its tables."""
        self._is_clean = False

    def close(self) -> None:
        """Forget everything in it."""
        if self._is_clean:
            INSTANCES.give_back(
                self.settings, self._owner, tables=(), frames=(), catalogs=(CATALOG,)
            )
        else:
            self._owner.close()


class NamedDatabases:
    """Those of this process that somebody has open.

    The lock may be taken again, since the garbage collector may close a store in the middle of a
    call, in the same thread.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._open: dict[tuple[int, str], NamedDatabase] = {}

    def join(self, address: str, settings: Settings) -> tuple[NamedDatabase, int]:
        """The database of a name, made where nobody has it open, and a number for its new user.

        Raises:
            InvalidSetting: it is open with other settings.
        """
        key = (os.getpid(), address)  # a forked process has databases of its own
        with self._lock:
            while True:
                found = self._open.get(key)
                if found is None:
                    made = NamedDatabase(address, settings)
                    found = self._open.setdefault(key, made)
                if not alike(found.settings, settings):
                    raise InvalidSetting(
                        f"The store {address!r} is open in this process with other DuckDB "
                        f"settings; give the same ones, or another name."
                    )
                number = found.joined()
                if self._open.get(key) is found:
                    return found, number

    def leave(self, database: NamedDatabase, number: int) -> None:
        """Forget a user, and the database with the last of them."""
        key = (os.getpid(), database.address)
        with self._lock:
            database.users.discard(number)
            if not database.users and self._open.get(key) is database:
                del self._open[key]
                database.close()


class NamedInstance:
    """The part that one store object has in a named database.

    Args:
        address: the name.
        settings: DuckDB settings.
    """

    def __init__(self, address: str, settings: Settings) -> None:
        self.database, self._number = NAMED.join(address, settings)
        self.label = f"{self._number}_"
        self.connection = self.database.connection()

    def give_back(
        self, *, tables: Iterable[str], frames: Iterable[str], catalogs: Iterable[str]
    ) -> None:
        """Drop the own tables; others may still have the database open."""
        del frames, catalogs  # the former end with the connection, the latter are everybody's
        try:
            for name in tables:
                self.connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
        except duckdb.Error:
            self.database.soil()
        self._leave()

    def abandon(self) -> None:
        """Leave tables behind."""
        self.database.soil()
        self._leave()

    def _leave(self) -> None:
        self.connection.close()
        NAMED.leave(self.database, self._number)


NAMED: Final = NamedDatabases()
