"""A database that DuckDB attaches for the length of one snapshot or one transaction."""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, ClassVar, Final

import duckdb

from metaxy_core.errors import ReadOnlyStore
from metaxy_core.store.backends.addresses import checked_timeout
from metaxy_core.store.backends.duckdb_instances import Instance, OwnInstance, Settings
from metaxy_core.store.backends.duckdb_memory import DuckDBMemory
from metaxy_core.store.backends.duckdb_refusals import of_values
from metaxy_core.store.backends.duckdb_session import DuckDBSession
from metaxy_core.store.backends.refusals import is_full, refusal

ENGINE: Final = "DuckDB"
_LOCKED: Final = ("Could not set lock on file", "Unique file handle conflict")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.25


class AttachedBackend(DuckDBMemory):
    """A database that is attached while it is used.

    Args:
        address: where it is, for messages.
        read_only: refuse transactions.
        lock_timeout: seconds to wait for others before ``StoreLocked``.
        settings: DuckDB settings.
        instance: what it is attached to.

    Attributes:
        session: what a snapshot or a transaction is.
    """

    session: ClassVar[type[DuckDBSession]] = DuckDBSession

    def __init__(
        self,
        address: str,
        *,
        read_only: bool,
        lock_timeout: float,
        settings: Mapping[str, str | int | float | bool],
        instance: Callable[[Settings], Instance] = OwnInstance,
    ) -> None:
        self._read_only = read_only
        self._lock_timeout = checked_timeout(lock_timeout)
        self._joined: dict[Any, str] = {}
        super().__init__(address, settings, instance)

    @abstractmethod
    def attached(self, *, read_only: bool, wait: bool = True) -> AbstractContextManager[None]:
        """Attach the database, and what was joined to it.

        Args:
            read_only: attach it for reading.
            wait: whether to wait for others that hold the database.
        """

    def check_turn(self) -> None:
        """Refuse to commit where another writer may have begun; nothing is checked by default."""

    @contextmanager
    def snapshot(self) -> Iterator[DuckDBSession]:
        """Attach the database for reading; one that does not exist yet is an empty one."""
        with self.turn, self.attached(read_only=True), self._begun() as session:
            yield session

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[DuckDBSession]:
        """Attach the database for one change."""
        self.check_writable()
        with self.turn, self.attached(read_only=False, wait=wait), self._begun() as session:
            yield session
            self.check_turn()

    def check_writable(self) -> None:
        """Refuse what changes a store that was opened for reading."""
        if self._read_only:
            raise ReadOnlyStore(
                f"The store {self.address!r} was opened with read_only=True; "
                f"open it without to write."
            )

    @contextmanager
    def _begun(self) -> Iterator[DuckDBSession]:
        self._drop_forgotten()
        try:
            with self._busy():
                self.connection.execute("BEGIN")
                yield self.session(self, self.connection, self._joined)
                self.connection.execute("COMMIT")
        except BaseException as error:
            with suppress(duckdb.Error):
                self.connection.execute("ROLLBACK")
            if isinstance(error, duckdb.Error):
                translated = self.translated(error)
                if translated is not error:
                    raise translated from error
            raise

    def translated(self, error: duckdb.Error) -> Exception:
        """What DuckDB says in a transaction, in our words, or as it is."""
        is_refused = isinstance(error, (duckdb.IOException, duckdb.SerializationException))
        if is_refused or is_full(error):
            return refusal(ENGINE, self.address, error, read_only=False)
        return of_values(error) or error


def is_locked(error: Exception) -> bool:
    """Whether DuckDB says that somebody else has a file open."""
    return any(sign in str(error) for sign in _LOCKED)


def execute_when_free(
    connection: duckdb.DuckDBPyConnection, statement: str, seconds: float
) -> None:
    """Attach a file as soon as nobody else has it open.

    Args:
        connection: what it is attached to.
        statement: what attaches it.
        seconds: how long to wait at most.

    Raises:
        duckdb.Error: what DuckDB says, that the file is locked included.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            connection.execute(statement)
        except duckdb.Error as error:
            if not is_locked(error) or time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
        pause = min(pause * 1.5, _LONGEST_PAUSE)
