"""What a lake store needs from a table format, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

    from metaxy_core.store.backends.capabilities import Capabilities


class Conflict(Exception):
    """A table is not at the version that a change was to be made on."""


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

    def replace(self, table: str, rows: pa.Table) -> int:
        """Make a table anew, whatever it was before; gives its version."""

    def append(self, table: str, version: int, rows: pa.Table) -> int:
        """Append rows, which may have further columns; gives the new version."""

    def delete(self, table: str, version: int, keys: pa.Table) -> int:
        """Remove the rows that agree with ``keys`` in all its columns; gives the new version."""

    def restore(self, table: str, version: int) -> int:
        """Make a table what it was, whatever it is now; gives the new version."""

    def compact(self, table: str, version: int) -> int:
        """Put small files together if they are many; gives the version then."""

    def scan(self, table: str, version: int) -> ds.Dataset:
        """The rows of a version, of which only the files that matter are opened."""

    def forget(self, table: str) -> None:
        """Others have changed a table."""

    def close(self) -> None:
        """Forget what was opened."""
