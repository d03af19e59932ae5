"""What can be wrong with a store as a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from metaxy_core.errors.base import MetaxyError, TransientError, listing


class StoreError(MetaxyError):
    """A store that cannot be opened or used as asked."""


class StoreLocked(StoreError, TransientError):
    """Another process holds the store longer than we were told to wait."""


class WriteOvertaken(StoreError, TransientError):
    """A change was not made, since another writer took this one for gone."""

    @classmethod
    def from_address(cls, address: str) -> Self:
        return cls(
            f"The change of {address!r} was not made: this process gave no sign of life for too "
            f"long, and another writer took over. Run it again."
        )


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


class UnknownBatch(StoreError):
    """A batch that a plan does not hold, or holds no more."""

    @classmethod
    def from_known(cls, feature: object, plan: str, batch: str, known: Sequence[str]) -> Self:
        """The plan has others, or none."""
        there = listing(known) if known else "none"
        return cls(
            f"Plan {plan!r} of '{feature}' has no batch {batch!r}; there is {there}. It was "
            f"forgotten, or planned in another store: plan its records again."
        )
