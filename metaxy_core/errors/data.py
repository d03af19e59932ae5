"""What can be wrong with a frame, or with the arguments of a call on a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from metaxy_core.errors.base import MetaxyError, listing


class DataError(MetaxyError):
    """A frame that cannot be written or compared; the store is unchanged."""


class DuplicateIds(DataError):
    """One id twice in one frame."""

    @classmethod
    def from_ids(cls, feature: object, what: str, ids: Sequence[object], total: int) -> Self:
        return cls(
            f"{what} for '{feature}' has {total} id(s) more than once: {listing(ids)}. "
            f"Keep one row per id; nothing was written."
        )

    @classmethod
    def from_other_parents(cls, feature: object, ids: Sequence[object], total: int) -> Self:
        return cls(
            f"{total} record(s) of the frame for '{feature}' belong to parents that this write "
            f"does not cover: {listing(ids)} (id and parent). Give each parent's children ids of "
            f"their own, delete orphaned ones first, or write both parents together; nothing was "
            f"written."
        )


class NullId(DataError):
    """An id column with NULL."""

    @classmethod
    def from_rows(cls, feature: object, column: str, rows: Sequence[int], total: int) -> Self:
        return cls(
            f"Id column {column!r} of '{feature}' is NULL in {total} row(s), first at row "
            f"{listing(rows)}. Drop these rows or give them an id; nothing was written."
        )


class NullValue(DataError):
    """NULL where a value is required."""

    @classmethod
    def from_ids(
        cls, feature: object, what: str, ids: Sequence[object], total: int, fix: str
    ) -> Self:
        return cls(
            f"{what} of '{feature}' is NULL for {total} record(s): {listing(ids)}. "
            f"{fix}; nothing was written."
        )


class MissingColumn(DataError):
    """A frame without a column it must have."""

    @classmethod
    def from_available(
        cls, feature: object, column: str, why: str, available: Sequence[str]
    ) -> Self:
        return cls(
            f"The frame for '{feature}' has no column {column!r} ({why}); it has "
            f"{listing(available, 12) or 'no columns'}. Add the column; nothing was written."
        )


class UnexpectedColumn(DataError):
    """A frame with a column that the feature does not accept."""


class WrongColumnType(DataError):
    """A column whose type is not the declared or stored one."""

    @classmethod
    def from_types(
        cls, feature: object, column: str, found: object, expected: object, detail: str = ""
    ) -> Self:
        because = f" ({detail})" if detail else ""
        return cls(
            f"Column {column!r} of '{feature}' is {found}, expected {expected}{because}. "
            f"Cast it before the call; nothing was written."
        )


class MissingProvenance(DataError):
    """A frame that does not say from which versions its rows were computed."""


class ForeignProvenance(DataError):
    """Provenance that was not computed for this feature, or was altered."""


class InvalidSamples(DataError):
    """Samples given to a feature that takes none, or missing where they are needed."""


class InvalidWrite(DataError):
    """Arguments of a call on the store that contradict each other or are of the wrong kind."""

    @classmethod
    def from_argument(cls, name: str, value: object, expected: str) -> Self:
        return cls(f"{name} is {value!r}; give {expected}. Nothing was done.")


class InvalidId(DataError):
    """An id that no record of the feature can have: another shape, or another type."""


class UnknownRecord(DataError):
    """A record that the store does not hold."""


class ValueOutOfRange(DataError):
    """A calculation whose result the database cannot hold."""

    @classmethod
    def from_reason(cls, reason: str) -> Self:
        return cls(
            f"A value does not fit its type: {reason}. Correct the numbers in the filter or the "
            f"frame; nothing was done."
        )


class UnsupportedFrame(DataError):
    """An object that is no data frame."""

    @classmethod
    def from_object(cls, feature: object, frame: object) -> Self:
        return cls(
            f"{type(frame).__module__}.{type(frame).__qualname__} for '{feature}' is no data "
            f"frame; give a Polars, pandas, PyArrow or Ibis table or a DuckDB relation."
        )
