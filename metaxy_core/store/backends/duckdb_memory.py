"""The DuckDB in memory in which a store computes, whatever its tables stand in."""

from __future__ import annotations

import itertools
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from metaxy_core.errors import StoreClosed
from metaxy_core.store.backends.duckdb_frames import register, unregister
from metaxy_core.store.backends.duckdb_hashes import choose_hash
from metaxy_core.store.backends.duckdb_instances import Instance, OwnInstance, Settings
from metaxy_core.store.backends.duckdb_session import CATALOG, quoted, unbound
from metaxy_core.store.backends.duckdb_times import comparable_times
from metaxy_core.store.backends.durations import with_durations
from metaxy_core.store.once import Once

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir

_ROW_GROUP = 122_880

_compiled = Once[str]()


class DuckDBMemory:
    """Staged frames and kept tables, and queries over them.

    Args:
        address: where the store is, for messages.
        settings: DuckDB settings.
        instance: what it computes in, from the settings; one of its own where none is given.

    Attributes:
        catalogs: databases that are attached as long as the store is open.
    """

    catalogs: tuple[str, ...] = ()

    def __init__(
        self,
        address: str,
        settings: Settings,
        instance: Callable[[Settings], Instance] = OwnInstance,
    ) -> None:
        self.address = address
        self.turn = threading.RLock()
        self._kept: set[str] = set()
        self._forgotten: deque[str] = deque()
        self._is_busy = False
        defaults = {"temp_directory": str(Path(tempfile.gettempdir()) / "metaxy-spill")}
        self._staged: set[str] = set()
        self._instance = instance({**defaults, **settings})
        self._connection: duckdb.DuckDBPyConnection | None = self._instance.connection

    def use_hash(self, algorithm: str) -> None:
        """Compute versions with another algorithm; a transaction that fails leaves it so."""
        choose_hash(self.connection, algorithm)

    def close(self) -> None:
        """Close the connection; kept increments are gone."""
        with self.turn:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            if self._is_busy:  # in the middle of a call
                self._instance.abandon()
                return
            self._instance.give_back(tables=self._kept, frames=self._staged, catalogs=self.catalogs)

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The in-memory connection."""
        if self._connection is None:
            raise StoreClosed(
                f"The store {self.address!r} is closed; fetch results before its `with` block ends."
            )
        return self._connection

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """While a result is pending or a transaction is open, no table may be dropped."""
        before, self._is_busy = self._is_busy, True
        try:
            yield
        finally:
            self._is_busy = before

    def _drop_forgotten(self) -> None:
        """Drop the tables of increments that nobody holds any more."""
        while self._forgotten and self._connection is not None:
            name = self._forgotten.popleft()
            self._connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
            self._kept.discard(name)

    def sql(self, build: Callable[[], ir.Table], key: Hashable = None) -> str:
        """Compile an expression, or give what the same key compiled to before."""
        return _to_sql(build()) if key is None else _compiled.get(key, lambda: _to_sql(build()))

    def stage(self, name: str, frame: pa.Table) -> ir.Table:
        """Show an Arrow table to queries; nothing is copied."""
        import ibis

        batches = frame.to_batches(max_chunksize=_ROW_GROUP)  # DuckDB reads them side by side
        with self.turn:
            given = pa.Table.from_batches(batches, frame.schema)
            self._staged.update(register(self.connection, name, given))
        return ibis.table(ibis.Schema.from_pyarrow(frame.schema), name=name)

    def fetch(self, sql: str) -> pa.Table:
        """Run a query over staged and kept tables."""
        with self.turn, self._busy():
            return with_durations(self.connection.execute(sql).to_arrow_table())

    def stream(self, sql: str, size: int) -> Iterator[pa.Table]:
        """Run a query on a connection of its own and give its rows as they come."""
        with self.turn:
            cursor = self.connection.cursor()
        try:
            for batch in cursor.execute(sql).to_arrow_reader(size):
                yield with_durations(pa.Table.from_batches([batch]))
        finally:
            cursor.close()

    def stored(self, name: str, columns: Mapping[str, str]) -> ir.Table:
        """A table of the store."""
        import ibis

        return unbound(ibis.schema(columns), name, CATALOG)

    def drop(self, table: ir.Table) -> None:
        """Forget a staged or kept table; nothing happens after ``close``."""
        name = table.get_name()
        if name in self._kept:  # may be called at any moment, even within a transaction
            self._forgotten.append(name)
            if not self._is_busy and self.turn.acquire(blocking=False):
                try:
                    self._drop_forgotten()
                finally:
                    self.turn.release()
            return
        with self.turn:
            if self._connection is not None:
                self._staged.difference_update(unregister(self._connection, name))

    def release_name(self, name: str) -> None:
        """Give back the name of a table that was not made after all."""
        self._kept.discard(name)

    def kept_name(self, name: str) -> str:
        """A free name for a kept table; names are used again so that their SQL is too."""
        begin = f"{name}_{self._instance.label}"
        numbered = (f"{begin}{number}" for number in itertools.count(1))
        free = next(each for each in numbered if each not in self._kept)
        self._kept.add(free)
        return free


def _to_sql(expression: ir.Table) -> str:
    import ibis

    return str(ibis.duckdb.compile(comparable_times(expression)))
