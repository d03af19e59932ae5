"""DuckDB as a store: one file, held only while it is read or written, shared by many processes.

The connection is to an in-memory database that lives as long as the store object: staged frames
and kept increments stand there. The file is attached for the length of one snapshot or one
transaction, so that another process waits for milliseconds and not for the length of a GPU job.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import duckdb

from metaxy_core.errors import InvalidFallback
from metaxy_core.store.backends.addresses import MEMORY, checked_name, checked_path
from metaxy_core.store.backends.base import Backend
from metaxy_core.store.backends.capabilities import IN_FILE, IN_MEMORY
from metaxy_core.store.backends.duckdb_attached import (
    ENGINE,
    AttachedBackend,
    execute_when_free,
    is_locked,
)
from metaxy_core.store.backends.duckdb_instances import OwnInstance
from metaxy_core.store.backends.duckdb_named import NamedInstance
from metaxy_core.store.backends.duckdb_session import CATALOG, literal
from metaxy_core.store.backends.refusals import locked, refusal
from metaxy_core.store.base import MetadataStore


class DuckDBBackend(AttachedBackend):
    """A DuckDB database.

    Args:
        database: path of the file, ``":memory:"``, or ``":memory:name"``.
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
        name = checked_name(address)
        self.path = None if address.startswith(MEMORY) else checked_path(address)
        self.capabilities = IN_MEMORY if self.path is None else IN_FILE
        super().__init__(
            address,
            read_only=read_only,
            lock_timeout=lock_timeout,
            settings=settings,
            instance=partial(NamedInstance, address) if name else OwnInstance,
        )
        if address == MEMORY:
            self.connection.execute(f"ATTACH '{MEMORY}' AS {CATALOG}")
            self.catalogs = (CATALOG,)

    def join(self, other: Backend) -> bool:
        """Attach another DuckDB file with every snapshot and transaction, for reading.

        A database in memory that has a name attaches none: its store objects share an instance,
        which can have a file once.

        Raises:
            InvalidFallback: it is this file, or one that was joined already.
        """
        if type(other) is not DuckDBBackend:
            return False
        if other.path is None:
            if other.address == self.address != MEMORY:
                raise InvalidFallback.from_itself(other.address)
            return False
        if self.path is None and self.address != MEMORY:
            return False
        files = [each.path.resolve() for each in (self, *self._joined) if each.path is not None]
        if other.path.resolve() in files:
            raise InvalidFallback.from_itself(other.address)
        self._joined[other] = f"metaxy_fallback_{len(self._joined) + 1}"
        return True

    # ------------------------------------------------------------------ opening and closing

    @contextmanager
    def attached(self, *, read_only: bool, wait: bool = True) -> Iterator[None]:
        """Attach the file, and those that were joined; a database in memory stands already."""
        with ExitStack() as attached:
            if isinstance(self._instance, NamedInstance) and not read_only:
                patience = self._lock_timeout if wait else 0.0
                attached.enter_context(self._instance.database.turn(patience))
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
        statement = f"ATTACH {literal(source)} AS {catalog}{option}"
        try:
            execute_when_free(connection, statement, patience)
        except duckdb.Error as error:
            if is_locked(error):
                raise locked(ENGINE, self.address, self._lock_timeout, error) from error
            raise refusal(ENGINE, self.address, error, read_only=read_only) from error


class DuckDBMetadataStore(MetadataStore):
    """A store in a DuckDB file, or in memory.

    The file is opened for the length of each call only, so that several processes share it.

    Args:
        database: path of the file, made on first use where it is missing; ``":memory:"``; or
            ``":memory:name"``, which all store objects of this process share that give the same
            name, until the last of them is closed.
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
