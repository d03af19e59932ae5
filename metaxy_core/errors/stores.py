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


class CopyRefused(StoreError):
    """Records of another store that cannot stand beside what a store has."""

    @classmethod
    def from_others(cls, feature: object, address: str, commits: int, *, copied: int) -> Self:
        since = f" beside the {copied} that were copied" if copied else ""
        return cls(
            f"The store {address!r} has {commits} commit(s) of '{feature}' of its own{since}, and "
            f"histories cannot be joined. Copy to another store, or leave '{feature}' out."
        )

    @classmethod
    def from_another_source(cls, feature: object, address: str, known: str, source: str) -> Self:
        return cls(
            f"The store {address!r} has records of '{feature}' that were copied from {known!r}, "
            f"and {source!r} does not have those commits. Go on from the store that they came "
            f"from, or copy to another store."
        )

    @classmethod
    def from_mode(cls, feature: object, address: str, mode: str) -> Self:
        began = "only the latest rows" if mode == "latest" else "the whole history"
        how = "with --latest (history=False)" if mode == "latest" else "without --latest"
        return cls(
            f"The store {address!r} has {began} of '{feature}'. Go on {how}, or copy to another "
            f"store."
        )

    @classmethod
    def from_hashes(
        cls, source: str, found: str, address: str, other: str, available: Sequence[str]
    ) -> Self:
        way = (
            f"Copy to a new store that is opened with hash={found!r}"
            if found in available
            else f"Copy to another kind of store, which has {found}"
        )
        return cls(
            f"The store {source!r} has {found} versions, and {address!r} has {other}. Versions of "
            f"two algorithms cannot be compared. {way}."
        )

    @classmethod
    def from_itself(cls, address: str) -> Self:
        return cls(f"The store {address!r} cannot be copied to itself; name two stores.")


class CopyOvertaken(StoreError, TransientError):
    """A copy that stopped, since somebody else changed the same features of the target."""

    @classmethod
    def from_feature(cls, feature: object, address: str) -> Self:
        return cls(
            f"Somebody else changed '{feature}' in {address!r} while it was copied. What was "
            f"copied up to then is complete. Run it again, and let nobody else write meanwhile."
        )


class StoreClosed(StoreError):
    """The store was closed before a result was fetched."""


class StoreUnreachable(StoreError):
    """The store cannot be opened at its address."""


class SessionLost(StoreUnreachable, TransientError):
    """The server ended the session before anything was changed; the next call begins another."""

    @classmethod
    def from_address(cls, address: str, said: str) -> Self:
        return cls(
            f"The session with the store {address!r} was lost, and nothing was changed ({said}). "
            f"Run it again."
        )


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
