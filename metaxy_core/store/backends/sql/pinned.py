"""A store in a database without transactions over many tables: a log of heads pins them together.

Tables of the database only grow: rows say which writer they are of, and a head says whose rows are
seen. Whatever changes rows or columns makes another table, which the next head pins instead.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.store.backends.heads.log import Heads
from metaxy_core.store.backends.heads.turns import Turn
from metaxy_core.store.backends.sql.database import Opened, SqlDatabase
from metaxy_core.store.backends.sql.markers import FRAMES, STORED, replaced
from metaxy_core.store.backends.sql.pinned_session import PinnedSession
from metaxy_core.store.backends.sql.pins import WRITE, State, begun

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir
    import pyarrow as pa

    from metaxy_core.store.backends.heads.storage import HeadStorage
    from metaxy_core.store.backends.sql.dialect import Dialect
    from metaxy_core.store.backends.sql.physical import PhysicalTables

TABLE: Final = "metaxy__table_"
FRAME: Final = "metaxy__frame_"
HEAD: Final = "metaxy__head_"
"""What the names of tables of the database begin with."""

_CLEAN_EVERY: Final = 50
_LONGEST: Final = 80
_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_]+")


class PinnedBackend(SqlDatabase[Opened]):
    """A database whose tables are pinned by heads.

    The schema of its dialect is ``STORED``.
    """

    def __init__(
        self, address: str, dialect: Dialect, *, read_only: bool, lock_timeout: float
    ) -> None:
        super().__init__(address, dialect, read_only=read_only, lock_timeout=lock_timeout)
        self._state: State | None = None
        self._log: Heads | None = None
        self._frames: dict[str, str] = {}

    # ------------------------------------------------------------------ for each database

    def heads(self) -> HeadStorage:
        """Where the heads are."""
        raise NotImplementedError

    @property
    def physical(self) -> PhysicalTables:
        """The tables of the database."""
        raise NotImplementedError

    def at(self, name: str) -> str:
        """A table of the database, as SQL names it."""
        raise NotImplementedError

    def make_place(self) -> None:
        """Make what the tables of a store are in, if it is not there."""
        raise NotImplementedError

    # ------------------------------------------------------------------ transactions

    @property
    def state(self) -> State:
        """What the open session sees."""
        if self._state is None:
            raise RuntimeError("no snapshot is open")
        return self._state

    def session(self) -> PinnedSession:
        """The tables, as the open session sees them."""
        return PinnedSession(self)

    @contextmanager
    def begun(self, *, write: bool, wait: bool) -> Iterator[None]:
        """A state of the store to read, or to change."""
        if self._log is None:
            self._log = Heads(self.heads(), self.address, begun=begun)
        if not write:
            with self._seeing(State.from_head(self._log.newest())):
                yield
            return
        self.make_place()
        turn = Turn(self._log, self.lock_timeout if wait else 0.0)
        with turn:
            state = State.from_beginning(turn.tables, turn.number)
            with self._seeing(state), self._undone(turn, state):
                yield
            done = turn.commit(state.pins())
        for name in state.replaced:
            with suppress(Exception):  # else it is left behind, for ``clean``
                self.physical.retire(self.at(name))
        if done.number % _CLEAN_EVERY == 0:
            with suppress(Exception):
                self.physical.clean(frozenset(pin.at for pin in state.tables.values()))

    @contextmanager
    def _seeing(self, state: State) -> Iterator[None]:
        self._state = state
        try:
            yield
        finally:
            self._state = None

    @contextmanager
    def _undone(self, turn: Turn, state: State) -> Iterator[None]:
        """Drop what a change has made if it fails before it is committed."""
        try:
            yield
        except BaseException:
            if not state.has_inserted:  # no row has the writer's number, which need not be kept
                turn.otherwise = State.from_beginning(turn.tables, turn.number).pins()
            for name in state.made:
                with suppress(Exception):
                    self.physical.drop(self.at(name))
            raise

    def close(self) -> None:
        """Drop staged and kept tables, and end the session."""
        with self.turn:
            if self._opened is not None:
                for name in [*self._staged, *self._kept]:
                    with suppress(Exception):
                        self.drop_frame(name)
            self._staged.clear()
            self._kept.clear()
            super().close()

    # ------------------------------------------------------------------ names

    def new_name(self, table: str) -> str:
        """The name of a further table of the database, for one of the store."""
        said = _IN_NAMES.sub("_", table)[:_LONGEST]
        return f"{TABLE}{self.state.write}_{len(self.state.made)}_{said}"

    def stored(self, name: str, columns: Mapping[str, Any]) -> ir.Table:
        """A table of the store, wherever it is."""
        import ibis

        return ibis.table(ibis.schema(dict(columns)), name=name, database=STORED)

    def rendered(self, sql: str) -> str:
        """A statement that names the tables where they are."""
        return replaced(sql, self.dialect, self._seen, self._frame_at)

    def _seen(self, quoted: str) -> str:
        """The rows of a table that are seen."""
        name = self._named(quoted, self.state.tables)
        pin, write = self.state.tables[name], self.dialect.quoted(WRITE)
        columns = ", ".join(self.dialect.quoted(column) for column, _ in pin.columns)
        return f"(SELECT {columns} FROM {self.at(pin.at)} WHERE {self.state.condition(write)})"  # noqa: S608 - quoted

    def _frame_at(self, quoted: str) -> str:
        return self.frame_at(self._frames[self._named(quoted, self._frames)])

    def _named(self, quoted: str, known: Mapping[str, object]) -> str:
        found = next((name for name in known if self.dialect.quoted(name) == quoted), None)
        if found is None:
            raise RuntimeError(f"{quoted} is not among {sorted(known)}")
        return found

    # ------------------------------------------------------------------ frames

    def frame(self, name: str, columns: ibis.Schema) -> ir.Table:
        """A staged or kept table."""
        import ibis

        return ibis.table(columns, name=name, database=FRAMES)

    def frame_at(self, at: str) -> str:
        """What stands for a staged or kept table in SQL, given the name it has in the database."""
        return self.at(at)

    def new_frame(self, name: str) -> str:
        """The name of a table of the database for a staged or kept table."""
        return self._frames.setdefault(name, f"{FRAME}{uuid.uuid4().hex}")

    def load(self, name: str, frame: pa.Table) -> None:
        """Make a staged table."""
        self.connection.load(self.new_frame(name), frame)

    def make_kept(self, name: str, sql: str) -> None:
        """Make a table from a query."""
        at = self.at(self.new_frame(name))
        columns = getattr(sql, "columns", {})
        declared = {self.dialect.quoted(n): self.dialect.declared(k) for n, k in columns.items()}
        self.ran(lambda _: self.physical.create_frame(at, declared), "")
        self.ran(lambda rows: self.physical.insert(at, list(declared), rows), sql)

    def drop_frame(self, name: str) -> None:
        """Drop a staged or kept table."""
        at = self._frames.pop(name, None)
        if at is not None:
            self.physical.drop(self.at(at))

    def taken_back(self, staged: set[str], kept: set[str]) -> None:  # noqa: ARG002
        """What a session kept is dropped when it fails; who staged a frame drops it."""
        for name in self._kept - kept:
            with suppress(Exception):
                self.drop_frame(name)
            self._kept.discard(name)
