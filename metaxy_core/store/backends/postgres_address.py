"""Where a PostgreSQL database is: with the password for the driver, without it for everybody."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

from metaxy_core.errors import InvalidSetting
from metaxy_core.errors.base import shown

_URI: Final = re.compile(r"postgres(ql)?://")
_HOST: Final = re.compile(r"([^:\[\]]*|\[[0-9A-Fa-f:.%]+\])(?::(\d*))?")
_PAIR: Final = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S*))")
_SECRETS: Final = ("password", "passfile", "sslpassword", "sslkey")
_VARIABLES: Final = {"dbname": "database"}
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
    secrets = tuple(known[name] for name in _SECRETS if known.get(name))
    return ConnectionText(
        f"postgresql:///?{urlencode(known, quote_via=quote)}", _shown(known), secrets
    )


def _shown(known: Mapping[str, str]) -> str:
    """Hosts, ports and database, and the service that may say the rest."""

    def said(name: str) -> str:
        return known.get(name) or os.environ.get(f"PG{_VARIABLES.get(name, name).upper()}", "")

    hosts = (said("host") or said("hostaddr")).split(",")
    ports = said("port").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    places = [f"[{host}]" if ":" in host else host for host in hosts]
    told = ",".join(
        f"{place}:{port}" if port else place
        for place, port in zip_longest(places, ports, fillvalue="")
    )
    service = f" service {said('service')}" if said("service") else ""
    return f"postgresql://{told}/{said('dbname')}{service}"


def _of_uri(dsn: str) -> dict[str, str]:
    """What libpq reads in a URI: what stands before the first ``@`` or ``/`` says who connects."""
    rest = dsn.split("://", 1)[1]
    who, at, after = rest.partition("@")
    if not at or "/" in who:
        who, after = "", rest
    if "@" in after:  # of a password, perhaps
        raise InvalidSetting(f"{_REFUSED} {_CODED}")
    place, _, query = after.partition("?")
    hosts, _, database = place.partition("/")
    user, _, password = who.partition(":")
    split = [_HOST.fullmatch(each) for each in hosts.split(",")]
    pairs = [each.partition("=") for each in query.split("&") if each]
    if None in split or not all(equals for _, equals, _ in pairs):
        raise InvalidSetting(f"{_REFUSED} {_CODED}")
    names = [found[1].strip("[]") for found in split if found]
    ports = [found[2] or "" for found in split if found]
    known = {
        "user": user,
        "password": password,
        "host": ",".join(names) if any(names) else "",
        "port": ",".join(ports) if any(ports) else "",
        "dbname": database,
        **{name: value for name, _, value in pairs},
    }
    return {unquote(name): unquote(value) for name, value in known.items() if value}


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
_CODED: Final = (
    "In a URI, the characters '@', '/', ':', '?', '&' and '%' of a name or a password are written "
    "as '%40', '%2F', '%3A', '%3F', '%26' and '%25'."
)
