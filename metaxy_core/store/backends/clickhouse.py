"""ClickHouse as a store: tables of a database that a log of heads pins together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.engine.hashing import MD5, XXH64
from metaxy_core.errors import InvalidSetting, ReadOnlyStore, StoreUnreachable, ValueOutOfRange
from metaxy_core.errors.base import first_line
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.clickhouse_address import ClickHouseAddress, clickhouse_address
from metaxy_core.store.backends.clickhouse_connection import (
    REPLICATED,
    ClickHouseConnection,
    is_gone,
)
from metaxy_core.store.backends.clickhouse_functions import functions_with
from metaxy_core.store.backends.clickhouse_heads import HeadTables, code_of, identifier, literal
from metaxy_core.store.backends.clickhouse_rewriting import REWRITINGS
from metaxy_core.store.backends.clickhouse_tables import ClickHouseTables
from metaxy_core.store.backends.clickhouse_types import encoding
from metaxy_core.store.backends.sql.dialect import Dialect
from metaxy_core.store.backends.sql.markers import STORED
from metaxy_core.store.backends.sql.pinned import PinnedBackend
from metaxy_core.store.backends.sql.rewriting import picked_by_list, unpacked_row
from metaxy_core.store.base import MetadataStore

if TYPE_CHECKING:
    import pyarrow as pa

    from metaxy_core.store.backends.heads.storage import HeadStorage
    from metaxy_core.store.backends.sql.physical import PhysicalTables

ENGINE: Final = "ClickHouse"
DATABASE: Final = "metaxy"
CAPABILITIES: Final = Capabilities(
    "pinned versions", "machines", "index", hashes=(MD5, XXH64), members_in_filters=False
)

_NAMES: Final = re.compile(r"[^\\]+")  # a backslash would begin an escape
_LONGEST_NAME: Final = 180
_TYPES: Final = {"date": "Nullable(Date32)"}  # the other one begins in 1970
_UNKNOWN_SETTING: Final = 115
_NO_RIGHT: Final = (164, 242, 497)
_OUT_OF_RANGE: Final = (69, 407, 321)
_FOR_SERVERS: Final = "check the address, the server and the user's rights"
_FOR_FOLDERS: Final = "one process at a time has a folder open, and a process one folder"
_SAID: Final = re.compile(r"DB::Exception: (.*?)(?: \(version |\n|$)")


class ClickHouseBackend(PinnedBackend[ClickHouseConnection]):
    """A database of ClickHouse.

    Args:
        address: where it is, and who connects.
        database: its name, made on first use.
        engine: of its tables.
        read_only: refuse transactions.
        lock_timeout: seconds to wait for other writers before ``StoreLocked``.
        settings: of every query.
    """

    kind = "clickhouse"
    capabilities = CAPABILITIES

    def __init__(
        self,
        address: ClickHouseAddress,
        *,
        database: str,
        engine: str,
        read_only: bool,
        lock_timeout: float,
        settings: Mapping[str, str | int],
    ) -> None:
        dialect = Dialect(
            "clickhouse",
            _LONGEST_NAME,
            STORED,
            encoding,
            types=_TYPES,
            names=_NAMES,
            compiler="metaxy_core.store.backends.clickhouse_compiler",
        )
        super().__init__(
            f"{address.shown} database {database}",
            dialect,
            read_only=read_only,
            lock_timeout=lock_timeout,
        )
        self._place = address
        self._database = database
        is_replicated = engine.startswith(("Replicated", "Shared"))
        self._settings = {**(REPLICATED if is_replicated else {}), **settings}
        self._of_heads: ClickHouseConnection | None = None
        self._physical = ClickHouseTables(lambda: self.connection, database, engine)
        self._is_made = False
        self.use_hash(MD5)

    def use_hash(self, algorithm: str) -> None:
        """Compute versions with another algorithm."""
        own = [picked_by_list, unpacked_row, *REWRITINGS, functions_with(algorithm)]
        self.dialect = replace(self.dialect, rewritings=own, variant=algorithm)

    # ------------------------------------------------------------------ sessions

    def connect(self) -> ClickHouseConnection:
        """Begin a session.

        Raises:
            StoreUnreachable: there is no server, or it does not let us in.
        """
        try:
            return ClickHouseConnection(self._place, self._settings, self._make_frame)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no session
            advice = _FOR_SERVERS if self._place.folder is None else _FOR_FOLDERS
            raise StoreUnreachable(
                f"The store {self.address!r} cannot be reached; {advice}. {ENGINE} says: "
                f"{self._said(error)}"
            ) from None  # what the driver says may have the whole address

    def close(self) -> None:
        """Drop staged and kept tables, and end the session."""
        with self.turn:
            super().close()
            opened, self._of_heads = self._of_heads, None
            if opened is not None:
                opened.close()

    def _connection_of_heads(self) -> ClickHouseConnection:
        """A session of its own: signs of life are given while a statement is running."""
        if self._of_heads is None:
            self._of_heads = self.connect()
        return self._of_heads

    # ------------------------------------------------------------------ places

    def heads(self) -> HeadStorage:
        """The heads, each a table."""
        return HeadTables(self._connection_of_heads, self._database)

    @property
    def physical(self) -> PhysicalTables:
        """The tables of the database."""
        return self._physical

    def at(self, name: str) -> str:
        """A table, with the name of the database."""
        return f"{identifier(self._database)}.{identifier(name)}"

    def make_place(self) -> None:
        """Make the database, which not everybody may do where it is there already."""
        if self._is_made:
            return
        name = literal(self._database)
        found = self.connection.query(f"SELECT 1 AS n FROM system.databases WHERE name = {name}")  # noqa: S608
        if not found.num_rows:
            self.connection.execute(f"CREATE DATABASE IF NOT EXISTS {identifier(self._database)}")
        self._is_made = True

    def load(self, name: str, frame: pa.Table) -> None:
        """Make a staged table; who only reads may be the first to need the database."""
        self.make_place()
        super().load(name, frame)

    def _make_frame(self, name: str, schema: pa.Schema) -> str:
        """Make a table for a frame; gives its name in SQL."""
        import ibis

        columns = ibis.Schema.from_pyarrow(schema)
        quoted, declared = self.dialect.quoted, self.dialect.declared
        at = self.at(name)
        self._physical.create_frame(at, {quoted(n): declared(k) for n, k in columns.items()})
        return at

    # ------------------------------------------------------------------ errors

    def _said(self, error: Exception) -> str:
        """What the server says, without the statement and without a password."""
        text = self._place.without_secret(first_line(error))
        found = _SAID.search(text)
        return found[1] if found else text

    def translated(self, error: Exception) -> Exception:
        """What ClickHouse says, in our words."""
        code, said = code_of(error), self._said(error)
        if code is None and is_gone(error):
            return StoreUnreachable(f"The store {self.address!r} went away. {ENGINE} says: {said}")
        if code in _OUT_OF_RANGE:
            return ValueOutOfRange.from_reason(said)
        if code == _UNKNOWN_SETTING:
            return InvalidSetting(
                f"The store {self.address!r} has settings that the server does not know; correct "
                f"them. {ENGINE} says: {said}"
            )
        if code in _NO_RIGHT:
            return ReadOnlyStore(
                f"{self.address!r} cannot be written; open the store with read_only=True, or "
                f"give the user the right to make tables. {ENGINE} says: {said}"
            )
        return error


class ClickHouseMetadataStore(MetadataStore):
    """A store in a database of ClickHouse, on a server or in process.

    Writers take turns; readers wait for nobody.

    Args:
        dsn: ``clickhouse://user:password@host:8443/database?secure=true``; or ``chdb:folder`` for
            the engine in process, which one process at a time can open.
        parameters: further arguments of ``clickhouse_connect.get_client``, such as
            ``{"password": ..., "ca_cert": "films.pem"}``.
        database: the database that holds the store, and nothing else; several stores are several
            databases. None takes that of the dsn, and ``metaxy`` if it has none.
        engine: of the tables, such as ``ReplicatedMergeTree``.
        read_only: refuse writes.
        lock_timeout: seconds to wait for other writers before ``StoreLocked``.
        settings: of every query, such as ``{"max_memory_usage": 10_000_000_000}``.
        fallback: a store, or several from the nearest on, whose records are seen below the own
            ones and never written; see ``MetadataStore``.
        hash: algorithm of the versions, ``md5`` or ``xxh64``; None takes what the store has, and
            md5 for a new one.
    """

    def __init__(
        self,
        dsn: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        database: str | None = None,
        engine: str = "MergeTree",
        read_only: bool = False,
        lock_timeout: float = 60.0,
        settings: Mapping[str, str | int] | None = None,
        fallback: MetadataStore | Sequence[MetadataStore] = (),
        hash: str | None = None,  # noqa: A002 - the word for it, as in metaxy.toml
    ) -> None:
        address = clickhouse_address(dsn, parameters or {})
        super().__init__(
            ClickHouseBackend(
                address,
                database=database or address.database or DATABASE,
                engine=engine,
                read_only=read_only,
                lock_timeout=lock_timeout,
                settings=settings or {},
            ),
            fallback=fallback,
            hash=hash,
        )
