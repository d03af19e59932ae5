"""Moments of a store's past, as they are typed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TypeVar

import typer

from metaxy_core.store.arguments import typed_moment, typed_span

T = TypeVar("T")


def to_moment(text: str, option: str) -> int | dt.datetime:
    """The id of a commit, or a time; UTC where it names no zone.

    Args:
        text: what was typed.
        option: the option it was given to, for the message.
    """
    return _parsed(typed_moment, text, option)


def to_span(text: str, option: str) -> dt.timedelta | int | dt.datetime:
    """A span of time such as ``90d``, or a moment."""
    return _parsed(typed_span, text, option)


def _parsed(parse: Callable[[str], T], text: str, option: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
