"""A store may stand over others; one snapshot shows them all, and only the first is ever written.

The rows of a fallback are older history: the ids of its commits are moved below every own one, by
``SHIFT`` for each store on the way, so that the newest row of a record is the nearest store's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from metaxy_core.errors import InvalidFallback
from metaxy_core.store.backends.base import (
    KEPT,
    Backend,
    ChoosesHash,
    Joins,
    Snapshot,
    SnapshotBeside,
    Tables,
    Transaction,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from metaxy_core.store.backends.capabilities import Capabilities

SHIFT: Final = 2**40


@dataclass(frozen=True)
class Layer:
    """One store inside a snapshot.

    Attributes:
        depth: how many stores stand before it; 0 is the one that is written.
        address: where it is.
        kind: how its tables are reached, which decides about SQL as their names do.
        tables: its tables, readable in the snapshot.
    """

    depth: int
    address: str
    kind: str
    tables: Tables

    @property
    def shift(self) -> int:
        """What is taken off the ids of its commits."""
        return self.depth * SHIFT


@dataclass
class LayeredSnapshot:
    """A snapshot of a store, with those of its fallbacks.

    Attributes:
        own: the snapshot of the store itself.
        fallbacks: the others, nearest first.
        unions: tables over all layers that were made already.
    """

    own: Snapshot
    fallbacks: tuple[Layer, ...]
    unions: dict[Hashable, ir.Table | None] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether the store itself has a table."""
        return self.own.has(name)

    def table(self, name: str) -> ir.Table | None:
        """A table of the store itself."""
        return self.own.table(name)

    def fetch(self, sql: str) -> pa.Table:
        """The rows of a query."""
        return self.own.fetch(sql)

    def keep(self, sql: str, name: str = KEPT) -> ir.Table:
        """Materialise a query."""
        return self.own.keep(sql, name)


@dataclass
class LayeredTransaction(LayeredSnapshot):
    """The same while the store itself is changed."""

    own: Transaction

    def append(self, table: str, sql: str) -> int:
        """Append to a table of the store itself."""
        self.unions.clear()
        return self.own.append(table, sql)

    def index(self, table: str, columns: Sequence[str]) -> None:
        """Make rows of the store itself quick to find."""
        self.own.index(table, columns)

    def replace(self, table: str, sql: str) -> None:
        """Make a table of the store itself anew."""
        self.own.replace(table, sql)

    def remove(self, table: str, staged: ir.Table, columns: Sequence[str]) -> int:
        """Erase rows of the store itself."""
        return self.own.remove(table, staged, columns)


def layers(snapshot: Snapshot, address: str) -> tuple[Layer, ...]:
    """The stores in a snapshot, the one that is written first.

    Args:
        snapshot: of a store that may have fallbacks.
        address: where the store itself is.
    """
    own = Layer(0, address, "own", snapshot)
    return (own, *snapshot.fallbacks) if isinstance(snapshot, LayeredSnapshot) else (own,)


def is_layered(snapshot: Snapshot) -> bool:
    """Whether a snapshot shows more than one store."""
    return isinstance(snapshot, LayeredSnapshot)


class LayeredBackend:
    """A database whose snapshots show others too.

    Args:
        primary: the database; the only one that is written.
        fallbacks: the others, nearest first.

    Raises:
        InvalidFallback: one of them is the database itself, or comes twice.
    """

    def __init__(self, primary: Backend, fallbacks: Sequence[Backend]) -> None:
        self._primary = primary
        self._fallbacks: list[tuple[Backend, bool]] = []
        for backend in fallbacks:
            if backend is primary:
                raise InvalidFallback.from_itself(primary.address)
            joined = isinstance(primary, Joins) and primary.join(backend)
            self._fallbacks.append((backend, joined))

    @property
    def primary(self) -> Backend:
        """The store itself."""
        return self._primary

    @property
    def address(self) -> str:
        """Where the store itself is."""
        return self._primary.address

    @property
    def kind(self) -> str:
        """Name of the database engine."""
        return self._primary.kind

    @property
    def turn(self) -> AbstractContextManager[object]:
        """Held for the length of one call."""
        return self._primary.turn

    @property
    def capabilities(self) -> Capabilities:
        """What the store itself can do."""
        return self._primary.capabilities

    def use_hash(self, algorithm: str) -> None:
        """Compute versions with this algorithm."""
        if isinstance(self._primary, ChoosesHash):
            self._primary.use_hash(algorithm)

    @contextmanager
    def snapshot(self) -> Iterator[LayeredSnapshot]:
        """Open all of them for reading."""
        with ExitStack() as staged, self._primary.snapshot() as own, ExitStack() as opened:
            yield LayeredSnapshot(own, self._opened(own, opened, staged))

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[LayeredTransaction]:
        """Open the store itself for one change, and the others for reading."""
        primary = self._primary.transaction(wait=wait)
        with ExitStack() as staged, primary as own, ExitStack() as opened:
            yield LayeredTransaction(own, self._opened(own, opened, staged))

    def check_writable(self) -> None:
        """Refuse where the store itself is for reading only."""
        self._primary.check_writable()

    def _opened(self, own: Snapshot, opened: ExitStack, staged: ExitStack) -> tuple[Layer, ...]:
        """The fallbacks: in the store's own snapshot, or copied from theirs as they are needed."""
        found = []
        for depth, (backend, joined) in enumerate(self._fallbacks, 1):
            tables: Tables
            if joined and isinstance(own, SnapshotBeside):
                tables = own.beside(backend)
            else:
                theirs = opened.enter_context(backend.snapshot())
                tables = CopiedTables(depth, backend, theirs, self._primary)
                staged.callback(tables.drop)
            kind = "joined" if joined else "copied"
            found.append(Layer(depth, backend.address, kind, tables))
        return tuple(found)

    # ------------------------------------------------------------------ frames and queries

    def sql(self, build: Callable[[], ir.Table], key: Hashable = None) -> str:
        """The SQL of an expression."""
        return self._primary.sql(build, key)

    def stage(self, name: str, frame: pa.Table) -> ir.Table:
        """Make a frame readable inside snapshots and transactions."""
        return self._primary.stage(name, frame)

    def fetch(self, sql: str) -> pa.Table:
        """The rows of a query over staged and kept tables."""
        return self._primary.fetch(sql)

    def stream(self, sql: str, size: int) -> Iterator[pa.Table]:
        """The same in batches."""
        return self._primary.stream(sql, size)

    def stored(self, name: str, columns: Mapping[str, str]) -> ir.Table:
        """A table of the store itself whose columns are known."""
        return self._primary.stored(name, columns)

    def drop(self, table: ir.Table) -> None:
        """Forget a staged or kept table."""
        self._primary.drop(table)

    def close(self) -> None:
        """Release the store itself; the others belong to whoever opened them."""
        self._primary.close()


class CopiedTables:
    """The tables of another database, each copied when it is first asked for.

    Args:
        depth: place of the database among the fallbacks.
        source: the database.
        snapshot: an open snapshot of it.
        target: the database that has to read them.
    """

    def __init__(self, depth: int, source: Backend, snapshot: Snapshot, target: Backend) -> None:
        self._depth = depth
        self._source = source
        self._snapshot = snapshot
        self._target = target
        self._copies: dict[str, ir.Table] = {}

    def has(self, name: str) -> bool:
        """Whether the other database has a table."""
        return self._snapshot.has(name)

    def table(self, name: str) -> ir.Table | None:
        """A copy of a table."""
        found = self._snapshot.table(name)
        if found is None:
            return None
        if name not in self._copies:
            frame = self._snapshot.fetch(self._source.sql(lambda: found))
            copy = self._target.stage(f"metaxy_fallback_{self._depth}__{name}", frame)
            self._copies[name] = copy
        return self._copies[name]

    def drop(self) -> None:
        """Forget the copies."""
        while self._copies:
            self._target.drop(self._copies.popitem()[1])
