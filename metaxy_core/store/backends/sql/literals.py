"""Texts in filters that stand for dates and times."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from metaxy_core.errors import InvalidFilter

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import sqlglot.expressions as sge

_MICROSECOND: Final = timedelta(microseconds=1)


def value_of(text: str, kind: dt.DataType) -> date | datetime | time:
    """The date or time of a type that a text stands for.

    Raises:
        InvalidFilter: it stands for none.
    """
    try:
        if kind.is_time():
            return _time(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _unread(text, str(kind)) from None
    if kind.is_date():
        if moment != datetime.combine(moment.date(), time.min):
            raise _unread(text, str(kind))
        return moment.date()
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(tzinfo=UTC) if kind.timezone else moment


def counted_times(node: sge.Expression) -> sge.Expression:
    """A text that stands for a time of day is the number of its microseconds, as columns are."""
    import sqlglot.expressions as sge

    text = node.this if isinstance(node, sge.Cast) else None
    if not isinstance(text, sge.Literal) or not text.is_string:
        return node
    if not node.args["to"].is_type(sge.DataType.Type.TIME):
        return node
    try:
        found = datetime.combine(date.min, _time(text.name)) - datetime.min  # noqa: DTZ901
    except ValueError:
        raise _unread(text.name, "time") from None
    return sge.Literal.number(found // _MICROSECOND)


def _time(text: str) -> time:
    found = time.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError("a time of day has no zone")
    return found


def _unread(text: str, kind: str) -> InvalidFilter:
    return InvalidFilter(
        f"{text!r} is compared with a column of type {kind}, and is no such value; write it as in "
        f"'2026-01-31', '2026-01-31 12:30:00' or '12:30:00'."
    )
