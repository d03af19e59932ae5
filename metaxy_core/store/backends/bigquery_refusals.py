"""What BigQuery refuses, in words that say what to do."""

from __future__ import annotations

import re
from typing import Final

from metaxy_core.errors import ReadOnlyStore, StoreError, StoreUnreachable, ValueOutOfRange
from metaxy_core.errors.base import first_line

ENGINE: Final = "BigQuery"

_OUT_OF_RANGE: Final = re.compile(r"overflow|out of range|Bad int64 value", re.IGNORECASE)
_WRITING: Final = re.compile(r"permission bigquery\.\w+\.(create|update|delete)", re.IGNORECASE)
_TOO_MUCH: Final = "limit for bytes billed"


def said(error: Exception) -> str:
    """What the service says, without the address of the request."""
    cause = getattr(error, "cause", None) or error  # of an attempt that was repeated in vain
    return first_line(Exception(getattr(cause, "message", None) or str(cause)))


def refusal(error: Exception, address: str) -> Exception:
    """An error of the client library as one of ours, or itself.

    Args:
        error: what was raised.
        address: of the store.
    """
    from google.api_core.exceptions import BadRequest, GoogleAPIError, NotFound
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    text = said(error)
    if isinstance(error, GoogleAPIError) and _TOO_MUCH in text:
        return StoreError(
            f"A query on {address!r} would read too much; narrow it, or raise "
            f"maximum_bytes_billed. {ENGINE} says: {text}"
        )
    if isinstance(error, BadRequest):
        return ValueOutOfRange.from_reason(text) if _OUT_OF_RANGE.search(text) else error
    if isinstance(error, GoogleAPIError) and _WRITING.search(text):
        return ReadOnlyStore(
            f"{address!r} cannot be written; open the store with read_only=True, or ask for the "
            f"right. {ENGINE} says: {text}"
        )
    if isinstance(error, NotFound):
        return StoreUnreachable(
            f"Something of {address!r} is gone; what an increment keeps expires after two days, "
            f"and what was replaced after one. Try again. {ENGINE} says: {text}"
        )
    if isinstance(error, GoogleAPIError | GoogleAuthError | RequestException):
        return StoreUnreachable(
            f"The store {address!r} cannot be reached; check the project, the network and the "
            f"user's rights. {ENGINE} says: {text}"
        )
    return error
