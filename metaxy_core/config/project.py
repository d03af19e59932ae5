"""Configuration says where a project's features and stores are, so that code need not repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from metaxy_core.config.entrypoints import import_entrypoints
from metaxy_core.config.file import NESTED, PREFIX, explained, find_file, place_of, read_file
from metaxy_core.config.stores import StoreConfig
from metaxy_core.errors import InvalidSetting, UnknownStore

if TYPE_CHECKING:
    from metaxy_core.store.base import MetadataStore


def _to_names(value: Any) -> Any:
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


class Config(BaseSettings):
    """The configuration of a project: metaxy.toml, and METAXY_* variables, which win.

    Nested settings are written with two underscores: ``METAXY_STORES__DEFAULT__PATH``.

    Attributes:
        project: name of the project.
        entrypoints: what defines features: module names, or .py files relative to metaxy.toml.
            A variable separates them with commas.
        store: name of the store that is used where none is named.
        stores: the stores by name.

    Example:
        >>> config = Config(stores={"default": {"path": ":memory:"}})
        >>> with config.open_store() as store:
        ...     store
        DuckDBMetadataStore(':memory:')
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=NESTED,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    project: str = ""
    entrypoints: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_to_names)] = ()
    store: str = "default"
    stores: dict[str, StoreConfig] = Field(default_factory=dict)
    _file: Path | None = PrivateAttr(default=None)

    def __init__(self, /, _read_from: Path | None = None, **content: Any) -> None:
        try:
            super().__init__(**content)
        except ValidationError as error:
            raise explained(error, content, _read_from, _settings_beside) from None
        except SettingsError as error:
            raise InvalidSetting(f"A METAXY_* variable cannot be read: {error}") from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables first, then what was given: the content of metaxy.toml."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @classmethod
    def load(cls, file: Path | str | None = None) -> Self:
        """Read the configuration.

        Args:
            file: the metaxy.toml; where it is None, METAXY_CONFIG names it, or it is looked for in
                the current folder and those above it. None there either gives an empty one.

        Raises:
            ConfigError: the file cannot be read, or a setting in it or in a variable is unknown
                or of the wrong type.
        """
        found = find_file(file)
        content = {} if found is None else read_file(found)
        config = cls(_read_from=found, **content)
        config._file = found
        return config

    @property
    def file(self) -> Path | None:
        """The metaxy.toml this was read from; None where there is none."""
        return self._file

    @property
    def root(self) -> Path:
        """Where relative paths start: the folder of metaxy.toml, or the current one."""
        return Path.cwd() if self._file is None else self._file.parent

    @property
    def place(self) -> str:
        """Where settings are to be made, for messages."""
        return place_of(self._file)

    def open_store(self, name: str | None = None) -> MetadataStore:
        """Open a store.

        Args:
            name: its name under ``stores``; the default store where it is None.

        Raises:
            UnknownStore: no store has this name.
        """
        wanted = name or self.store
        if wanted not in self.stores:
            raise UnknownStore.from_config(wanted, self.place, list(self.stores))
        return self.stores[wanted].open(self.root)

    def import_entrypoints(self) -> None:
        """Import what defines the features, into the active graph; once per process.

        Raises:
            EntrypointFailed: one of them cannot be imported.
            DefinitionError: a feature in them contradicts the graph.
        """
        if self._file is not None or self.entrypoints:
            import_entrypoints(self.entrypoints, self.root, self.place)


def _settings_beside(parts: Sequence[str]) -> list[str]:
    return list(StoreConfig.model_fields if len(parts) > 1 else Config.model_fields)


def init(config: Path | str | None = None) -> Config:
    """Read metaxy.toml and import the entrypoints it names, so that their features are registered.

    Calling it again does nothing new. Without a metaxy.toml the configuration is empty.

    Args:
        config: the metaxy.toml; found as ``Config.load`` describes where it is None.

    Returns:
        The configuration.

    Raises:
        ConfigError: the configuration cannot be used, or an entrypoint cannot be imported.
    """
    loaded = Config.load(config)
    loaded.import_entrypoints()
    return loaded
