"""The store as a Dagster resource: configured once, opened by whoever needs it while needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pydantic import Field

from metaxy_core.config.described_stores import (
    settings_to_show,
    store_of_type,
    written_secret,
)
from metaxy_core.errors import StoreError
from metaxy_core.store.backends.addresses import MEMORY
from metaxy_dagster.errors import InvalidOptions

if TYPE_CHECKING:
    from dagster_duckdb import DuckDBResource

    from metaxy_core.config import Config
    from metaxy_core.store.base import MetadataStore

STORE_KEY: Final = "metaxy_store"
"""Resource key of the store, where nobody chose another one."""

IO_MANAGER_KEY: Final = "metaxy_io_manager"
"""Resource key of the IO manager, where nobody chose another one."""

DEFAULT_LOCK_TIMEOUT: Final = 60.0

TICK_LOCK_TIMEOUT: Final = 5.0
"""Seconds that a sensor or schedule waits for a writer, since another tick follows soon."""

_SETTING: Final = "MetaxyStoreResource"
"""Where the settings of a store stand, for messages."""

_addresses: dict[tuple[str, ...], str] = {}
"""Of the stores that this process has opened."""


class MetaxyStoreResource(dg.ConfigurableResource[Any]):
    """A metadata store that steps, processes and the UI share: a DuckDB file, or one of any kind.

    ``${NAME}`` in a text stands for the environment variable of that name, read when the store is
    opened; Dagster shows the texts, so that this is where a password belongs.

    Example:
        >>> store = MetaxyStoreResource(database="metadata.duckdb")
        >>> store.lock_timeout
        60.0
        >>> server = MetaxyStoreResource(
        ...     type="postgres",
        ...     database="postgresql://metaxy:${PGPASSWORD}@db.example.com:5432/films",
        ...     options={"schema": "metaxy", "parameters": {"sslmode": "verify-full"}},
        ... )
        >>> server.type
        'postgres'
    """

    database: str = Field(
        description=(
            "Where the store is: the path of the DuckDB file that holds the features' records, "
            "made on first use; of another type, what its path, dsn or catalog is in metaxy.toml."
        )
    )
    type: str = Field(
        default="duckdb",
        description="Kind of the store, as in metaxy.toml: duckdb, sqlite, postgres, delta, ...",
    )
    options: dict[str, Any] = Field(
        default={},
        description=(
            "What else metaxy.toml would say of a store of this type, such as "
            "{'schema': 'films'} or {'storage_options': {...}}."
        ),
    )
    read_only: bool = Field(
        default=False, description="Refuse every write, for assets and checks that only look."
    )
    lock_timeout: float = Field(
        default=DEFAULT_LOCK_TIMEOUT,
        description="Seconds to wait while another process holds the store, before the step fails.",
    )
    settings: dict[str, Any] = Field(
        default={},
        description=(
            "Settings of DuckDB, which computes for lakes too, such as "
            "{'memory_limit': '4GB', 'threads': 2}. "
            "See https://duckdb.org/docs/configuration/overview."
        ),
    )
    hash: str | None = Field(
        default=None,
        description="Algorithm of the versions, md5 or xxh64; what the store has where None.",
    )

    @classmethod
    def from_duckdb(
        cls,
        duckdb: DuckDBResource,
        *,
        read_only: bool = False,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
    ) -> MetaxyStoreResource:
        """A store in the database of a ``dagster_duckdb`` resource.

        Args:
            duckdb: the resource; its ``connection_config`` becomes the store's settings.
            read_only: refuse every write.
            lock_timeout: seconds to wait while another process holds the file.

        Example:
            >>> from dagster_duckdb import DuckDBResource
            >>> duckdb = DuckDBResource(database="warehouse.duckdb")
            >>> MetaxyStoreResource.from_duckdb(duckdb).database
            'warehouse.duckdb'
        """
        return cls(
            database=duckdb.database,
            read_only=read_only,
            lock_timeout=lock_timeout,
            settings=duckdb.connection_config,
        )

    @classmethod
    def from_config(cls, config: Config, name: str | None = None) -> MetaxyStoreResource:
        """A store of ``metaxy.toml``, the same that the ``metaxy`` command opens.

        Args:
            config: what ``mx.init()`` gave.
            name: the store's name there; the default store where it is None.

        Raises:
            UnknownStore: no store has this name.
            InvalidOptions: it is seen over others (``fallback``), which runs cannot share, or a
                password stands in it, which Dagster would show.
            MissingVariable: it names a variable that is not set.

        Example:
            >>> from metaxy_core.config import Config, StoreConfig
            >>> config = Config(stores={"default": StoreConfig(path="/data/metadata.duckdb")})
            >>> MetaxyStoreResource.from_config(config).database
            '/data/metadata.duckdb'
        """
        wanted = config.store_name(name)
        store, setting = config.stores[wanted], f"stores.{wanted}"
        who = f"Store {wanted!r} in {config.place}"
        if store.fallback:
            raise InvalidOptions.from_argument(
                who,
                "fallback",
                list(store.fallback),
                "Dagster a store of its own, without fallback",
            )
        if secret := written_secret(store):
            raise InvalidOptions.from_secret(who, secret)
        place, options = settings_to_show(store, config.root, setting)
        return cls(
            database=place,
            type=store.type,
            read_only=store.read_only,
            lock_timeout=store.lock_timeout,
            settings=options.pop("settings", {}),
            options=options,
            hash=store.hash,
        )

    @contextmanager
    def open(self, *, lock_timeout: float | None = None) -> Iterator[MetadataStore]:
        """The store, closed when the ``with`` block ends.

        Args:
            lock_timeout: wait no longer than these seconds for another process.

        Raises:
            StoreError: the database is in memory, where no step would find what another wrote.
            InvalidSetting: there is no such type of store, or it has other settings.
            MissingVariable: a text names a variable that is not set.
            ConfigError: what a store of this type needs is not installed.
        """
        if self.database.startswith(MEMORY):
            raise StoreError(
                f"MetaxyStoreResource(database={self.database!r}): every step opens the store by "
                f"itself and would find it empty; give the path of a file."
            )
        waits = [self.lock_timeout] if lock_timeout is None else [self.lock_timeout, lock_timeout]
        options = {**self.options, "settings": self.settings} if self.settings else self.options
        config = store_of_type(
            self.type,
            self.database,
            _SETTING,
            read_only=self.read_only,
            lock_timeout=min(waits),
            hash=self.hash,
            **options,
        )
        with config.open(Path.cwd(), setting=_SETTING) as store:
            _addresses[self._key] = store.address
            yield store

    @property
    def address(self) -> str:
        """Where the store is, for messages; nothing is opened if this process opened it before.

        Raises:
            MetaxyError: it cannot be opened; see ``open``.
        """
        if self._key not in _addresses:
            with self.open():
                pass
        return _addresses[self._key]

    @property
    def _key(self) -> tuple[str, ...]:
        return self.type, self.database, repr(self.options), str(Path.cwd())
