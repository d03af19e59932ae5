"""Stores between metaxy.toml and code that describes one itself, such as a resource of Dagster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from metaxy_core.config.environment import from_environment
from metaxy_core.config.store_types import STORE_TYPES
from metaxy_core.config.stores import StoreConfig
from metaxy_core.errors import InvalidSetting
from metaxy_core.errors.base import shown

_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")
_SECRET: Final = re.compile(r"secret|password|passwd|token|credential|_key$", re.IGNORECASE)
_PASSWORD: Final = re.compile(
    r"://[^/@]*:(?!\$\{)[^/@]+@|\bpassword\s*=\s*(?!\s*'?\$\{)\S", re.IGNORECASE
)


def store_of_type(name: str, place: str, setting: str, **settings: Any) -> StoreConfig:
    """A store as code describes it, whatever its type calls the place.

    Args:
        name: the type.
        place: its ``path`` or ``dsn``, or what else says where a store of the type is.
        setting: who describes it, for messages.
        settings: everything else, as in metaxy.toml.

    Raises:
        InvalidSetting: there is no such type, or it has other settings.
    """
    kind = STORE_TYPES.get(name)
    if kind is None:
        raise InvalidSetting(
            f"{setting} has type={shown(name)}; give one of {', '.join(STORE_TYPES)}."
        )
    try:
        return StoreConfig.model_validate({"type": name, kind.place: place, **settings})
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        what = ".".join(map(str, problem["loc"]))
        reason = problem["msg"].removeprefix("Value error, ")
        raise InvalidSetting(
            f"{setting} of type {name!r} cannot be used: {f'{what}: ' if what else ''}{reason}."
        ) from None  # what pydantic says may hold a secret


def written_secret(store: StoreConfig) -> str | None:
    """The name of a setting in which a secret stands, and not the variable that holds it.

    Args:
        store: what metaxy.toml says.
    """
    for name, text in _texts(store):
        is_secret = _SECRET.search(name) and not _VARIABLE.search(text)
        if is_secret or _PASSWORD.search(text):
            return name
    return None


def settings_to_show(store: StoreConfig, root: Path, setting: str) -> tuple[str, dict[str, Any]]:
    """Where a store is, and what else its type has; variables that may hold secrets stay unread.

    Args:
        store: what metaxy.toml says.
        root: where a relative path starts.
        setting: where this stands in the configuration, for messages.

    Raises:
        MissingVariable: another text names a variable that is not set.
    """
    kind = STORE_TYPES[store.type]
    place = store.option(kind.place)
    keeps = isinstance(place, SecretStr) and _VARIABLE.search(place.get_secret_value())
    where = place.get_secret_value() if keeps else str(store.address(root, setting))
    return where, {
        name: value if isinstance(value, dict) else from_environment(value, f"{setting}.{name}")
        for name in kind.options
        if (value := store.option(name)) not in (None, {})
    }


def _texts(store: StoreConfig) -> Iterator[tuple[str, str]]:
    """The settings that only some types have, as metaxy.toml says them."""
    kind = STORE_TYPES[store.type]
    for name in (kind.place, *kind.options):
        value = store.option(name)
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", str(each)) for key, each in value.items())
        elif value is not None:
            yield name, value.get_secret_value() if isinstance(value, SecretStr) else str(value)
