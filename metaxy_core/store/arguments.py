"""Arguments that several calls take are checked alike."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from metaxy_core.engine.history import Moment
from metaxy_core.errors import InvalidWrite

_COMMIT: Final = re.compile(r"-?[0-9]{1,18}")
_SPAN: Final = re.compile(r"(\d{1,6})(s|m|h|d|w)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def checked_count(name: str, count: int | None) -> int | None:
    """A number of rows or attempts, or None.

    Args:
        name: what the argument is called.
        count: what was given.

    Raises:
        InvalidWrite: it is something else.
    """
    if count is not None and (type(count) is not int or count < 1):
        raise InvalidWrite.from_argument(name, count, "a whole number from 1, or None")
    return count


def checked_moment(moment: object) -> Moment | None:
    """A commit id, a time with its zone, or None.

    Raises:
        InvalidWrite: it is something else.
    """
    if isinstance(moment, dt.datetime) and moment.tzinfo is not None:
        return moment
    if moment is None or (isinstance(moment, int) and not isinstance(moment, bool)):
        return moment
    raise InvalidWrite.from_argument(
        "The moment", moment, "the id of a commit, or a datetime with its time zone"
    )


def kept_since(keep_history: object, now: dt.datetime) -> Moment | None:
    """The moment from which history is kept.

    Raises:
        InvalidWrite: it is no moment, and no span of time.
    """
    if not isinstance(keep_history, dt.timedelta):
        return checked_moment(keep_history)
    if keep_history < dt.timedelta(0):
        raise InvalidWrite.from_argument("keep_history", keep_history, "a span of time from 0 on")
    return now - keep_history


def typed_moment(text: str) -> int | dt.datetime:
    """A moment as it is typed: the id of a commit, or a time; UTC where it names no zone.

    Raises:
        ValueError: it is neither.
    """
    if _COMMIT.fullmatch(text):
        return int(text)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is neither the id of a commit nor a time such as 2026-11-21T08:30:00Z"
        ) from error
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment


def typed_span(text: str) -> dt.timedelta | int | dt.datetime:
    """A span of time such as ``90d``, or a moment.

    Raises:
        ValueError: it is neither.

    Example:
        >>> typed_span("90d").days
        90
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        return typed_moment(text)
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})
