"""Heads as tables of ClickHouse: of several who make one of a name, one succeeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from metaxy_core.store.backends.heads.storage import Entry
from metaxy_core.store.backends.sql.pinned import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from metaxy_core.store.backends.clickhouse_connection import ClickHouseConnection

_ALREADY_EXISTS: Final = 57


class HeadTables:
    """The heads of a store in ClickHouse: each is the comment of an empty table.

    Args:
        connection: the session, which nothing else uses.
        database: where the tables are.
    """

    def __init__(self, connection: Callable[[], ClickHouseConnection], database: str) -> None:
        self._connection = connection
        self._database = database
        self._listed: dict[int, str] = {}

    def put(self, number: int, text: str) -> Entry | None:
        """Make a table, unless one of its name is there."""
        try:
            self._connection().execute(
                f"CREATE TABLE {self._at(number)} (head UInt8) ENGINE = Null "
                f"COMMENT {literal(text)}"
            )
        except Exception as error:
            if code_of(error) == _ALREADY_EXISTS:
                return None
            raise
        return Entry(number, None)

    def get(self, number: int) -> str | None:
        """The comment of a table; None where it is gone."""
        if number in self._listed:  # what a head says never changes
            return self._listed.pop(number)
        rows = self._connection().query(
            f"SELECT comment FROM system.tables WHERE {self._in_database()} "  # noqa: S608 - quoted
            f"AND name = {literal(_name(number))}"
        )
        return str(rows["comment"][0].as_py()) if rows.num_rows else None

    def after(self, number: int) -> list[Entry]:
        """The tables of heads beyond a number; of all of them no comments are fetched."""
        text = "comment" if number > 0 else "''"
        rows = self._connection().query(
            f"SELECT name, toString(uuid) AS tag, {text} AS text FROM system.tables "  # noqa: S608 - quoted
            f"WHERE {self._in_database()} "
            f"AND startsWith(name, {literal(HEAD)}) AND name > {literal(_name(max(number, 0)))}"
        )
        self._listed = {}
        entries = []
        for row in rows.to_pylist():
            name = row["name"].removeprefix(HEAD)
            if name.isdigit():
                entries.append(Entry(int(name), row["tag"]))
                if row["text"]:
                    self._listed[int(name)] = row["text"]
        return entries

    def delete(self, number: int) -> None:
        """Drop a table."""
        self._connection().execute(f"DROP TABLE IF EXISTS {self._at(number)}")

    def _in_database(self) -> str:
        return f"database = {literal(self._database)}"

    def _at(self, number: int) -> str:
        return f"{identifier(self._database)}.{identifier(_name(number))}"


def _name(number: int) -> str:
    return f"{HEAD}{number:020d}"


def code_of(error: Exception) -> int | None:
    """The number that ClickHouse gives to an error; None for an error of another kind."""
    code = getattr(error, "code", None)
    return code if isinstance(code, int) else None


def identifier(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """A text in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
