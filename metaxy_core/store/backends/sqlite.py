"""SQLite as a store: one file with a write-ahead log, no server, nothing to install."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from metaxy_core.engine.hashing import MD5, XXH64
from metaxy_core.errors import ValueOutOfRange
from metaxy_core.store.backends.addresses import checked_path
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.refusals import locked, refusal
from metaxy_core.store.backends.sql.backend import SqlBackend
from metaxy_core.store.backends.sql.dialect import Dialect
from metaxy_core.store.backends.sqlite_functions import define_functions
from metaxy_core.store.backends.sqlite_types import bound, encoding
from metaxy_core.store.base import MetadataStore

if TYPE_CHECKING:
    from metaxy_core.store.backends.sql.connection import Connection

MEMORY: Final = ":memory:"
ENGINE: Final = "SQLite"
SCHEMA: Final = "metaxy_store"

_DIALECT: Final = Dialect("sqlite", 1_000, SCHEMA, encoding, unpacks_rows=True)
IN_FILE: Final = Capabilities(
    "transaction", "processes", "index", hashes=(MD5, XXH64), files=True, members_in_filters=False
)
IN_MEMORY: Final = Capabilities(
    "transaction",
    "one process",
    "index",
    hashes=(MD5, XXH64),
    durable=False,
    members_in_filters=False,
)
_BATCH: Final = 50_000


class SQLiteConnection:
    """A session; temporary tables are in memory, the file is attached under a name of its own.

    Args:
        database: the file, or ``":memory:"``.
        patience: seconds to wait for other writers.
    """

    def __init__(self, database: str, patience: float) -> None:
        self._connection = sqlite3.connect(
            ":memory:", timeout=patience, isolation_level=None, check_same_thread=False, uri=True
        )
        self._connection.execute("PRAGMA temp_store = MEMORY")
        self._connection.execute(f"ATTACH DATABASE ? AS {SCHEMA}", [database])
        self.hashing = define_functions(self._connection)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement."""
        return self._connection.execute(sql, values).rowcount

    def query(self, sql: str) -> pa.Table:
        """Run a query; columns of different types come as text."""
        cursor = self._connection.execute(sql)
        names = [str(number) for number in range(len(cursor.description))]
        columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(names)
        return pa.table([_array(values) for values in columns], names)

    def load(self, table: str, frame: pa.Table) -> None:
        """Make a temporary table."""
        names = ", ".join(_DIALECT.quoted(name) for name in frame.column_names)
        self._connection.execute(f"CREATE TEMPORARY TABLE {_DIALECT.quoted(table)} ({names})")
        places = ", ".join("?" for _ in frame.column_names)
        insert = f"INSERT INTO {_DIALECT.quoted(table)} VALUES ({places})"  # noqa: S608 - quoted
        for batch in frame.to_batches(max_chunksize=_BATCH):
            rows = zip(*map(bound, batch.columns), strict=True)
            self._connection.executemany(insert, rows)

    def has_table(self, name: str) -> bool:
        """Whether the file has a table."""
        sql = f"SELECT 1 FROM {SCHEMA}.sqlite_master WHERE type = 'table' AND name = ?"  # noqa: S608
        return self._connection.execute(sql, [name]).fetchone() is not None

    def close(self) -> None:
        """End the session."""
        self._connection.close()


class SQLiteBackend(SqlBackend):
    """An SQLite file.

    Args:
        database: path of the file, or ``":memory:"``.
        read_only: refuse transactions.
        lock_timeout: seconds to wait for other writers before ``StoreLocked``.
    """

    kind = "sqlite"

    def __init__(self, database: str | Path, *, read_only: bool, lock_timeout: float) -> None:
        super().__init__(str(database), _DIALECT, read_only=read_only, lock_timeout=lock_timeout)
        self.path = None if self.address == MEMORY else checked_path(self.address)
        self.capabilities = IN_MEMORY if self.path is None else IN_FILE
        self._algorithm = MD5
        self._is_of_file = False

    def use_hash(self, algorithm: str) -> None:
        """Compute versions with another algorithm."""
        self._algorithm = algorithm
        if self._opened is not None:
            self._own.hashing.algorithm = algorithm

    def connect(self) -> Connection:
        """Begin a session with the file; one that is not there yet is an empty one to readers."""
        if self.path is None or not self.path.exists():
            return self._connected(MEMORY)
        self._is_of_file = True
        return self._connected(f"{self.path.as_uri()}?mode=rw")

    def _connected(self, database: str) -> SQLiteConnection:
        try:
            connection = SQLiteConnection(database, self.lock_timeout)
        except sqlite3.Error as error:
            raise refusal(ENGINE, self.address, error, read_only=self.read_only) from error
        connection.hashing.algorithm = self._algorithm
        return connection

    @property
    def _own(self) -> SQLiteConnection:
        return cast("SQLiteConnection", self.connection)

    @contextmanager
    def begun(self, *, write: bool, wait: bool) -> Iterator[None]:
        """A transaction; a writer has the file's lock from the beginning."""
        self._open_file(write=write)
        connection = self._own
        if write:
            patience = self.lock_timeout if wait else 0.0
            connection.execute(f"PRAGMA busy_timeout = {round(patience * 1_000)}")
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _open_file(self, *, write: bool) -> None:
        """Attach the file as soon as it is there; a writer makes it."""
        if self.path is None or self._is_of_file:
            return
        _ = self.connection  # which may find that it is there
        if self._is_of_file or not (write or self.path.exists()):
            return
        try:
            self._own.execute(f"DETACH DATABASE {SCHEMA}")
            mode = "rwc" if write else "rw"
            uri = f"{self.path.as_uri()}?mode={mode}"
            self._own.execute(f"ATTACH DATABASE ? AS {SCHEMA}", [uri])
            if write:
                self._own.execute(f"PRAGMA {SCHEMA}.journal_mode = WAL")
        except sqlite3.Error as error:
            raise refusal(ENGINE, self.address, error, read_only=self.read_only) from error
        self._is_of_file = True

    def index_statement(self, name: str, table: str, columns: Sequence[str]) -> str:
        """The index is named in the file's schema, and its table without."""
        keys = ", ".join(map(self.dialect.quoted, columns))
        own = self.dialect.quoted(table)
        return f"CREATE INDEX IF NOT EXISTS {SCHEMA}.{name} ON {own} ({keys})"

    def translated(self, error: Exception) -> Exception:
        """What SQLite says, in our words."""
        if isinstance(error, OverflowError):
            return ValueOutOfRange.from_reason(str(error))
        if not isinstance(error, sqlite3.OperationalError):
            return error
        text = str(error)
        if "locked" in text or "busy" in text:
            return locked(ENGINE, self.address, self.lock_timeout, error)
        if any(sign in text for sign in ("readonly", "disk I/O", "unable to open", "is full")):
            return refusal(ENGINE, self.address, error, read_only=self.read_only)
        return error


def _array(values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


class SQLiteMetadataStore(MetadataStore):
    """A store in an SQLite file, or in memory.

    Args:
        database: path of the file, made on first use where it is missing, or ``":memory:"``.
        read_only: refuse writes.
        lock_timeout: seconds to wait for other writers before ``StoreLocked``.
        fallback: a store, or several from the nearest on, whose records are seen below the own
            ones and never written; see ``MetadataStore``.
        hash: algorithm of the versions, ``md5`` or ``xxh64``; None takes what the store has, and
            md5 for a new one.

    Example:
        >>> with SQLiteMetadataStore(":memory:") as store:
        ...     store.kind
        'sqlite'
    """

    def __init__(
        self,
        database: str | Path = MEMORY,
        *,
        read_only: bool = False,
        lock_timeout: float = 60.0,
        fallback: MetadataStore | Sequence[MetadataStore] = (),
        hash: str | None = None,  # noqa: A002 - the word for it, as in metaxy.toml
    ) -> None:
        super().__init__(
            SQLiteBackend(database, read_only=read_only, lock_timeout=lock_timeout),
            fallback=fallback,
            hash=hash,
        )
