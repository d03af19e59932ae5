"""What an input wants of a feature stands in its metadata, and is checked before any reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final, Self

from metaxy_core.specs.filter import parse_filter
from metaxy_dagster.errors import InvalidInput
from metaxy_dagster.feature_name import plain_value
from metaxy_dagster.filtering import all_of

COLUMNS: Final = "columns"
FILTERS: Final = "filters"
BATCH_SIZE: Final = "batch_size"
_KNOWN: Final = (COLUMNS, FILTERS, BATCH_SIZE)
_ALIKE: Final = 0.75
DEFAULT_BATCH_SIZE: Final = 10_000


@dataclass(frozen=True)
class InputSelection:
    """Which part of a feature's records an input gets.

    Attributes:
        columns: the columns wanted; None means all.
        filters: SQL text over the records' columns.
        batch_size: rows at most in each batch, where it comes in batches.

    Example:
        >>> InputSelection.from_metadata("clips", {"columns": ["path"]}).columns
        ('path',)
    """

    columns: tuple[str, ...] | None = None
    filters: str | None = None
    batch_size: int = DEFAULT_BATCH_SIZE

    @classmethod
    def from_metadata(cls, name: str, metadata: Mapping[str, Any]) -> Self:
        """Read an input's metadata.

        Args:
            name: the input's name, for messages.
            metadata: ``columns``, ``filters`` and ``batch_size``; whatever else is there is not
                about loading.

        Raises:
            InvalidInput: one of them holds what it cannot, or is misspelt.
            InvalidFilter: the filter does not parse.
        """
        _check_spelling(name, metadata)
        columns, filters = plain_value(metadata, COLUMNS), plain_value(metadata, FILTERS)
        if columns is not None and not _are_names(columns):
            raise InvalidInput.from_value(name, COLUMNS, columns, "a list of column names")
        if filters is not None:
            if not isinstance(filters, str):
                raise InvalidInput.from_value(name, FILTERS, filters, "SQL text")
            parse_filter(filters)
        size = plain_value(metadata, BATCH_SIZE)
        size = DEFAULT_BATCH_SIZE if size is None else size
        if type(size) is not int or size < 1:
            raise InvalidInput.from_value(name, BATCH_SIZE, size, "a whole number of rows from 1")
        return cls(None if columns is None else tuple(columns), filters, size)

    def within(self, filters: str | None) -> Self:
        """The same of fewer records: those for which a further filter holds."""
        return replace(self, filters=all_of(self.filters, filters))


def _are_names(value: Any) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return is_list and bool(value) and all(isinstance(item, str) for item in value)


def _check_spelling(name: str, metadata: Mapping[str, Any]) -> None:
    for key in metadata:
        meant = get_close_matches(key, _KNOWN, n=1, cutoff=_ALIKE)
        if meant and key not in _KNOWN:
            raise InvalidInput.from_name(name, key, meant[0])
