"""What holds the catalog of a DuckLake, and by what its writers take turns."""

from __future__ import annotations

import os
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from metaxy_core.errors import InvalidSetting, StoreError, StoreUnreachable
from metaxy_core.errors.base import first_line, shown
from metaxy_core.store.backends.addresses import checked_path
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.postgres_address import ConnectionText, connection_text
from metaxy_core.store.backends.refusals import locked, refusal

if TYPE_CHECKING:
    from metaxy_core.store.backends.postgres_connection import PostgresConnection

ENGINE: Final = "DuckLake"
DUCKDB, SQLITE, POSTGRES = "duckdb:", "sqlite:", "postgres:"
IN_FILE: Final = Capabilities(
    "transaction", "processes", "files", hashes=("md5", "xxh64"), files=True
)
"""With the catalog in a file of this machine."""

IN_POSTGRES: Final = Capabilities("transaction", "machines", "files", hashes=("md5", "xxh64"))
"""With the catalog in PostgreSQL."""

_URI: Final = re.compile(r"postgres(ql)?:/", re.IGNORECASE)
_LONGEST_NAME: Final = 63
_BUSY_TIMEOUT: Final = 10_000

Attach = Callable[[str], None]
"""Attaches the DuckLake of a source, makes it where it is not there, and detaches it again."""


class Catalog(Protocol):
    """A database that holds a catalog.

    Attributes:
        address: where it is, for messages; without secrets.
        source: how DuckLake names it; may hold a secret.
        options: further options of DuckLake.
        extensions: those that DuckDB needs to read it.
        capabilities: what a store with such a catalog can do.
        is_made_by_writers: whether it may not be there yet where ``is_absent`` cannot tell.
    """

    address: str
    source: str
    options: Mapping[str, str]
    extensions: tuple[str, ...]
    capabilities: Capabilities
    is_made_by_writers: bool

    def is_absent(self) -> bool:
        """Whether it is known not to be there."""

    def make(self, attach: Attach) -> None:
        """Make it, whole or not at all, where it is not there."""

    def turn(self, seconds: float) -> AbstractContextManager[Callable[[], None]]:
        """Held by the one who writes; gives what refuses if it is held no longer.

        Raises:
            StoreLocked: another one has written for as long as we were told to wait.
        """

    def without_secret(self, text: str) -> str:
        """A message in which no password stands."""

    def refusal(self, error: Exception, *, read_only: bool) -> StoreError:
        """It cannot be opened, or not as was asked."""


def catalog_at(address: str | Path, schema: str) -> Catalog:
    """The catalog of an address.

    Args:
        address: the path of a DuckDB file; ``sqlite:`` and the path of an SQLite file; a
            PostgreSQL URI, or ``postgres:`` and a list such as ``host=... dbname=...``.
        schema: the schema of a catalog in PostgreSQL.

    Raises:
        StoreUnreachable: it names no place.
        InvalidSetting: it is no PostgreSQL address.
    """
    text = str(address)
    if _URI.match(text):
        return PostgresCatalog(connection_text(text, {}), schema)
    if text.startswith(POSTGRES):
        return PostgresCatalog(connection_text(text.removeprefix(POSTGRES), {}), schema)
    if text.startswith(SQLITE):
        return SQLiteCatalog(checked_path(text.removeprefix(SQLITE)))
    return DuckDBCatalog(checked_path(text.removeprefix(DUCKDB)))


class FileCatalog:
    """A file of this machine.

    Args:
        path: where it is.
    """

    prefix = ""
    options: Mapping[str, str] = {}
    extensions: tuple[str, ...] = ()
    capabilities = IN_FILE
    is_made_by_writers = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.address = f"{self.prefix}{path}"
        self.source = self.address

    def is_absent(self) -> bool:
        """Whether there is no file; a link that leads nowhere is a file that is away."""
        return not self.path.exists() and not self.path.is_symlink() and self.path.parent.is_dir()

    def make(self, attach: Attach) -> None:
        """Make the file under another name and link it into place."""
        made = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        try:
            attach(f"{self.prefix}{made}")
            self.settle(made)
            os.link(made, self.path)
        except FileExistsError:
            pass  # another process was faster, or a link leads to a disk that is away
        except OSError as error:
            raise self.refusal(error, read_only=False) from error
        finally:
            made.unlink(missing_ok=True)

    def settle(self, made: Path) -> None:
        """Do what a new file needs; nothing by default."""

    def without_secret(self, text: str) -> str:
        """The message; a path is no secret."""
        return text

    def refusal(self, error: Exception, *, read_only: bool) -> StoreError:
        """What is wrong with the file, or with its folder."""
        return refusal(ENGINE, self.address, error, read_only=read_only)


class DuckDBCatalog(FileCatalog):
    """A DuckDB file, which one process has open at a time, so that it needs no further lock."""

    def turn(self, seconds: float) -> AbstractContextManager[Callable[[], None]]:
        """Nobody else can attach the file while we have."""
        del seconds
        return nullcontext(_still_held)


class SQLiteCatalog(FileCatalog):
    """An SQLite file with a write-ahead log, so that readers wait for nobody."""

    prefix = SQLITE
    options: Mapping[str, str] = {"META_BUSY_TIMEOUT": str(_BUSY_TIMEOUT)}
    extensions: tuple[str, ...] = ("sqlite_scanner",)

    def settle(self, made: Path) -> None:
        """The file remembers that it has a write-ahead log."""
        with closing(sqlite3.connect(made)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")

    @contextmanager
    def turn(self, seconds: float) -> Iterator[Callable[[], None]]:
        """Lock a file beside it, which is free again when a process ends, however it does."""
        from filelock import FileLock, Timeout

        if not self.path.parent.is_dir():  # or the lock would make it
            raise self.refusal(FileNotFoundError(f"no folder {self.path.parent}"), read_only=False)
        beside = self.path.with_name(f"{self.path.name}.lock")
        lock = FileLock(beside, timeout=seconds, poll_interval=0.02, thread_local=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise locked(ENGINE, self.address, seconds, error) from error
        except OSError as error:
            raise self.refusal(error, read_only=False) from error
        try:
            yield _still_held
        finally:
            lock.release()


class PostgresCatalog:
    """A schema of a PostgreSQL database.

    Args:
        text: where the database is, and who connects.
        schema: the schema, made on first use.
    """

    extensions: tuple[str, ...] = ("postgres_scanner",)
    capabilities = IN_POSTGRES
    is_made_by_writers = True

    def __init__(self, text: ConnectionText, schema: str) -> None:
        if not schema or '"' in schema or "'" in schema:
            raise InvalidSetting("The schema of a catalog is a name without quotes; give another.")
        if len(schema.encode()) > _LONGEST_NAME:
            raise InvalidSetting(
                f"The schema {shown(schema)} of a catalog is longer than the {_LONGEST_NAME} bytes "
                f"that PostgreSQL keeps of a name; give another."
            )
        self._text = text
        self._schema = schema
        self.address = f"{text.shown} schema {schema}"
        self.source = f"{POSTGRES}{text.secret}"
        self.options: Mapping[str, str] = {"META_SCHEMA": f"'{schema}'"}

    def is_absent(self) -> bool:
        """Only the server knows."""
        return False

    def make(self, attach: Attach) -> None:
        """The first writer makes it, in a transaction."""
        del attach

    @contextmanager
    def turn(self, seconds: float) -> Iterator[Callable[[], None]]:
        """Hold an advisory lock in a session of its own."""
        from metaxy_core.store.backends.postgres import lock_of
        from metaxy_core.store.backends.postgres_lock import LockHeld, advisory_lock

        def told(error: Exception) -> Exception:
            said = RuntimeError(self.without_secret(str(error)))
            if isinstance(error, LockHeld) or getattr(error, "sqlstate", None) == "55P03":
                return locked("PostgreSQL", self.address, seconds, said)
            return self._gone(said)

        session = self._session()
        try:
            with advisory_lock(session, lock_of(self._schema), seconds=seconds, translated=told):
                self._make_schema(session)
                yield lambda: self._check(session)
        finally:
            with suppress(Exception):
                session.close()

    def without_secret(self, text: str) -> str:
        """A message without the password."""
        return self._text.without_secret(text)

    def refusal(self, error: Exception, *, read_only: bool) -> StoreError:
        """What is wrong with the server, or with the way to it."""
        del read_only
        return self._gone(error)

    def _session(self) -> PostgresConnection:
        from metaxy_core.store.backends.postgres_connection import PostgresConnection

        try:
            return PostgresConnection(self._text, self._schema)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no session
            raise self._gone(error) from None  # what the driver says may have the whole address

    def _make_schema(self, session: PostgresConnection) -> None:
        """Make the schema, which not everybody may do where it is there already."""
        try:
            found = session.query(
                f"SELECT 1 AS n FROM pg_namespace WHERE nspname = '{self._schema}'"  # noqa: S608 - has no quotes
            )
            if not found.num_rows:
                session.execute(f'CREATE SCHEMA "{self._schema}"')
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no schema
            raise self._gone(error) from None

    def _check(self, session: PostgresConnection) -> None:
        try:
            session.query("SELECT 1 AS held")
        except Exception as error:  # noqa: BLE001 - whatever it is, the lock may be gone
            raise self._gone(error) from None

    def _gone(self, error: Exception) -> StoreError:
        said = first_line(RuntimeError(self.without_secret(str(error))))
        return StoreUnreachable(
            f"The store {self.address!r} cannot be reached; check the address, the server and the "
            f"user's rights. PostgreSQL says: {said}"
        )


def _still_held() -> None:
    """The operating system gives the lock to nobody else while this process lives."""
