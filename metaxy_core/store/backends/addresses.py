"""Where a database is, and how long to wait for it, checked before anything is opened."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Final

from metaxy_core.errors import InvalidSetting, StoreUnreachable
from metaxy_core.errors.base import shown
from metaxy_core.specs.names import is_storable

MEMORY: Final = ":memory:"

_LONGEST_WAIT: Final = 2**31 - 1
_SCHEME: Final = re.compile(r":memory:|[A-Za-z][A-Za-z0-9+.-]+:")


def checked_path(address: str) -> Path:
    """The file of an address, from the root, so that a database reads nothing else into its name.

    Raises:
        StoreUnreachable: the address names no file of this machine.
    """
    if scheme := _SCHEME.match(address):  # what follows may hold a password
        name = shown(address if address.startswith(MEMORY) else f"{scheme[0]}...")
        raise StoreUnreachable(
            f"The store {name} is no local file: give a path, such as 'metadata.duckdb', or "
            f"':memory:'. A path may begin with './', if this is the name of a file."
        )
    if not address or not is_storable(address):
        raise StoreUnreachable(f"The store {shown(address)} has no name that a file can have.")
    try:
        path = Path(address).absolute()
        path.exists()
    except (OSError, ValueError) as error:
        raise StoreUnreachable(
            f"The store {shown(address)} cannot be opened: give the path of a file "
            f"({shown(str(error))})."
        ) from error
    return path


def checked_name(address: str) -> str:
    """The name of a database in memory; empty where it has none, or the address is another one.

    Raises:
        StoreUnreachable: it is no name.
    """
    name = address.removeprefix(MEMORY) if address.startswith(MEMORY) else ""
    if name and (name != name.strip() or not is_storable(name)):
        raise StoreUnreachable(
            f"The store {shown(address)} has no proper name: give letters and digits, such as "
            f"':memory:shared'."
        )
    return name


def checked_timeout(seconds: Any) -> float:
    """Seconds to wait.

    Raises:
        InvalidSetting: it is no number from 0.
    """
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    try:
        value = float(seconds) if is_number else math.nan
    except OverflowError:
        value = math.nan
    if not value >= 0:
        raise InvalidSetting(f"lock_timeout is {shown(seconds)}; give seconds, a number from 0.")
    return value


def milliseconds(seconds: float) -> int:
    """Seconds to wait, as databases count them; for ever is as long as they can."""
    return round(min(seconds * 1_000, _LONGEST_WAIT))
