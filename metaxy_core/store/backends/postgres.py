"""PostgreSQL as a store: a schema of its own, bulk loads and fetches through ADBC."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from metaxy_core.errors import (
    ReadOnlyStore,
    SessionLost,
    StoreError,
    StoreUnreachable,
    ValueOutOfRange,
)
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.postgres_address import ConnectionText, connection_text
from metaxy_core.store.backends.postgres_connection import PostgresConnection, literal
from metaxy_core.store.backends.postgres_functions import FUNCTIONS, TEMPORARY
from metaxy_core.store.backends.postgres_lock import LockHeld, advisory_lock
from metaxy_core.store.backends.postgres_types import encoding
from metaxy_core.store.backends.refusals import locked
from metaxy_core.store.backends.sql.backend import SqlBackend
from metaxy_core.store.backends.sql.dialect import Dialect
from metaxy_core.store.backends.sql.rewriting import functions_in, hashed_record, plain_patterns
from metaxy_core.store.base import MetadataStore

if TYPE_CHECKING:
    from metaxy_core.store.backends.sql.connection import CatalogConnection

ENGINE: Final = "PostgreSQL"
SCHEMA: Final = "metaxy"
CAPABILITIES: Final = Capabilities("transaction", "machines", "index", members_in_filters=False)

_LONGEST_NAME: Final = 63
_TYPES: Final = {"string": 'TEXT COLLATE "C"'}  # sorted by bytes, as everywhere else
_SYSTEM_COLUMNS: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_NOT_AVAILABLE: Final = "55P03"
_OUT_OF_RANGE: Final = ("22003", "22008", "22021", "22P05")
_SAID: Final = re.compile(r"(?:ERROR|FATAL):\s*([^\n]*)")
_READ_ONLY: Final = ("25006",)
_IDLE: Final = 30.0
"""Seconds after which a session is asked whether it is still there, before a call begins."""


class PostgresBackend(SqlBackend):
    """A schema of a PostgreSQL database.

    Args:
        text: where the database is, and who connects.
        schema: the schema, made on first use.
        read_only: refuse transactions.
        lock_timeout: seconds to wait for other writers before ``StoreLocked``.
    """

    kind = "postgres"
    capabilities = CAPABILITIES

    def __init__(
        self, text: ConnectionText, *, schema: str, read_only: bool, lock_timeout: float
    ) -> None:
        dialect = Dialect(
            "postgres",
            _LONGEST_NAME,
            schema,
            encoding,
            types=_TYPES,
            reserved=_SYSTEM_COLUMNS,
            rewritings=[hashed_record, functions_in(TEMPORARY), plain_patterns],
        )
        super().__init__(
            f"{text.shown} schema {schema}", dialect, read_only=read_only, lock_timeout=lock_timeout
        )
        self._text = text
        self._schema = schema
        self._lock = lock_of(schema)

    def connect(self) -> CatalogConnection:
        """Begin a session.

        Raises:
            StoreUnreachable: there is no server, or it does not let us in.
        """
        opened = None
        try:
            opened = PostgresConnection(self._text, self._schema)
            if self.read_only:  # what is temporary is made all the same
                opened.execute("SET default_transaction_read_only = off")
            opened.execute("SET TIME ZONE 'UTC'")
            for function in FUNCTIONS:
                opened.execute(function)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no session
            if opened is not None:
                opened.close()
            if getattr(error, "sqlstate", None) in _READ_ONLY:
                raise self._refusal(self._said(error)) from None
            raise StoreUnreachable(
                f"The store {self.address!r} cannot be reached; check the address, the server and "
                f"the user's rights. {ENGINE} says: {self._said(error)}"
            ) from None  # what the driver says may have the whole address
        return opened

    @property
    def connection(self) -> CatalogConnection:
        """The session; one that a fork inherited, or that ended while it was idle, is left."""
        opened = cast("PostgresConnection | None", self._opened)
        if opened is not None and not self._depth:
            is_idle = not self._staged and opened.idle > _IDLE
            if opened.is_foreign or (is_idle and opened.is_lost()):
                self.forget_session()
        return super().connection

    @contextmanager
    def begun(self, *, write: bool, wait: bool) -> Iterator[None]:
        """A transaction that sees one state of the database; writers take turns by a lock.

        The lock is taken before, since the transaction sees what was there when it began.
        """
        connection = self.connection
        with self._locked(wait=wait) if write else nullcontext():
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            try:
                if write:
                    self._make_schema()
                yield
                self._commit(connection, write=write)
            except BaseException:
                with suppress(Exception):
                    connection.execute("ROLLBACK")
                raise

    def _commit(self, connection: CatalogConnection, *, write: bool) -> None:
        try:
            connection.execute("COMMIT")
        except Exception as error:
            ours = self.translated(error)
            if write and isinstance(ours, SessionLost):
                raise StoreUnreachable(
                    f"The session with the store {self.address!r} was lost while a change was "
                    f"committed, and whether it was made is not known. Read the store's history "
                    f"before you run it again."
                ) from error
            if ours is error:
                raise
            raise ours from error

    def _locked(self, *, wait: bool) -> AbstractContextManager[None]:
        return advisory_lock(
            self.connection,
            self._lock,
            seconds=self.lock_timeout if wait else 0.0,
            translated=self.translated,
        )

    def _make_schema(self) -> None:
        """Make the schema, which not everybody may do where it is there already."""
        schema = literal(self._schema)
        found = self.connection.query(f"SELECT 1 AS n FROM pg_namespace WHERE nspname = {schema}")  # noqa: S608
        if not found.num_rows:
            self.connection.execute(f"CREATE SCHEMA {self.dialect.quoted(self._schema)}")

    def _said(self, error: Exception) -> str:
        """What the server says, without the statement and without a password."""
        text = self._text.without_secret(str(error))
        found = _SAID.search(text)
        return found[1] if found else (text.splitlines() or [type(error).__name__])[0]

    def _refusal(self, said: str) -> StoreError:
        """The server lets nobody write, or not us."""
        if self.read_only:
            return StoreUnreachable(
                f"The store {self.address!r} cannot be read here: a PostgreSQL store makes "
                f"temporary tables and functions to compare records, which a standby does not "
                f"have. Connect to the primary server. {ENGINE} says: {said}"
            )
        return ReadOnlyStore(
            f"{self.address!r} cannot be written; open the store with read_only=True, or "
            f"connect to the primary server. {ENGINE} says: {said}"
        )

    def translated(self, error: Exception) -> Exception:
        """What PostgreSQL says, in our words."""
        if isinstance(error, LockHeld):
            return locked(ENGINE, self.address, 0, error)
        if isinstance(error, pa.ArrowInvalid):
            return ValueOutOfRange.from_reason(str(error))
        state = getattr(error, "sqlstate", None) or ""
        said = self._said(error)
        if state == _NOT_AVAILABLE:
            return locked(ENGINE, self.address, self.lock_timeout, RuntimeError(said))
        if state in _OUT_OF_RANGE:
            return ValueOutOfRange.from_reason(said)
        if state in _READ_ONLY:
            return self._refusal(said)
        opened = cast("PostgresConnection | None", self._opened)
        if opened is not None and opened.is_lost(error):
            self.forget_session()
            return SessionLost.from_address(self.address, f"{ENGINE} says: {said}")
        return error


def lock_of(schema: str) -> str:
    """The advisory lock of the writers of a schema, in SQL."""
    return f"hashtextextended({literal(f'metaxy {schema}')}, 0)"


class PostgresMetadataStore(MetadataStore):
    """A store in a schema of a PostgreSQL database, from version 14 on.

    One session is kept open as long as the store. Writers of one schema take turns; readers wait
    for nobody.

    Args:
        dsn: a connection URI, such as ``postgresql://user@host:5432/database``, or parameters as
            ``host=... dbname=...``; what is left out comes from ``PGHOST``, ``PGPASSWORD`` and the
            other variables of libpq, ``~/.pgpass`` included.
        schema: the schema that holds the store; several stores are several schemas.
        parameters: further parameters of libpq, such as ``{"sslmode": "verify-full"}``.
        read_only: refuse writes.
        lock_timeout: seconds to wait for other writers before ``StoreLocked``.
        fallback: a store, or several from the nearest on, whose records are seen below the own
            ones and never written; see ``MetadataStore``.
        hash: algorithm of the versions; PostgreSQL has ``md5``.
    """

    def __init__(
        self,
        dsn: str = "",
        *,
        schema: str = SCHEMA,
        parameters: Mapping[str, Any] | None = None,
        read_only: bool = False,
        lock_timeout: float = 60.0,
        fallback: MetadataStore | Sequence[MetadataStore] = (),
        hash: str | None = None,  # noqa: A002 - the word for it, as in metaxy.toml
    ) -> None:
        super().__init__(
            PostgresBackend(
                connection_text(dsn, parameters or {}),
                schema=schema,
                read_only=read_only,
                lock_timeout=lock_timeout,
            ),
            fallback=fallback,
            hash=hash,
        )
