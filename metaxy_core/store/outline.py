"""What is explained about records is a tree of lines, the same in a terminal and as text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outline:
    """A line and the lines beneath it.

    Attributes:
        text: the line.
        style: how a terminal may colour it, such as ``yellow``; empty for not at all.
        children: what is beneath.
    """

    text: str
    style: str = ""
    children: tuple[Outline, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.text, *self._beneath()])

    def _beneath(self) -> Iterator[str]:
        for child in self.children:
            is_last = child is self.children[-1]
            yield ("└── " if is_last else "├── ") + child.text
            for line in child._beneath():  # noqa: SLF001 - another object of this class
                yield ("    " if is_last else "│   ") + line


@dataclass(frozen=True)
class Origin:
    """Where a stored row comes from.

    Attributes:
        commit: the commit that wrote it.
        created_at: when, in UTC.
        materialization_id: the run that did it, where it said so.
    """

    commit: int
    created_at: dt.datetime
    materialization_id: str | None = None

    def __str__(self) -> str:
        at = shown_time(self.created_at)
        by = f" by {self.materialization_id}" if self.materialization_id else ""
        return f"commit {self.commit} at {at} UTC{by}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "commit": self.commit,
            "created_at": self.created_at.isoformat(),
            "materialization_id": self.materialization_id,
        }


def shown_time(moment: dt.datetime) -> str:
    """A time as users see it, to the second.

    Example:
        >>> shown_time(dt.datetime(2026, 11, 21, 8, 30, tzinfo=dt.UTC))
        '2026-11-21 08:30:00'
    """
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def plain_id(record: Mapping[str, Any]) -> dict[str, Any]:
    """An id as plain values: what JSON has no type for is text."""
    return {n: v if isinstance(v, str | int) else str(v) for n, v in record.items()}


def hex_version(version: int | None) -> str | None:
    """A version as users see it: 16 hex digits.

    Example:
        >>> hex_version(3481232194675933584)
        '304fd23c98500190'
    """
    return None if version is None else f"{version:016x}"
