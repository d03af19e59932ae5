"""A lake store at the versions that one head pins, and one change that leads to the next head."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import obstore
from obstore.exceptions import AlreadyExistsError

from metaxy_core.errors import WriteOvertaken
from metaxy_core.store.backends.base import KEPT
from metaxy_core.store.backends.duckdb_session import (
    CATALOG,
    Keeper,
    kept,
    quoted,
    schema_of,
    unbound,
)
from metaxy_core.store.backends.durations import with_durations
from metaxy_core.store.backends.lake.columns import (
    Columns,
    described,
    extended,
    from_json,
    keys_to_store,
    rows_to_show,
    rows_to_store,
    to_json,
)
from metaxy_core.store.backends.lake.formats import Conflict, Format, Version

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir
    import pyarrow as pa
    import pyarrow.dataset as ds
    from obstore.store import ObjectStore

    from metaxy_core.store.backends.heads.log import Pins
    from metaxy_core.store.backends.lake.refusals import Refusals

_COLUMNS: Final = "metaxy/columns"
_ATTEMPTS: Final = 5
_ROWS, _KEYS = "metaxy_lake__rows", "metaxy_lake__keys"


class LakeTables:
    """The tables of a store that DuckDB sees, each at one version.

    Args:
        format_: the format of the tables.
        objects: the folder or bucket of the store.
        connection: what they are registered with.
    """

    def __init__(
        self, format_: Format, objects: ObjectStore, connection: duckdb.DuckDBPyConnection
    ) -> None:
        self.format = format_
        self._objects = objects
        self._connection = connection
        self._shown: dict[str, Any] = {}
        self._tokens: dict[str, str] = {}
        self._columns: dict[str, Columns] = {}

    @property
    def frames(self) -> list[str]:
        """What is registered."""
        return [_raw(name) for name in self._tokens]

    def show(self, name: str, pin: Any) -> None:
        """Show a table at a version."""
        before = self._shown.get(name)
        if before == pin:
            return
        dataset = self.format.scan(name, self.seen(name, pin))
        self._connection.register(_raw(name), dataset)
        if before is None or before["columns"] != pin["columns"]:
            self._shown.pop(name, None)
            rows = rows_to_show(self.columns(pin), f"temp.main.{quoted(_raw(name))}")
            self._connection.execute(f"CREATE OR REPLACE VIEW {stored(name)} AS {rows}")
        self._shown[name] = pin

    def seen(self, name: str, pin: Any) -> Version:
        """The version of a pin; what is known of the table is forgotten if others wrote to it."""
        if self._tokens.get(name) != pin["token"]:
            self.format.forget(name)
            self.told(name, pin)
        version: Version = pin["version"]
        return version

    def told(self, name: str, pin: Any) -> None:
        """A table was written here."""
        self._tokens[name] = pin["token"]

    def columns(self, pin: Any) -> Columns:
        """The columns of a table."""
        digest = pin["columns"]
        if digest not in self._columns:
            found = obstore.get(self._objects, f"{_COLUMNS}/{digest}.json").bytes()
            self._columns[digest] = from_json(bytes(found))
        return self._columns[digest]

    def keep_columns(self, columns: Columns) -> str:
        """Write columns down, for as long as there is a store; gives what finds them."""
        text = to_json(columns)
        digest = hashlib.sha256(text).hexdigest()[:32]
        with suppress(AlreadyExistsError):
            obstore.put(self._objects, f"{_COLUMNS}/{digest}.json", text, mode="create")
        self._columns[digest] = columns
        return digest


class ErasedRows:
    """Rows that are to be removed, as DuckDB tells them from others.

    Args:
        connection: where it computes.
        keys: what they have in some columns, as the lake table holds it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, keys: pa.Table) -> None:
        self.keys = keys
        self._connection = connection

    def left(self, rows: ds.Dataset) -> pa.Table | None:
        """The others among some rows of the table; None if all of these stay."""
        names = [quoted(name) for name in self.keys.column_names]
        matches = " AND ".join(f"t.{name} = s.{name}" for name in names)
        left = (
            f"SELECT t.* FROM {_ROWS} AS t "  # noqa: S608 - quoted
            f"WHERE NOT EXISTS (SELECT 1 FROM {_KEYS} AS s WHERE {matches})"
        )
        self._connection.register(_ROWS, rows)
        self._connection.register(_KEYS, self.keys)
        try:
            found = self._connection.execute(left).to_arrow_table()
        finally:
            self._connection.unregister(_ROWS)
            self._connection.unregister(_KEYS)
        return None if found.num_rows == rows.count_rows() else found


class LakeSession:
    """One state of a lake store.

    Args:
        backend: the store's database.
        connection: where it computes.
        tables: its tables; None where there is no store yet.
        pins: the versions that the state is made of.
        refusals: what becomes of errors.
    """

    def __init__(
        self,
        backend: Keeper,
        connection: duckdb.DuckDBPyConnection,
        tables: LakeTables | None,
        pins: Pins,
        refusals: Refusals,
    ) -> None:
        self._backend = backend
        self._connection = connection
        self._tables = tables
        self._told = refusals.told
        self._address = refusals.address
        self.pins: dict[str, Any] = dict(pins)
        self.kept: list[ir.Table] = []

    def has(self, name: str) -> bool:
        """Whether the store has a table."""
        return name in self.pins

    def table(self, name: str) -> ir.Table | None:
        """A table of the store."""
        if name not in self.pins:
            return None
        with self._told():
            columns = self._opened.columns(self.pins[name])
        return unbound(_schema(self._connection, columns), name, CATALOG)

    def fetch(self, sql: str) -> pa.Table:
        """Run a query."""
        with self._told():
            return with_durations(self._rows(sql))

    def keep(self, sql: str, name: str = KEPT) -> ir.Table:
        """Materialise a query in the in-memory database."""
        with self._told():
            self._show(sql)
            table = kept(self._backend, self._connection, sql, name)
        self.kept.append(table)
        return table

    def append(self, table: str, sql: str) -> int:
        """Append by column name, in one version of the lake table."""
        with self._told():
            self._show(sql)
            found = described(self._connection, sql)
            pin = self.pins.get(table)
            known = () if pin is None else self._opened.columns(pin)
            columns = extended(known, found)
            rows = self._rows(rows_to_store(columns, found, sql))
            if pin is None:
                self._make_anew(table, rows, columns)
            elif rows.num_rows or columns != known:
                self._append(table, rows, columns)
        return int(rows.num_rows)

    def index(self, table: str, columns: Sequence[str]) -> None:
        """Nothing is done: files say which commits they hold."""

    def replace(self, table: str, sql: str) -> None:
        """Make a table from scratch."""
        with self._told():
            self._show(sql)
            columns = described(self._connection, sql)
            self._make_anew(table, self._rows(rows_to_store(columns, columns, sql)), columns)

    def remove(self, table: str, staged: ir.Table, columns: Sequence[str]) -> int:
        """Delete by equality with a staged frame."""
        frame = quoted(staged.get_name())
        matches = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in columns)
        found = (
            f"SELECT count(*) AS rows FROM {stored(table)} AS t "  # noqa: S608 - quoted
            f"WHERE EXISTS (SELECT 1 FROM {frame} AS s WHERE {matches})"
        )
        with self._told():
            gone = int(self._rows(found)["rows"][0].as_py())
            if gone:
                known = self._opened.columns(self.pins[table])
                keys = self._rows(keys_to_store(known, columns, frame))
                erased, delete = ErasedRows(self._connection, keys), self._opened.format.delete
                version = self._changed(table, lambda version: delete(table, version, erased))
                self._pin(table, version, known)
        return gone

    # ------------------------------------------------------------------ details

    @property
    def _opened(self) -> LakeTables:
        if self._tables is None:
            raise RuntimeError("there is no store yet")
        return self._tables

    def _rows(self, sql: str) -> pa.Table:
        self._show(sql)
        return self._connection.execute(sql).to_arrow_table()

    def _show(self, sql: str) -> None:
        """Show the tables that a query may name, at their versions."""
        for name, pin in self.pins.items():
            if name in sql:
                self._opened.show(name, pin)

    def _pin(self, table: str, version: Version, columns: Columns) -> None:
        before = self.pins.get(table)
        if before is not None and self._opened.columns(before) == columns:
            digest = before["columns"]
        else:
            digest = self._opened.keep_columns(columns)
        self.pins[table] = {"version": version, "columns": digest, "token": uuid.uuid4().hex}
        self._opened.told(table, self.pins[table])

    def _make_anew(self, table: str, rows: pa.Table, columns: Columns) -> None:
        for _ in range(_ATTEMPTS):
            with suppress(Conflict):
                return self._pin(table, self._opened.format.replace(table, rows), columns)
        raise WriteOvertaken.from_address(self._address)

    def _append(self, table: str, rows: pa.Table, columns: Columns) -> None:
        tables = self._opened.format
        version = self._changed(table, lambda version: tables.append(table, version, rows))
        self._pin(table, tables.compact(table, version), columns)

    def _changed(self, table: str, change: Callable[[Version], Version]) -> Version:
        """Change a table that may be beyond its pinned version, by what a writer left behind."""
        version = self._opened.seen(table, self.pins[table])
        for _ in range(_ATTEMPTS):
            try:
                return change(version)
            except Conflict:
                version = self._restored(table)
        raise WriteOvertaken.from_address(self._address)

    def _restored(self, table: str) -> Version:
        pinned: Version = self.pins[table]["version"]
        try:
            return self._opened.format.restore(table, pinned)
        except Conflict:
            return pinned


def stored(table: str) -> str:
    """A table of the store, in SQL."""
    return f"{CATALOG}.main.{quoted(table)}"


def _raw(name: str) -> str:
    return f"metaxy_lake_{name}"


_schemas: dict[Columns, Any] = {}


def _schema(connection: duckdb.DuckDBPyConnection, columns: Columns) -> Any:
    """Columns as queries give them."""
    if columns not in _schemas:
        values = ", ".join(f"NULL::{each.kind} AS {quoted(each.name)}" for each in columns)
        _schemas[columns] = schema_of(connection, f"(SELECT {values})")
    return _schemas[columns]
