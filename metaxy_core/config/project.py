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
from metaxy_core.config.environment import to_names
from metaxy_core.config.file import NESTED, PREFIX, explained, find_file, place_of, read_file
from metaxy_core.config.lock import LOCK_NAME, Lock, lock_to_json, read_lock
from metaxy_core.config.locking import check_lock, lock_externals
from metaxy_core.config.stores import StoreConfig
from metaxy_core.errors import (
    ConfigUnreadable,
    FallbackCircle,
    InvalidSetting,
    LockMissing,
    LockOutOfDate,
    UnknownStore,
)
from metaxy_core.graph.graph import FeatureGraph

if TYPE_CHECKING:
    from metaxy_core.store.base import MetadataStore


class Config(BaseSettings):
    """The configuration of a project: metaxy.toml, and METAXY_* variables, which win.

    Nested settings are written with two underscores: ``METAXY_STORES__DEFAULT__PATH``.

    Attributes:
        project: name of the project.
        entrypoints: what defines features: module names, or .py files relative to metaxy.toml.
            A variable separates them with commas.
        store: name of the store that is used where none is named.
        stores: the stores by name.
        externals: features of other projects that this one reads: for each project a list of keys,
            patterns and other terms of a selection. `metaxy lock` looks them up in the store.

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
    entrypoints: Annotated[tuple[str, ...], NoDecode, BeforeValidator(to_names)] = ()
    store: str = "default"
    stores: dict[str, StoreConfig] = Field(default_factory=dict)
    externals: dict[Annotated[str, Field(min_length=1)], tuple[str, ...]] = Field(
        default_factory=dict
    )
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

    def store_name(self, name: str | None = None) -> str:
        """The name of a store under ``stores``; of the default store where None is given.

        Args:
            name: the name that is wanted.

        Raises:
            UnknownStore: no store has this name.
        """
        wanted = name or self.store
        if wanted not in self.stores:
            raise UnknownStore.from_config(wanted, self.place, list(self.stores))
        return wanted

    def open_store(self, name: str | None = None) -> MetadataStore:
        """Open a store.

        Args:
            name: its name under ``stores``; the default store where it is None.

        Raises:
            UnknownStore: no store has this name, or a fallback's.
            FallbackCircle: a store is, over others, its own fallback.
            ConfigError: a setting of the store cannot be used.
            LockMissing: there are external features, but they were never locked.
            LockOutOfDate: their projects pushed other definitions to this store since.
        """
        lock, store = self.read_lock(), self._store(name)
        try:
            check_lock(store, lock, self.lock_file)
        except BaseException:
            store.close()
            raise
        return store

    def _store(self, name: str | None) -> MetadataStore:
        """A store over its fallbacks."""
        wanted = self.store_name(name)
        opened: dict[str, MetadataStore] = {}
        try:
            store = self._opened(wanted, (), opened)
        except BaseException:
            for fallback in opened.values():
                fallback.close()
            raise
        store.close_with_it(fallback for fallback in opened.values() if fallback is not store)
        return store

    def _opened(
        self, name: str, over: tuple[str, ...], opened: dict[str, MetadataStore]
    ) -> MetadataStore:
        """A store over its fallbacks, each opened once."""
        if name in over:
            raise FallbackCircle.from_names([*over[over.index(name) :], name], self.place)
        if name not in self.stores:
            raise UnknownStore.from_fallback(name, over[-1], self.place, list(self.stores))
        if name not in opened:
            config = self.stores[name]
            below = [self._opened(each, (*over, name), opened) for each in config.fallback]
            opened[name] = config.open(self.root, below, f"stores.{name}")
        return opened[name]

    @property
    def lock_file(self) -> Path:
        """The file with the definitions of external features, beside metaxy.toml."""
        return self.root / LOCK_NAME

    def read_lock(self) -> Lock:
        """What the lock file holds; nothing where there are no external features.

        Raises:
            LockMissing: there is no lock file.
            LockOutOfDate: it was made for other ``externals``.
        """
        if not self.externals:
            return Lock({}, {})
        if not self.lock_file.is_file():
            raise LockMissing.from_file(self.lock_file, self.place)
        lock = read_lock(self.lock_file)
        if lock.externals != self.externals:
            raise LockOutOfDate.from_settings(self.lock_file, self.place)
        return lock

    def update_lock(self, store: str | None = None, *, check: bool = False) -> list[str]:
        """Bring the lock file up to date with what other projects pushed to a store.

        Args:
            store: the store's name; the default one where it is None.
            check: only say what would change.

        Returns:
            What changed, in words; nothing where the lock file is up to date, and then it stays as
            it is.

        Raises:
            NotPushed: one of the projects never pushed to the store.
            InvalidSelection: a project has nothing that matches its ``externals``.
        """
        if self.project in self.externals:
            raise InvalidSetting(
                f"Setting 'externals.{self.project}' in {self.place} names the project itself; its "
                f"features are known from its code, so remove it."
            )
        with self._store(store) as opened:
            lock = lock_externals(opened, self.externals, self.project)
        try:
            before = read_lock(self.lock_file) if self.lock_file.is_file() else Lock({}, {})
        except ConfigUnreadable:  # say, a merge left its marks
            before = Lock({}, {})
        moved = lock.moved_since(before)
        if not moved and before.externals != lock.externals:
            moved = ["[externals] changed"]
        if moved and not check:
            self.lock_file.write_text(lock_to_json(lock), "utf-8")
        return moved

    def prepare(self, graph: FeatureGraph) -> None:
        """Give a graph the project's name and its external features, for the code to build on.

        Args:
            graph: the graph in which the project's features are or will be defined.

        Raises:
            LockMissing: there are external features, but they were never locked.
            LockOutOfDate: they were locked for other ``externals``.
            DefinitionError: an external feature contradicts the graph.
        """
        if self.project:
            graph.name_project(self.project)
        for definition in self.read_lock().definitions:
            graph.add(definition)

    def import_entrypoints(self) -> None:
        """Import what defines the features, into the active graph; once per process.

        They belong to the configured project; the external features are there before them.

        Raises:
            LockMissing: there are external features, but they were never locked.
            EntrypointFailed: one of them cannot be imported.
            DefinitionError: a feature in them contradicts the graph.
        """
        self.prepare(FeatureGraph.active())
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
