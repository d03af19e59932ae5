"""Values of records as JSON can hold them, so that every command writes them alike."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any


def to_document(value: Any) -> str:
    """A result as one JSON document, for programs."""
    return json.dumps(to_json(value), indent=2, ensure_ascii=False) + "\n"


def to_json(value: Any) -> Any:
    """A value as JSON can hold it, without losing what it says.

    Times are ISO 8601, durations seconds, decimals text, binary values base64, and numbers that are
    none are ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.

    Example:
        >>> to_json({"at": dt.date(2026, 1, 2), "data": b"a", "score": float("nan")})
        {'at': '2026-01-02', 'data': 'YQ==', 'score': 'NaN'}
    """
    match value:
        case dict():
            return {str(name): to_json(member) for name, member in value.items()}
        case list() | tuple():
            return [to_json(item) for item in value]
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case None | str() | bool() | int() | float():
            return value
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return value.total_seconds()
        case bytes():
            return base64.b64encode(value).decode()
        case Decimal():
            return format(value, "f")
    return str(value)


def to_text(value: Any) -> str:
    """A value as it is shown in a table, in one line."""
    if value is None:
        return ""
    plain = to_json(value)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return "".join(character if character.isprintable() else "·" for character in text)
