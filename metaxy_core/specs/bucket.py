"""Records fall into a fixed number of buckets by their ids, the same ones for ever."""

from __future__ import annotations

from dataclasses import dataclass

from metaxy_core.errors import InvalidSpec


@dataclass(frozen=True)
class Bucket:
    """One of several buckets of a feature's records.

    The hash of a record's id says which one it falls into. It is the store's hash of one text, so
    that a record stays in its bucket whatever becomes of its other columns, in every release.

    Attributes:
        number: which one, from 0.
        of: how many there are.

    Raises:
        InvalidSpec: there is no such bucket.

    Example:
        >>> Bucket(3, of=16)
        Bucket(number=3, of=16)
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if type(self.of) is not int or self.of < 1:
            raise InvalidSpec(f"Bucket(of={self.of!r}): give a whole number of buckets from 1.")
        if type(self.number) is not int or not 0 <= self.number < self.of:
            raise InvalidSpec(
                f"Bucket({self.number!r}, of={self.of}): give a whole number from 0 to "
                f"{self.of - 1}."
            )
