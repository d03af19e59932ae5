"""What can be wrong with a store as a place."""

from __future__ import annotations

from typing import Self

from metaxy_core.errors.base import MetaxyError, TransientError


class StoreError(MetaxyError):
    """A store that cannot be opened or used as asked."""


class StoreLocked(StoreError, TransientError):
    """Another process holds the store longer than we were told to wait."""


class StoreClosed(StoreError):
    """The store was closed before a result was fetched."""


class StoreUnreachable(StoreError):
    """The store cannot be opened at its address."""


class NotAStore(StoreError):
    """What stands at the address is something else."""


class StoreFormatMismatch(StoreError):
    """The store was made by another, incompatible format."""


class InvalidFallback(StoreError):
    """A store that cannot stand under another."""

    @classmethod
    def from_itself(cls, address: str) -> Self:
        return cls(
            f"The store {address!r} has itself as a fallback, or one fallback twice; name each "
            f"store once."
        )


class ReadOnlyStore(StoreError):
    """A write to a store opened for reading."""


class UnknownSnapshot(StoreError):
    """A snapshot that the store does not hold."""
