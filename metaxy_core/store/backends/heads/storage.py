"""Where heads are kept: any place in which a number is taken once, and never by two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Entry:
    """A head as it is listed.

    Attributes:
        number: its place in the log.
        tag: what tells it from another one in the same place; None where that is not known.
    """

    number: int
    tag: str | None


class HeadStorage(Protocol):
    """A place for heads, each a text under a number."""

    def put(self, number: int, text: str) -> Entry | None:
        """Write a head down where none stands yet, at once or not at all; None where one does."""

    def get(self, number: int) -> str | None:
        """A head; None where it is gone."""

    def after(self, number: int) -> list[Entry]:
        """The heads beyond a number, in no particular order."""

    def delete(self, number: int) -> None:
        """Remove a head; nothing happens where it is gone."""
