"""Arguments that several calls take are checked alike."""

from __future__ import annotations

import datetime as dt

from metaxy_core.engine.history import Moment
from metaxy_core.errors import InvalidWrite


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
