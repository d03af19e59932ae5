"""Inputs that cannot be loaded as asked, and outputs for another store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from metaxy_core.errors import DataError, StoreError
from metaxy_dagster.errors.assets import AssetError


class UnsupportedInput(DataError):
    """An input annotated with a type that cannot be loaded."""

    @classmethod
    def from_annotation(cls, name: str, annotation: object, known: Sequence[str]) -> Self:
        """The IO manager has no way to that type."""
        return cls(
            f"Input {name!r} is annotated with {annotation!r}, which cannot be loaded from a "
            f"feature; annotate it with one of {', '.join(known)}."
        )

    @classmethod
    def from_batches(cls, annotation: object, known: Sequence[str]) -> Self:
        """Batches of that type cannot be made."""
        return cls(
            f"An input cannot come in batches of {annotation!r}; name one of {', '.join(known)}."
        )


class InvalidInput(AssetError):
    """Metadata of an input that does not say what to load."""

    @classmethod
    def from_value(cls, name: str, key: str, value: object, wanted: str) -> Self:
        """A value of another kind than what loading needs."""
        return cls(
            f"Input {name!r} has metadata={{{key!r}: {value!r}}}, which is not {wanted}; correct "
            f"it, or leave it out to load everything."
        )

    @classmethod
    def from_name(cls, name: str, key: str, meant: str) -> Self:
        """A name that nothing reads, much like one that is read."""
        return cls(
            f"Input {name!r} has metadata {key!r}, which nothing reads; write {meant!r}, or "
            f"another name if it is not about loading."
        )


class StoreMismatch(StoreError):
    """An increment of one store that would be written to another."""

    @classmethod
    def from_addresses(cls, feature: object, resolved: str, written: str) -> Self:
        """The two resources point at different places."""
        return cls(
            f"The increment of '{feature}' comes from the store {resolved!r}, but the IO manager "
            f"writes to {written!r}. Give MetaxyIOManager(store=...) the same MetaxyStoreResource "
            f"that stands under the asset's store_key; nothing was written."
        )
