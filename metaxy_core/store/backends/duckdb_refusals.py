"""What DuckDB refuses to open, in words that say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaxy_core.errors import (
    NotAStore,
    ReadOnlyStore,
    StoreError,
    StoreLocked,
    StoreUnreachable,
)
from metaxy_core.store.backends.duckdb_settings import first_line

if TYPE_CHECKING:
    import duckdb


def locked(address: str, seconds: float, error: duckdb.Error) -> StoreLocked:
    """Another process holds the file."""
    return StoreLocked(
        f"The store {address!r} was in use for {seconds:g} s. Wait for the process that holds it, "
        f"or raise lock_timeout. DuckDB says: {first_line(error)}"
    )


def refusal(address: str, error: Exception, *, read_only: bool) -> StoreError:
    """The file cannot be opened, or not as was asked."""
    reason = first_line(error)
    if "not a valid DuckDB database file" in reason:
        return NotAStore(
            f"{address!r} is no DuckDB database; give the path of a store, or of a file that does "
            f"not exist yet."
        )
    if not read_only and any(word in reason for word in ("Permission denied", "Read-only")):
        return ReadOnlyStore(
            f"{address!r} cannot be written; open the store with read_only=True, or make the file "
            f"and its folder writable. DuckDB says: {reason}"
        )
    return StoreUnreachable(
        f"The store {address!r} cannot be opened; check that its folder exists and may be "
        f"{'read' if read_only else 'written'}. DuckDB says: {reason}"
    )
