"""Moments of a store's past, as they are typed."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

import typer

_COMMIT: Final = re.compile(r"-?[0-9]{1,18}")
_SPAN: Final = re.compile(r"(\d{1,6})(s|m|h|d|w)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def to_moment(text: str, option: str) -> int | dt.datetime:
    """The id of a commit, or a time; UTC where it names no zone.

    Args:
        text: what was typed.
        option: the option it was given to, for the message.
    """
    if _COMMIT.fullmatch(text):
        return int(text)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is neither the id of a commit nor a time such as 2026-11-21T08:30:00Z",
            param_hint=option,
        ) from error
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment


def to_span(text: str, option: str) -> dt.timedelta | int | dt.datetime:
    """A span of time such as ``90d``, or a moment."""
    found = _SPAN.fullmatch(text)
    if found is None:
        return to_moment(text, option)
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})
