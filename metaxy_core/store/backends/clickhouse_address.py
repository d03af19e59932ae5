"""Where a ClickHouse database is: with the password for the driver, without it for everybody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from metaxy_core.errors import InvalidSetting
from metaxy_core.store.backends.addresses import checked_path

_SERVER: Final = re.compile(r"(clickhouse|clickhouses|https?)://")
_IN_PROCESS: Final = "chdb:"
_WITH_TLS: Final = ("clickhouses", "https")
_SECRETS: Final = ("password", "access_token", "client_cert_key", "http_proxy", "https_proxy")


@dataclass(frozen=True)
class ClickHouseAddress:
    """How to connect.

    Attributes:
        arguments: of the driver, with secrets.
        shown: host and port, or the folder, for messages.
        database: the database that the address names; None where it names none.
        folder: of the engine in process; None for a server.
    """

    arguments: Mapping[str, Any] = field(repr=False)
    shown: str
    database: str | None
    folder: Path | None = None

    def without_secret(self, text: str) -> str:
        """A message of the driver in which no password stands."""
        secrets = {str(self.arguments[name]) for name in _SECRETS if self.arguments.get(name)}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "...")
        return text


def clickhouse_address(dsn: str, parameters: Mapping[str, Any]) -> ClickHouseAddress:
    """What an address says.

    Args:
        dsn: ``clickhouse://user:password@host:port/database?secure=true``, or ``chdb:folder``.
        parameters: further arguments of the driver.

    Raises:
        InvalidSetting: it is neither of the two.
    """
    if dsn.startswith(_IN_PROCESS):
        return _of_folder(dsn.removeprefix(_IN_PROCESS), parameters)
    if not _SERVER.match(dsn):
        raise InvalidSetting(_REFUSED)
    try:
        parts = urlsplit(dsn)
        if parts.fragment or "@" in parts.path:  # of a password, perhaps
            raise InvalidSetting(f"{_REFUSED} {_CODED}")
        found = {
            "host": parts.hostname,
            "port": parts.port,
            "username": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "secure": parts.scheme in _WITH_TLS,
            **dict(parse_qsl(parts.query)),
            **parameters,
        }
    except ValueError:
        raise InvalidSetting(_REFUSED) from None  # the text may hold a password
    if not found["host"]:
        raise InvalidSetting(_REFUSED)
    arguments = {name: value for name, value in found.items() if value not in {"", None}}
    place = f"{found['host']}:{found['port']}" if found["port"] else str(found["host"])
    database = arguments.pop("database", None) or unquote(parts.path.strip("/")) or None
    return ClickHouseAddress(arguments, f"clickhouse://{place}", database)


def _of_folder(text: str, parameters: Mapping[str, Any]) -> ClickHouseAddress:
    name, _, query = text.partition("?")
    folder = checked_path(name.removeprefix("//"))
    arguments = {"interface": "chdb", "path": str(folder), **dict(parse_qsl(query)), **parameters}
    database = arguments.pop("database", None)
    return ClickHouseAddress(arguments, f"chdb:{folder}", database, folder)


_CODED: Final = (
    "In it, the characters '@', '/', ':', '?', '#' and '%' of a name or a password are written as "
    "'%40', '%2F', '%3A', '%3F', '%23' and '%25'."
)
_REFUSED: Final = (
    "The dsn of a ClickHouse store is no address such as "
    "'clickhouse://user@host:8443/database?secure=true', and no folder such as 'chdb:metadata'."
)
