"""DuckDB as a store: one file, held only while it is read or written, shared by many processes.

The connection is to an in-memory database that lives as long as the store object: staged frames
and kept increments stand there. The file is attached for the length of one snapshot or one
transaction, so that another process waits for milliseconds and not for the length of a GPU job.
"""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import duckdb

from metaxy_core.errors import (
    InvalidFallback,
    ReadOnlyStore,
    ValueOutOfRange,
)
from metaxy_core.errors.base import first_line
from metaxy_core.store.backends.addresses import checked_path, checked_timeout
from metaxy_core.store.backends.base import Backend
from metaxy_core.store.backends.capabilities import IN_FILE, IN_MEMORY
from metaxy_core.store.backends.duckdb_memory import DuckDBMemory
from metaxy_core.store.backends.duckdb_session import CATALOG, DuckDBSession
from metaxy_core.store.backends.refusals import locked, refusal
from metaxy_core.store.base import MetadataStore

MEMORY = ":memory:"
ENGINE = "DuckDB"
_LOCKED = ("Could not set lock on file", "Unique file handle conflict")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.25
_ROW_GROUP = 122_880


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


class DuckDBBackend(DuckDBMemory):
    """A DuckDB database.

    Args:
        database: path of the file, or ``":memory:"``.
        read_only: refuse transactions.
        lock_timeout: seconds to wait for another process before ``StoreLocked``.
        settings: DuckDB settings, such as ``{"memory_limit": "1GB", "threads": 2}``.
    """

    kind = "duckdb"

    def __init__(
        self,
        database: str | Path,
        *,
        read_only: bool,
        lock_timeout: float,
        settings: Mapping[str, str | int | float | bool],
    ) -> None:
        address = str(database)
        self.path = None if address == MEMORY else checked_path(address)
        self.capabilities = IN_MEMORY if self.path is None else IN_FILE
        self._read_only = read_only
        self._lock_timeout = checked_timeout(lock_timeout)
        super().__init__(address, settings)
        self._joined: dict[DuckDBBackend, str] = {}
        if self.path is None:
            self.connection.execute(f"ATTACH '{MEMORY}' AS {CATALOG}")
            self.catalogs = (CATALOG,)

    def join(self, other: Backend) -> bool:
        """Attach another DuckDB file with every snapshot and transaction, for reading.

        Raises:
            InvalidFallback: it is this file, or one that was joined already.
        """
        if type(other) is not DuckDBBackend or other.path is None:
            return False
        files = [each.path.resolve() for each in (self, *self._joined) if each.path is not None]
        if other.path.resolve() in files:
            raise InvalidFallback.from_itself(other.address)
        self._joined[other] = f"metaxy_fallback_{len(self._joined) + 1}"
        return True

    # ------------------------------------------------------------------ opening and closing

    @contextmanager
    def snapshot(self) -> Iterator[DuckDBSession]:
        """Attach the file for reading; one that does not exist yet is an empty one."""
        with self.turn, self._attached(read_only=True), self._begun() as session:
            yield session

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[DuckDBSession]:
        """Attach the file for one change."""
        self.check_writable()
        with self.turn, self._attached(read_only=False, wait=wait), self._begun() as session:
            yield session

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
                yield DuckDBSession(self, self.connection, self._joined)
                self.connection.execute("COMMIT")
        except BaseException as error:
            with suppress(duckdb.Error):
                self.connection.execute("ROLLBACK")
            if isinstance(error, (duckdb.IOException, duckdb.SerializationException)):
                raise refusal(ENGINE, self.address, error, read_only=False) from error
            if isinstance(error, duckdb.DataError):
                raise ValueOutOfRange.from_reason(first_line(error)) from error
            raise

    @contextmanager
    def _attached(self, *, read_only: bool, wait: bool = True) -> Iterator[None]:
        with ExitStack() as attached:
            if self.path is not None:
                if not read_only and _is_absent(self.path):
                    self._make_file(self.path)
                own = self.at(self.connection, CATALOG, read_only=read_only, wait=wait)
                attached.enter_context(own)
            for other, catalog in self._joined.items():
                attached.enter_context(other.at(self.connection, catalog, read_only=True))
            yield

    @contextmanager
    def at(
        self,
        connection: duckdb.DuckDBPyConnection,
        catalog: str,
        *,
        read_only: bool,
        wait: bool = True,
    ) -> Iterator[None]:
        """Attach the file to a connection under a name.

        Args:
            connection: the own one, or that of a database that joined this one.
            catalog: the name.
            read_only: attach it for reading.
            wait: whether to wait for others that hold the file.
        """
        patience = self._lock_timeout if wait else 0.0
        self._attach(connection, catalog, read_only=read_only, patience=patience)
        try:
            yield
        finally:
            connection.execute(f"DETACH {catalog}")

    def _make_file(self, path: Path) -> None:
        """Make the file under another name and link it into place: it is whole or absent."""
        made = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            duckdb.connect(str(made)).close()
            os.link(made, path)
        except FileExistsError:
            pass  # another process was faster, or a link leads to a disk that is away
        except (duckdb.Error, OSError) as error:
            raise refusal(ENGINE, self.address, error, read_only=False) from error
        finally:
            made.unlink(missing_ok=True)

    def _attach(
        self,
        connection: duckdb.DuckDBPyConnection,
        catalog: str,
        *,
        read_only: bool,
        patience: float,
    ) -> None:
        path = self.path or Path(MEMORY)
        option = " (TYPE duckdb, READ_ONLY)" if read_only else " (TYPE duckdb)"
        source = str(path)
        if read_only and not self._read_only and _is_absent(path) and path.parent.is_dir():
            source, option = MEMORY, ""
        statement = f"ATTACH {_text(source)} AS {catalog}{option}"
        deadline = time.monotonic() + patience
        pause = _FIRST_PAUSE
        while True:
            try:
                connection.execute(statement)
            except duckdb.Error as error:
                if not any(sign in str(error) for sign in _LOCKED):
                    raise refusal(ENGINE, self.address, error, read_only=read_only) from error
                if time.monotonic() >= deadline:
                    raise locked(ENGINE, self.address, self._lock_timeout, error) from error
            else:
                return
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 1.5, _LONGEST_PAUSE)


class DuckDBMetadataStore(MetadataStore):
    """A store in a DuckDB file, or in memory.

    The file is opened for the length of each call only, so that several processes share it.

    Args:
        database: path of the file, made on first use where it is missing, or ``":memory:"``.
        read_only: refuse writes.
        lock_timeout: seconds to wait for another process before ``StoreLocked``.
        settings: DuckDB settings, such as ``{"memory_limit": "1GB", "threads": 2}``.
        fallback: a store, or several from the nearest on, whose records are seen below the own
            ones and never written; see ``MetadataStore``.
        hash: algorithm of the versions, ``md5`` or ``xxh64``; None takes what the store has, and
            md5 for a new one.

    Example:
        >>> with DuckDBMetadataStore(":memory:") as store:
        ...     store.address
        ':memory:'
    """

    def __init__(
        self,
        database: str | Path = MEMORY,
        *,
        read_only: bool = False,
        lock_timeout: float = 60.0,
        settings: Mapping[str, str | int | float | bool] | None = None,
        fallback: MetadataStore | Sequence[MetadataStore] = (),
        hash: str | None = None,  # noqa: A002 - the word for it, as in metaxy.toml
    ) -> None:
        super().__init__(
            DuckDBBackend(
                database,
                read_only=read_only,
                lock_timeout=lock_timeout,
                settings=settings or {},
            ),
            fallback=fallback,
            hash=hash,
        )


def _is_absent(path: Path) -> bool:
    return not path.exists() and not path.is_symlink()
