"""Shares of a feature that cannot be told from the rest, and rows of another's share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from metaxy_core.errors import DataError
from metaxy_dagster.errors.assets import AssetError


class InvalidWhere(AssetError):
    """An asset's share of a feature that cannot be told from the rest."""

    @classmethod
    def from_value(cls, asset: str, where: object) -> Self:
        """Not columns with plain values."""
        return cls(
            f"Asset {asset!r} has where={where!r}; give columns with the one value that its "
            f"records have there, each text, a whole number, or true or false: "
            f"where={{'camera': 'left'}}."
        )

    @classmethod
    def from_column(cls, asset: str, column: str, reason: str) -> Self:
        """The column does not tell the asset's records from others."""
        return cls(
            f"Asset {asset!r} has where={{{column!r}: ...}}, but {reason}. Name an id column, or "
            f"let the feature declare {column!r} and carry it: FeatureDep(..., "
            f"columns=[{column!r}])."
        )


class InvalidPartitionExpr(AssetError):
    """A ``partition_expr`` that does not say which records belong to a partition."""

    @classmethod
    def from_value(cls, asset: str, value: object, wanted: str) -> Self:
        """It does not fit the partitions."""
        return cls(
            f"The asset of '{asset}' has metadata={{'partition_expr': {value!r}}}, but its "
            f"partitions need {wanted}."
        )

    @classmethod
    def from_key(cls, asset: str, column: str, key: str) -> Self:
        """A partition's key is no value of the column."""
        return cls(
            f"The asset of '{asset}' is partitioned by its column {column!r}, a whole number, and "
            f"{key!r} is none. Name partitions by its values, or give partition_expr another "
            f"column."
        )


class OutsideOfSlice(DataError):
    """Rows that are not the asset's or the partition's to write."""

    @classmethod
    def from_rows(cls, feature: object, filters: str, rows: Sequence[object]) -> Self:
        """Rows of other slices."""
        return cls(
            f"{len(rows)} row(s) for '{feature}' are not in the slice {filters} that this asset or "
            f"partition writes, such as {rows[0]}. Compute records of the increment only, and "
            f"leave that column as it came; the frame was not written."
        )

    @classmethod
    def from_missing(cls, feature: object, filters: str, column: str) -> Self:
        """A column that decides is not there."""
        return cls(
            f"A frame for '{feature}' has no column {column!r}, which tells whether its rows are "
            f"in the slice {filters}; add it. The frame was not written."
        )

    @classmethod
    def from_type(cls, feature: object, condition: str, column: str, kind: object) -> Self:
        """A column of a type that the slice's values are not of."""
        return cls(
            f"Column {column!r} of a frame for '{feature}' is {kind}, which cannot be compared in "
            f"{condition}; give that column the values that the slice names. The frame was not "
            f"written."
        )
