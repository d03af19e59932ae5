"""Filters of several sources hold together: of a slice, of an input, of a run."""

from __future__ import annotations


def all_of(*filters: str | None) -> str | None:
    """A filter that holds where all do; None where there is none.

    Example:
        >>> all_of("a = 1", None, "b = 2 OR c = 3")
        '(a = 1) AND (b = 2 OR c = 3)'
        >>> all_of("a = 1", None)
        'a = 1'
    """
    given = [each for each in filters if each is not None]
    if len(given) == 1:
        return given[0]
    return " AND ".join(f"({each})" for each in given) or None
