"""SQLite as a store: one file with a write-ahead log, no server, nothing to install."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from metaxy_core.engine.hashing import MD5, XXH64
from metaxy_core.errors import StoreUnreachable, ValueOutOfRange
from metaxy_core.store.backends.addresses import checked_path, milliseconds
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.refusals import locked, refusal
from metaxy_core.store.backends.sql.backend import SqlBackend
from metaxy_core.store.backends.sql.dialect import Dialect
from metaxy_core.store.backends.sql.rewriting import picked_by_list, unpacked_row
from metaxy_core.store.backends.sqlite_functions import define_functions
from metaxy_core.store.backends.sqlite_types import bound, encoding
from metaxy_core.store.base import MetadataStore

if TYPE_CHECKING:
    from metaxy_core.store.backends.sql.connection import CatalogConnection

MEMORY: Final = ":memory:"
ENGINE: Final = "SQLite"
SCHEMA: Final = "metaxy_store"


# A column of type REAL forgets the sign of zero.
_TYPES: Final = {"float32": "BLOB", "float64": "BLOB"}
_DIALECT: Final = Dialect(
    "sqlite",
    1_000,
    SCHEMA,
    encoding,
    types=_TYPES,
    rewritings=[picked_by_list, unpacked_row],
    is_shallow=True,
    compiler="metaxy_core.store.backends.sqlite_compiler",
)
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
    """A session in memory, where temporary tables are; the file is attached for each call."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(
            MEMORY, isolation_level=None, check_same_thread=False, uri=True
        )
        self._connection.execute("PRAGMA temp_store = MEMORY")
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

    def use_hash(self, algorithm: str) -> None:
        """Compute versions with another algorithm."""
        self._algorithm = algorithm
        if self._opened is not None:
            self._own.hashing.algorithm = algorithm

    def connect(self) -> CatalogConnection:
        """Begin a session."""
        connection = SQLiteConnection()
        connection.hashing.algorithm = self._algorithm
        if self.path is None:
            connection.execute(f"ATTACH DATABASE ? AS {SCHEMA}", [MEMORY])
        return connection

    @property
    def _own(self) -> SQLiteConnection:
        return cast("SQLiteConnection", self.connection)

    @contextmanager
    def begun(self, *, write: bool, wait: bool) -> Iterator[None]:
        """A transaction; a writer has the file's lock from the beginning."""
        patience = self.lock_timeout if wait or not write else 0.0
        with self._attached(write=write, patience=patience):
            self._own.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield
                self._own.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._own.execute("ROLLBACK")
                raise

    @contextmanager
    def _attached(self, *, write: bool, patience: float) -> Iterator[None]:
        """Attach the file, so that another one in its place is seen; who writes makes it."""
        self._own.execute(f"PRAGMA busy_timeout = {milliseconds(patience)}")
        if self.path is None:
            yield
            return
        try:
            self._attach(self.path, write=write)
        except sqlite3.Error as error:
            raise self.translated(error) from error
        try:
            yield
        finally:
            self._own.execute(f"DETACH DATABASE {SCHEMA}")

    def _attach(self, path: Path, *, write: bool) -> None:
        attach = f"ATTACH DATABASE ? AS {SCHEMA}"
        is_absent = not path.exists() and not path.is_symlink()
        if is_absent and not write and path.parent.is_dir() and not self.read_only:
            self._own.execute(attach, [MEMORY])  # a store that is not there yet is an empty one
            return
        mode = "mode=rwc" if write else "mode=rw"
        if not is_absent and _is_on_read_only_disk(path):
            mode = self._mode_of_read_only_disk(path, write=write)
        self._own.execute(attach, [f"{path.as_uri()}?{mode}"])
        if write:
            self._own.execute(f"PRAGMA {SCHEMA}.journal_mode = WAL")

    def _mode_of_read_only_disk(self, path: Path, *, write: bool) -> str:
        """How a file is opened beside which its log cannot be made; nobody changes it meanwhile."""
        if write:
            error = OSError("Read-only file system")
            raise refusal(ENGINE, self.address, error, read_only=False)
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise StoreUnreachable(
                f"The store {self.address!r} is on a read-only disk and has changes in its log "
                f"{str(log)!r}, which are not in the file yet. Read it once where it can be "
                f"written, and copy the file then."
            )
        return "mode=ro&immutable=1"

    def index_statement(self, name: str, table: str, columns: Sequence[str]) -> str:
        """The index is named in the file's schema, and its table without."""
        keys = ", ".join(map(self.dialect.quoted, columns))
        own = self.dialect.quoted(table)
        return f"CREATE INDEX IF NOT EXISTS {SCHEMA}.{name} ON {own} ({keys})"

    def translated(self, error: Exception) -> Exception:
        """What SQLite says, in our words."""
        if isinstance(error, OverflowError):
            return ValueOutOfRange.from_reason(str(error))
        if isinstance(error, sqlite3.DataError):  # what becomes of an overflow in a function
            return ValueOutOfRange.from_reason("a whole number of more than 64 bits")
        if not isinstance(error, sqlite3.OperationalError):
            return error
        text = str(error)
        if "locked" in text or "busy" in text:
            return locked(ENGINE, self.address, self.lock_timeout, error)
        if any(sign in text for sign in ("readonly", "disk I/O", "unable to open", "is full")):
            return refusal(ENGINE, self.address, error, read_only=self.read_only)
        return error


def _is_on_read_only_disk(path: Path) -> bool:
    """Whether the disk is mounted so that nobody can write to it from here."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):  # a file that is away, or Windows
        return False


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
