"""What a database refuses to open, in words that say what to do."""

from __future__ import annotations

from metaxy_core.errors import (
    NotAStore,
    ReadOnlyStore,
    StoreError,
    StoreLocked,
    StoreUnreachable,
)
from metaxy_core.errors.base import first_line

_FOREIGN = ("not a valid DuckDB database file", "file is not a database")
_NOT_WRITABLE = ("Permission denied", "Read-only", "readonly")
_FULL = ("No space left", "disk is full", "Disk quota")


def locked(engine: str, address: str, seconds: float, error: Exception) -> StoreLocked:
    """Others hold the database."""
    return StoreLocked(
        f"The store {address!r} was in use for {seconds:g} s. Wait for the process that holds it, "
        f"or raise lock_timeout. {engine} says: {first_line(error)}"
    )


def is_full(error: Exception) -> bool:
    """Whether the disk had no room left."""
    return any(sign in str(error) for sign in _FULL)


def full_disk(address: str, said: str) -> StoreUnreachable:
    """A change did not fit on the disk."""
    return StoreUnreachable(
        f"The disk of the store {address!r} is full; the change was not made. Make room, and run "
        f"it again. {said}"
    )


def refusal(engine: str, address: str, error: Exception, *, read_only: bool) -> StoreError:
    """A file cannot be opened, or not as was asked."""
    reason = first_line(error)
    if is_full(error):
        return full_disk(address, f"{engine} says: {reason}")
    if any(sign in reason for sign in _FOREIGN):
        return NotAStore(
            f"{address!r} is no {engine} database; give the path of a store, or of a file that "
            f"does not exist yet."
        )
    if not read_only and any(sign in reason for sign in _NOT_WRITABLE):
        return ReadOnlyStore(
            f"{address!r} cannot be written; open the store with read_only=True, or make the file "
            f"and its folder writable. {engine} says: {reason}"
        )
    return StoreUnreachable(
        f"The store {address!r} cannot be opened; check that its folder exists and may be "
        f"{'read' if read_only else 'written'}. {engine} says: {reason}"
    )
