"""A mistake in a text is shown where it stands: the line, and a mark under the place."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_INDENT: Final = "    "
_BEFORE, _AFTER = 40, 60
_PLACE: Final = re.compile(r"\n {4}[^\n]*\n {4,}\^~*\Z")


def pointed(text: str, start: int, end: int) -> str:
    """The line of a text in which a place begins, and below it ``^~~`` under the place.

    Args:
        text: the whole text, of one or several lines.
        start: index of the first character of the place; the length of the text is its end.
        end: index of its last character.

    Example:
        >>> print(pointed("size = lower(1)", 7, 11))
            size = lower(1)
                   ^~~~~
    """
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    last = len(text) if last < 0 else last
    cut, rest = max(first, start - _BEFORE), min(last, start + _AFTER)
    lead = ("…" if cut > first else "") + _visible(text[cut:start])
    line = lead + _visible(text[start:rest]) + ("…" if rest < last else "")
    marked = _width(_visible(text[start : min(end + 1, rest)]))
    return f"{_INDENT}{line}\n{_INDENT}{' ' * _width(lead)}^{'~' * (marked - 1)}"


def without_place(message: str) -> tuple[str, str]:
    """A message in two: what it says, and the place that it points at, which may be empty."""
    found = _PLACE.search(message)
    return (message[: found.start()], found[0]) if found else (message, "")


def _visible(text: str) -> str:
    """The text with a dot for each character that shows nothing, or turns what stands around it."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    return character if character.isprintable() and _width(character) else "·"


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
