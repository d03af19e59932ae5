"""Names and texts that an author gives have to be ones that every store can keep."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from metaxy_core.errors import InvalidSpec


def is_storable(text: str) -> bool:
    r"""Whether a text can be kept: it has no NUL, and is Unicode without lone surrogates.

    Example:
        >>> is_storable("größe"), is_storable("a\0b")
        (True, False)
    """
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _stored_text(text: str) -> str:
    if not is_storable(text):
        raise InvalidSpec(
            f"{text[:100]!r} holds a NUL or half of a character, which no store keeps; remove it."
        )
    return text


def _column_name(name: str) -> str:
    if not name:
        raise InvalidSpec("A column has an empty name; give it one of at least one character.")
    return _stored_text(name)


StoredText = Annotated[str, AfterValidator(_stored_text)]
ColumnName = Annotated[str, AfterValidator(_column_name)]
