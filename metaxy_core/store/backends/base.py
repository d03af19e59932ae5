"""What a store needs from a database, and no more; each backend is one class with these methods."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from metaxy_core.store.backends.capabilities import Capabilities

KEPT = "metaxy_kept"
"""What the names of kept tables begin with."""


class Tables(Protocol):
    """The tables of one database, as queries in an open snapshot can name them."""

    def has(self, name: str) -> bool:
        """Whether there is a table of this name."""

    def table(self, name: str) -> ir.Table | None:
        """A table as an unbound expression, or None where there is none."""


class Snapshot(Tables, Protocol):
    """One consistent state of the database, open for reading."""

    def fetch(self, sql: str) -> pa.Table:
        """The rows of a query."""

    def keep(self, sql: str, name: str = KEPT) -> ir.Table:
        """Materialise a query so that it outlives the snapshot, until ``drop``.

        Args:
            sql: the query.
            name: what the table's name begins with; a number follows that tells it from others.
        """


class Transaction(Snapshot, Protocol):
    """One atomic change: everything done in it becomes visible together, or nothing does."""

    def append(self, table: str, sql: str) -> int:
        """Append a query's rows by column name; gives their number.

        The table is made where it is missing, and so are columns that only the query has.
        """

    def index(self, table: str, columns: Sequence[str]) -> None:
        """Make rows of a table quick to find by some columns, where the database has a means."""

    def replace(self, table: str, sql: str) -> None:
        """Make a table anew from a query's rows and columns, whatever it was before."""

    def remove(self, table: str, staged: ir.Table, columns: Sequence[str]) -> int:
        """Erase the rows that agree with a staged frame in ``columns``; gives their number."""


class Backend(Protocol):
    """A database that can hold a store."""

    @property
    def address(self) -> str:
        """Where the database is, for messages; without secrets."""

    @property
    def kind(self) -> str:
        """Name of the database engine."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond what every store does."""

    @property
    def turn(self) -> AbstractContextManager[object]:
        """Held by a thread for the length of one call on the store; may be taken again."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open the database for reading."""

    def transaction(self, *, wait: bool = True) -> AbstractContextManager[Transaction]:
        """Open the database for one change; an exception inside takes everything back.

        Args:
            wait: whether to wait for others that hold the database.
        """

    def check_writable(self) -> None:
        """Refuse, as ``transaction`` would, where the database was opened for reading only."""

    def sql(self, build: Callable[[], ir.Table], key: Hashable = None) -> str:
        """The SQL of an expression, a ``Statement``; built once per key where one is given."""

    def stage(self, name: str, frame: pa.Table) -> ir.Table:
        """Make a frame readable inside snapshots and transactions, until ``drop``."""

    def fetch(self, sql: str) -> pa.Table:
        """The rows of a query over staged and kept tables, without opening the database."""

    def stream(self, sql: str, size: int) -> Iterator[pa.Table]:
        """The same in batches of at most ``size`` rows."""

    def stored(self, name: str, columns: Mapping[str, str]) -> ir.Table:
        """A table of the database whose columns are known, as an unbound expression."""

    def drop(self, table: ir.Table) -> None:
        """Forget a staged or kept table."""

    def close(self) -> None:
        """Release everything."""


@runtime_checkable
class Joins(Protocol):
    """A database that can read others inside its own snapshots and transactions."""

    def join(self, other: Backend) -> bool:
        """Open another database with every snapshot from here on; False where that cannot be.

        The other one is opened for reading only, and its tables are those of ``beside``.
        """


@runtime_checkable
class SnapshotBeside(Protocol):
    """A snapshot of a database that joined others."""

    def beside(self, other: Backend) -> Tables:
        """The tables of a joined database."""


@runtime_checkable
class ChoosesHash(Protocol):
    """A database that can compute versions with several hash algorithms; others have md5."""

    def use_hash(self, algorithm: str) -> None:
        """Compute ``metaxy_hash`` with an algorithm from here on, in an open snapshot too."""
