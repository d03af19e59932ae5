"""What a lake store needs from a table format, and no more."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

    from metaxy_core.store.backends.capabilities import Capabilities

Version = int | str
"""What a format calls one state of a table."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_]{1,100}")


class Conflict(Exception):
    """A table is not at the version that a change was to be made on."""


class Erased(Protocol):
    """Rows that are to be removed; there are some."""

    @property
    def keys(self) -> pa.Table:
        """What they have in some columns, where no other row has the same."""

    def left(self, rows: ds.Dataset) -> pa.Table | None:
        """The others among some rows of the table; None if all of these stay."""


class Format(Protocol):
    """Tables in one format, under the root of one store.

    Every change makes exactly one version, on top of exactly the version that it is given, or
    raises ``Conflict`` and changes nothing that anybody reads.
    """

    @property
    def kind(self) -> str:
        """Name of the format."""

    @property
    def capabilities(self) -> Capabilities:
        """What stores in it can do."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What its library raises when a table cannot be read or written."""

    def replace(self, table: str, rows: pa.Table) -> Version:
        """Make a table anew, whatever it was before; gives its version."""

    def append(self, table: str, version: Version, rows: pa.Table) -> Version:
        """Append rows, which may have further columns; gives the new version."""

    def delete(self, table: str, version: Version, erased: Erased) -> Version:
        """Remove rows; gives the new version."""

    def restore(self, table: str, version: Version) -> Version:
        """Make a table what it was, whatever it is now; gives the new version."""

    def compact(self, table: str, version: Version) -> Version:
        """Put small files together if they are many; gives the version then."""

    def scan(self, table: str, version: Version) -> ds.Dataset:
        """The rows of a version, of which only the files that matter are opened."""

    def forget(self, table: str) -> None:
        """Others have changed a table."""

    def close(self) -> None:
        """Forget what was opened."""


def folder(table: str) -> str:
    """The name of a table's folder."""
    if _PLAIN.fullmatch(table):
        return table
    return f"{table[:60]}-{hashlib.sha256(table.encode()).hexdigest()[:16]}"
