"""What can be wrong with settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from metaxy_core.errors.base import MetaxyError, nearest


class ConfigError(MetaxyError):
    """A setting that cannot be used."""


class ConfigUnreadable(ConfigError):
    """A configuration file that is missing or is no TOML."""


class UnknownSetting(ConfigError):
    """A setting that does not exist."""

    @classmethod
    def from_known(cls, name: str, setting: str, where: str, known: Sequence[object]) -> Self:
        return cls(f"Setting {setting!r} in {where} does not exist; {nearest(name, known)}")


class InvalidSetting(ConfigError):
    """A setting that is missing or whose value cannot be used."""


class UnknownStore(ConfigError):
    """A store that the configuration does not have."""

    @classmethod
    def from_config(cls, store: str, where: str, known: Sequence[object]) -> Self:
        return cls(
            f"Store {store!r} is not configured in {where}: add a table [stores.{store}] with "
            f'path = "metadata.duckdb", or choose another store '
            f"({nearest(store, known).rstrip('.')})."
        )

    @classmethod
    def from_fallback(cls, store: str, of: str, where: str, known: Sequence[object]) -> Self:
        return cls(
            f"Setting 'stores.{of}.fallback' in {where} names the store {store!r}, which is not "
            f"configured; {nearest(store, known)}"
        )


class MissingVariable(ConfigError):
    """A setting whose value stands in an environment variable that is not set."""


class FallbackCircle(ConfigError):
    """Stores that are each other's fallback."""

    @classmethod
    def from_names(cls, names: Sequence[str], where: str) -> Self:
        return cls(
            f"The stores {' -> '.join(map(repr, names))} in {where} are each other's fallback; "
            f"take one `fallback` out."
        )


class EntrypointFailed(ConfigError):
    """A module that defines features and cannot be imported."""


class NoFeatures(ConfigError):
    """Nothing says where the features are, or nothing is there."""
