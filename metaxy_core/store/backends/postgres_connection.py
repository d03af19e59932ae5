"""A session with PostgreSQL, through ADBC."""

from __future__ import annotations

import ctypes
import os
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from adbc_driver_postgresql import dbapi

from metaxy_core.store.backends.postgres_types import in_microseconds

if TYPE_CHECKING:
    import pyarrow as pa

    from metaxy_core.store.backends.postgres_address import ConnectionText

_GONE: Final = ("08", "57P")
"""What the states begin with in which a server ends sessions."""


class PostgresConnection:
    """A session.

    Args:
        text: where the database is, and who connects.
        schema: the schema of the store.
    """

    def __init__(self, text: ConnectionText, schema: str) -> None:
        self._schema = schema
        self._process = os.getpid()
        self._used = time.monotonic()
        connection = dbapi.connect(text.secret, autocommit=True)
        self._cursor = connection.cursor()
        self._end = weakref.finalize(self, _end, self._process, self._cursor, connection)

    def execute(self, sql: str) -> int:
        """Run a statement."""
        self._cursor.execute(str(sql))
        self._used = time.monotonic()
        return int(self._cursor.rowcount)

    def query(self, sql: str) -> pa.Table:
        """Run a query."""
        self._cursor.execute(str(sql))
        rows = self._cursor.fetch_arrow_table()
        self._used = time.monotonic()
        return rows

    def load(self, table: str, frame: pa.Table) -> None:
        """Make a temporary table and copy a frame into it.

        Raises:
            pyarrow.ArrowInvalid: a moment is too far away.
        """
        self._cursor.adbc_ingest(table, in_microseconds(frame), mode="create", temporary=True)

    def has_table(self, name: str) -> bool:
        """Whether the schema has a table."""
        found = self.query(
            f"SELECT to_regclass({literal(f'{identifier(self._schema)}.{identifier(name)}')}) "
            f"IS NOT NULL AS found"
        )
        return bool(found["found"][0].as_py())

    def close(self) -> None:
        """End the session, if it is this process's own."""
        self._end()

    # ------------------------------------------------------------------ whether it is there

    @property
    def is_foreign(self) -> bool:
        """Whether it belongs to the process of which this one is a fork."""
        return self._process != os.getpid()

    @property
    def idle(self) -> float:
        """Seconds since the last statement."""
        return time.monotonic() - self._used

    def is_lost(self, error: Exception | None = None) -> bool:
        """Whether the server has ended the session; it is asked where an error does not tell.

        Args:
            error: what the driver said last.
        """
        state = getattr(error, "sqlstate", None) or ""
        if error is not None and (state or not isinstance(error, dbapi.Error)):
            return state.startswith(_GONE)
        try:
            self.query("SELECT 1 AS n")
        except dbapi.Error as said:  # a state is what a server that is there gives
            return said.sqlstate is None or said.sqlstate.startswith(_GONE)
        return False


def _end(process: int, cursor: Any, connection: Any) -> None:
    """End a session; in a fork leave it alone, for to end it there would end the other one's."""
    if process != os.getpid():
        for each in (cursor, connection):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))  # so that neither is ever finalised
        return
    with suppress(Exception):  # a session that is lost
        cursor.close()
    with suppress(Exception):
        connection.close()


def identifier(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in single quotes."""
    return "'" + text.replace("'", "''") + "'"
