"""What every database with SQL of its own does alike: sessions, statements, and frames."""

from __future__ import annotations

import itertools
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import pyarrow as pa

from metaxy_core.errors import ReadOnlyStore, SessionLost, StoreClosed, StoreUnreachable
from metaxy_core.store.backends.addresses import checked_timeout
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.sql.connection import Connection
from metaxy_core.store.backends.sql.dialect import Dialect
from metaxy_core.store.backends.statements import Statement
from metaxy_core.store.once import Once

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

    from metaxy_core.store.backends.base import Transaction


Opened = TypeVar("Opened", bound=Connection)
_compiled = Once[Statement]()


class SqlDatabase(Generic[Opened]):
    """A database that computes by itself.

    Args:
        address: where it is, without secrets.
        dialect: its SQL.
        read_only: refuse transactions.
        lock_timeout: seconds to wait for other writers before ``StoreLocked``.
    """

    kind: ClassVar[str]
    capabilities: Capabilities

    def __init__(
        self, address: str, dialect: Dialect, *, read_only: bool, lock_timeout: float
    ) -> None:
        self.address = address
        self.dialect = dialect
        self.read_only = read_only
        self.lock_timeout = checked_timeout(lock_timeout)
        self.turn = threading.RLock()
        self._kept: set[str] = set()
        self._staged: set[str] = set()
        self._forgotten: deque[str] = deque()
        self._lost: set[str] = set()
        self._opened: Opened | None = None
        self._is_closed = False
        self._depth = 0
        self._sessions = 0
        self._is_busy = False

    # ------------------------------------------------------------------ for each database

    def connect(self) -> Opened:
        """Begin a session."""
        raise NotImplementedError

    @contextmanager
    def begun(self, *, write: bool, wait: bool) -> Iterator[None]:
        """A transaction of the database; a writer is alone with the store.

        Args:
            write: whether it changes anything.
            wait: whether to wait for other writers.
        """
        raise NotImplementedError

    def translated(self, error: Exception) -> Exception:
        """An error of the driver as one of ours, or itself."""
        raise NotImplementedError

    def session(self) -> Transaction:
        """The tables, in what ``begun`` has opened."""
        raise NotImplementedError

    def first_session(self) -> Transaction:
        """The same, once for each time that ``begun`` opens them."""
        return self.session()

    def stored(self, name: str, columns: Mapping[str, Any]) -> ir.Table:
        """A table of the store."""
        raise NotImplementedError

    def frame(self, name: str, columns: ibis.Schema) -> ir.Table:
        """A staged or kept table."""
        raise NotImplementedError

    def make_kept(self, name: str, sql: str) -> None:
        """Make a table from a query, which only this store reads."""
        raise NotImplementedError

    def drop_frame(self, name: str) -> None:
        """Drop a staged or kept table, if it is there."""
        raise NotImplementedError

    def load(self, name: str, frame: pa.Table) -> None:
        """Make a staged table; the types are those that the database has."""
        self.connection.load(self.dialect.short(name), frame)

    def taken_back(self, staged: set[str], kept: set[str]) -> None:
        """A session has failed; what it kept goes.

        Args:
            staged: frames that were there before.
            kept: the same.
        """
        raise NotImplementedError

    def rendered(self, sql: str) -> str:
        """A statement as the database gets it."""
        return sql

    # ------------------------------------------------------------------ transactions

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """Open the database for reading."""
        with self.turn, self._session(write=False, wait=True) as session:
            yield session

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[Transaction]:
        """Open the database for one change."""
        self.check_writable()
        with self.turn, self._session(write=True, wait=wait) as session:
            yield session

    @contextmanager
    def _session(self, *, write: bool, wait: bool) -> Iterator[Transaction]:
        if self._depth:  # only reading happens inside of another transaction
            yield self.session()
            return
        self._drop_forgotten()
        staged, kept = set(self._staged), set(self._kept)
        with self._busy():
            try:
                with self.begun(write=write, wait=wait):
                    self._depth += 1
                    try:
                        yield self.first_session()
                    finally:
                        self._depth -= 1
            except BaseException as error:
                self.taken_back(staged, kept)
                if isinstance(error, Exception) and (ours := self.translated(error)) is not error:
                    raise ours from error
                raise

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """While a statement runs or a transaction is open, no forgotten table is dropped."""
        before, self._is_busy = self._is_busy, True
        try:
            yield
        finally:
            self._is_busy = before

    def check_writable(self) -> None:
        """Refuse what changes a store that was opened for reading."""
        if self.read_only:
            raise ReadOnlyStore(
                f"The store {self.address!r} was opened with read_only=True; "
                f"open it without to write."
            )

    def close(self) -> None:
        """End the session; kept increments are gone."""
        with self.turn:
            self._is_closed = True
            opened, self._opened = self._opened, None
            if opened is not None:
                opened.close()

    @property
    def connection(self) -> Opened:
        """The session, begun when it is needed."""
        if self._is_closed:
            raise StoreClosed(
                f"The store {self.address!r} is closed; fetch results before its `with` block ends."
            )
        if self._opened is None:
            if self._depth and self._sessions:
                raise SessionLost.from_address(self.address, "its transaction is gone")
            self._opened = self.connect()
            self._sessions += 1
        return self._opened

    def forget_session(self) -> None:
        """Begin another session next time; what was kept in this one is lost."""
        opened, self._opened = self._opened, None
        self._lost |= self._kept.difference(self._forgotten)
        self._kept.clear()
        self._staged.clear()
        self._forgotten.clear()
        if opened is not None:
            with suppress(Exception):  # it may be gone already
                opened.close()

    # ------------------------------------------------------------------ statements

    def sql(self, build: Callable[[], ir.Table], key: Hashable = None) -> str:
        """Compile an expression, or give what the same key compiled to before."""
        if key is None:
            return self.dialect.statement(build())
        key = (self.dialect.name, self.dialect.schema, self.dialect.variant, key)
        return _compiled.get(key, lambda: self.dialect.statement(build()))

    def execute(self, sql: str) -> int:
        """Run a statement; gives how many rows it changed."""
        return int(self.ran(self.connection.execute, sql))

    def fetch(self, sql: str) -> pa.Table:
        """The rows of a query."""
        with self.turn, self._busy():
            rows: pa.Table = self.ran(self.connection.query, sql)
            return self.dialect.decoded(rows, sql.columns) if isinstance(sql, Statement) else rows

    def stream(self, sql: str, size: int) -> Iterator[pa.Table]:
        """The rows of a query in batches, from a file that they are written to first.

        Between two batches the session is free for other calls.
        """
        with tempfile.TemporaryFile() as spool:
            rows = self.fetch(sql)
            with pa.ipc.new_file(spool, rows.schema) as writer:
                writer.write_table(rows, max_chunksize=size)
            del rows
            spool.seek(0)
            with pa.ipc.open_file(spool) as reader:
                for number in range(reader.num_record_batches):
                    yield pa.Table.from_batches([reader.get_batch(number)])

    def ran(self, run: Callable[[str], Any], sql: str) -> Any:
        """What a function of the driver gives for a statement; its errors are ours."""
        if any(self.dialect.quoted(name) in sql for name in tuple(self._lost)):
            raise StoreUnreachable(
                f"The increment was kept in a session with the store {self.address!r} that was "
                f"lost; resolve it again."
            )
        try:
            return run(self.rendered(sql))
        except Exception as error:
            ours = self.translated(error)
            if ours is error:
                raise
            raise ours from error

    # ------------------------------------------------------------------ frames

    def stage(self, name: str, frame: pa.Table) -> ir.Table:
        """Load a frame into a table that only this store reads."""
        import ibis

        with self.turn, self._busy():
            if name in self._staged:
                self.drop_frame(name)
            encoded = self.dialect.encoded(frame)
            self._staged.add(name)  # so that what is there if it fails is dropped
            self.ran(lambda _: self.load(name, encoded), "")
        return self.frame(name, ibis.Schema.from_pyarrow(frame.schema))

    def keep(self, sql: str, name: str) -> ir.Table:
        """Materialise a query as a table that only this store reads."""
        import ibis

        numbered = (f"{name}_{number}" for number in itertools.count(1))
        free = next(each for each in numbered if each not in self._kept | self._lost)
        self._kept.add(free)  # so that what is there if it fails is dropped
        self.make_kept(free, sql)
        return self.frame(free, sql.columns if isinstance(sql, Statement) else ibis.schema({}))

    def drop(self, table: ir.Table) -> None:
        """Forget a staged or kept table; nothing happens after ``close``."""
        name = table.op().name
        if name in self._lost:
            self._lost.discard(name)
            return
        if name in self._kept:  # may be called at any moment, even within a statement
            self._forgotten.append(name)
            if not self._is_busy and self.turn.acquire(blocking=False):
                try:
                    self._drop_forgotten()
                finally:
                    self.turn.release()
            return
        with self.turn:
            if name in self._staged and self._opened is not None:
                with suppress(Exception):  # in a transaction that failed; then ``stage`` does it
                    self.drop_frame(name)
                    self._staged.discard(name)

    def _drop_forgotten(self) -> None:
        """Drop the tables of increments that nobody holds any more; what fails is for later."""
        with self._busy(), suppress(Exception):
            while self._forgotten and self._opened is not None:
                name = self._forgotten[0]
                if name in self._kept:
                    self.drop_frame(name)
                    self._kept.discard(name)
                self._forgotten.popleft()
