"""Where a PostgreSQL database is: with the password for the driver, without it for everybody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from metaxy_core.errors import InvalidSetting
from metaxy_core.errors.base import shown

_URI: Final = re.compile(r"postgres(ql)?://")
_PAIR: Final = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S*))")
_SECRETS: Final = ("password", "passfile", "sslpassword", "sslkey")
_ENCODING: Final = "client_encoding"
_UTF8: Final = ("UTF8", "UNICODE", "AUTO")
UTF8: Final = "UTF8"


@dataclass(frozen=True)
class ConnectionText:
    """How to connect.

    Attributes:
        secret: the whole, for the driver.
        shown: host, port and database, for messages.
    """

    secret: str = field(repr=False)
    shown: str
    _secrets: tuple[str, ...] = field(repr=False, default=())

    def without_secret(self, text: str) -> str:
        """A message of the driver in which no password stands."""
        for secret in sorted({self.secret, *self._secrets}, key=len, reverse=True):
            text = text.replace(secret, "...") if secret else text
        return text


def connection_text(dsn: str, parameters: Mapping[str, Any]) -> ConnectionText:
    """A connection URI with further parameters.

    Args:
        dsn: a URI, or ``key=value`` pairs; empty for what libpq's variables say.
        parameters: what is added.

    Raises:
        InvalidSetting: it is neither of the two, or it asks for another encoding than UTF-8.
    """
    given = _of_uri(dsn) if _URI.match(dsn) else _of_pairs(dsn)
    known = {**given, **{name: str(value) for name, value in parameters.items()}}
    asked = known.pop(_ENCODING, UTF8)
    if asked.upper().replace("-", "") not in _UTF8:
        raise InvalidSetting(
            f"A PostgreSQL store sends text as UTF-8, so that its versions are those of every "
            f"store; it cannot have the client_encoding {shown(asked)}. Leave it out."
        )
    known[_ENCODING] = UTF8  # else it is what PGCLIENTENCODING or the role says
    host, port = known.get("host", ""), known.get("port", "")
    place = f"{host}:{port}" if port else host
    secrets = tuple(known[name] for name in _SECRETS if known.get(name))
    address = f"postgresql://{place}/{known.get('dbname', '')}"
    return ConnectionText(f"postgresql:///?{urlencode(known, quote_via=quote)}", address, secrets)


def _of_uri(dsn: str) -> dict[str, str]:
    try:
        parts = urlsplit(dsn)
        found = {
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "host": unquote(parts.hostname or ""),
            "port": str(parts.port or ""),
            "dbname": unquote(parts.path.lstrip("/")),
            **dict(parse_qsl(parts.query)),
        }
    except ValueError:
        raise InvalidSetting(_REFUSED) from None  # the text may hold a password
    return {name: value for name, value in found.items() if value}


def _of_pairs(dsn: str) -> dict[str, str]:
    found, at = {}, 0
    while at < len(dsn.rstrip()):
        pair = _PAIR.match(dsn, at)
        if pair is None:
            raise InvalidSetting(_REFUSED)
        name, in_quotes, plain = pair.groups()
        found[name] = plain if in_quotes is None else re.sub(r"\\(.)", r"\1", in_quotes)
        at = pair.end()
    return found


_REFUSED: Final = (
    "The dsn of a PostgreSQL store is no connection URI, such as "
    "'postgresql://user@host:5432/database', and no list such as 'host=... dbname=...'."
)
