"""DuckDB takes longer to start than most queries take; what a closed store leaves is used again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, Protocol

import duckdb

from metaxy_core.engine.hashing import MD5
from metaxy_core.store.backends.duckdb_hashes import choose_hash, define_hash
from metaxy_core.store.backends.duckdb_session import quoted
from metaxy_core.store.backends.duckdb_settings import connected

Settings = Mapping[str, str | int | float | bool]

_MOST: Final = 2


class Instances:
    """Instances without data, by the settings that they were started with.

    Few are kept, the last ones that were given back, and none is taken over by a forked process.
    There is no lock: the garbage collector may close a store in the middle of a call, in the same
    thread. Each change is one operation of a list.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._idle: list[tuple[Settings, duckdb.DuckDBPyConnection]] = []

    def take(self, settings: Settings) -> duckdb.DuckDBPyConnection:
        """An instance in which versions are hashed with md5, and nothing else stands.

        Raises:
            ConfigError: DuckDB does not accept the settings.
        """
        self._forget_other_process()
        for idle in reversed(tuple(self._idle)):
            if alike(idle[0], settings):
                with suppress(ValueError):  # it was taken meanwhile
                    self._idle.remove(idle)
                    return idle[1]
        connection = connected(settings)
        define_hash(connection)
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        _disable_join_filters(connection)
        return connection

    def give_back(
        self,
        settings: Settings,
        connection: duckdb.DuckDBPyConnection,
        *,
        tables: Iterable[str],
        frames: Iterable[str],
        catalogs: Iterable[str],
    ) -> None:
        """Take an instance back that nobody uses any more.

        Args:
            settings: those that it was taken with.
            connection: the instance.
            tables: tables in it.
            frames: frames that are registered.
            catalogs: databases that are attached.
        """
        try:
            connection.execute("SELECT 1")  # after a fatal error, what follows ends the process
            for name in tables:
                connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
            for name in frames:
                connection.unregister(name)
            for name in catalogs:
                connection.execute(f"DETACH {name}")
            choose_hash(connection, MD5)
        except duckdb.Error:
            connection.close()
            return
        self._forget_other_process()
        self._idle.append((dict(settings), connection))
        if len(self._idle) > _MOST:
            with suppress(IndexError):
                self._idle.pop(0)[1].close()

    def _forget_other_process(self) -> None:
        if self._process != os.getpid():
            self._process, self._idle = os.getpid(), []


def _disable_join_filters(connection: duckdb.DuckDBPyConnection) -> None:
    """Arrow frames are handed Bloom filters, which DuckDB cannot apply while it reads them."""
    row = connection.execute("SELECT current_setting('disabled_optimizers')").fetchone()
    wanted = [*filter(None, (row[0] or "").split(",") if row else ()), "join_filter_pushdown"]
    connection.execute(f"SET GLOBAL disabled_optimizers = '{','.join(wanted)}'")


def alike(left: Settings, right: Settings) -> bool:
    """Whether the settings are the same, to the type: 1 is not True."""
    return {name: (type(value), value) for name, value in left.items()} == {
        name: (type(value), value) for name, value in right.items()
    }


INSTANCES: Final = Instances()


class Instance(Protocol):
    """What one store object computes in."""

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection of this store object."""

    @property
    def label(self) -> str:
        """What tells the kept tables of this store object from those of others."""

    def give_back(
        self, *, tables: Iterable[str], frames: Iterable[str], catalogs: Iterable[str]
    ) -> None:
        """Leave it as it was found.

        Args:
            tables: tables that were kept.
            frames: frames that are registered.
            catalogs: databases that are attached.
        """

    def abandon(self) -> None:
        """Leave it in the middle of a call."""


class OwnInstance:
    """An instance for one store object.

    Args:
        settings: DuckDB settings.
    """

    label = ""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.connection = INSTANCES.take(settings)

    def give_back(
        self, *, tables: Iterable[str], frames: Iterable[str], catalogs: Iterable[str]
    ) -> None:
        """Keep it for the next store."""
        INSTANCES.give_back(
            self._settings, self.connection, tables=tables, frames=frames, catalogs=catalogs
        )

    def abandon(self) -> None:
        """Close it."""
        self.connection.close()
