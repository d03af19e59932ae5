"""The two roots of the tree, with the words that messages share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class MetaxyError(Exception):
    """Base of every error raised on purpose by this project."""


class TransientError(MetaxyError):
    """A condition that may pass by itself; the same call may be made again."""


def first_line(error: Exception) -> str:
    """What an error says, without a query and hints below it."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def listing(values: Iterable[object], limit: int = 5) -> str:
    """The first few values, and how many more there are."""
    shown = [str(value) for value in values]
    more = f" and {len(shown) - limit} more" if len(shown) > limit else ""
    return ", ".join(shown[:limit]) + more


def shown(value: object, limit: int = 200) -> str:
    """A value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def nearest(value: object, known: Sequence[object]) -> str:
    """What was probably meant, or else what there is."""
    names = [str(name) for name in known]
    close = get_close_matches(str(value), names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {listing(sorted(names), 10)}." if names else "there is none yet."
