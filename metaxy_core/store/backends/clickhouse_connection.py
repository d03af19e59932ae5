"""A session with ClickHouse, over HTTP or in process, through its own driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import OperationalError

if TYPE_CHECKING:
    import pyarrow as pa
    from clickhouse_connect.driver.client import Client

    from metaxy_core.store.backends.clickhouse_address import ClickHouseAddress

SETTINGS: Final[dict[str, str | int]] = {
    # as everywhere else: what is missing in a join or an aggregate is NULL, and time is UTC
    "join_use_nulls": 1,
    "aggregate_functions_null_for_empty": 1,
    "union_default_mode": "ALL",
    "session_timezone": "UTC",
    # what was written is there for the next statement, and all of it
    "mutations_sync": 2,
    "lightweight_deletes_sync": 2,
    "alter_sync": 2,
    "async_insert": 0,
    "insert_deduplicate": 0,
    "allow_nondeterministic_mutations": 1,
    # statements name many columns and tables
    "max_query_size": 100_000_000,
    "max_ast_elements": 10_000_000,
    "max_expanded_ast_elements": 10_000_000,
    "output_format_arrow_string_as_string": 1,
}
"""Settings of every query, as far as the server has them."""

REPLICATED: Final[dict[str, str | int]] = {
    "select_sequential_consistency": 1,
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
}
"""Settings where tables have several replicas: whoever reads sees what was written."""


class ClickHouseConnection:
    """A session; one thread uses it at a time.

    Args:
        address: where the database is, and who connects.
        settings: of every query, besides the own ones.
        make: makes a table with the types of a frame.
    """

    def __init__(
        self,
        address: ClickHouseAddress,
        settings: Mapping[str, str | int],
        make: Callable[[str, pa.Schema], str],
    ) -> None:
        self._client: Client = clickhouse_connect.get_client(
            **{"autogenerate_session_id": False, **address.arguments}
            if address.folder is None
            else dict(address.arguments)
        )
        self._make = make
        self._is_in_process = address.folder is not None
        try:
            for name, value in {**SETTINGS, **settings}.items():
                if name in self._client.server_settings or name in settings:
                    self._client.set_client_setting(name, value)
        except BaseException:  # nobody has the session to close it
            self.close()
            raise

    def execute(self, sql: str) -> int:
        """Run a statement."""
        self._client.command(str(sql), use_database=False)
        return 0

    def query(self, sql: str) -> pa.Table:
        """Run a query."""
        try:
            return self._client.query_arrow(str(sql), use_strings=True)
        except Exception:
            if self._is_in_process:  # the next answer begins with what this one left
                with suppress(Exception):
                    self._client.command("SELECT 1", use_database=False)
            raise

    def load(self, table: str, frame: pa.Table) -> None:
        """Make a table, and insert a frame into it."""
        at = self._make(table, frame.schema)
        if frame.num_rows:
            self._client.insert_arrow(at, frame)
            self._check(at, frame)

    def _check(self, at: str, frame: pa.Table) -> None:
        """Insert a frame again if it is not there once; the driver repeats what is not answered."""
        found = self.query(f"SELECT count() AS n FROM {at}")["n"][0].as_py()  # noqa: S608 - quoted
        if found != frame.num_rows:
            self.execute(f"TRUNCATE TABLE {at}")
            self._client.insert_arrow(at, frame)

    def close(self) -> None:
        """End the session."""
        self._client.close()


def is_gone(error: Exception) -> bool:
    """Whether a server did not answer."""
    return isinstance(error, OperationalError)
