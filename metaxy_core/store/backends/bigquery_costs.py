"""What an increment would cost, told without computing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from metaxy_core.store.backends.base import KEPT

if TYPE_CHECKING:
    from metaxy_core.store.backends.bigquery_client import BigQueryConnection


class Compared(Exception):
    """A comparison would be made now."""


class Estimate:
    """The bytes that statements would read which make tables; they run dry.

    Args:
        connection: where they would run.

    Attributes:
        scanned: how many bytes so far.
    """

    def __init__(self, connection: BigQueryConnection) -> None:
        self._connection = connection
        self.scanned = 0

    def add(self, name: str, statement: str, make_empty: Callable[[], object]) -> None:
        """Estimate a statement.

        Args:
            name: of the table that it would make.
            statement: what makes it.
            make_empty: makes the table without rows, for what comes after it.

        Raises:
            Compared: nothing comes after it.
        """
        self.scanned += self._connection.bytes_scanned(statement)
        if name.startswith(KEPT):
            raise Compared
        make_empty()
