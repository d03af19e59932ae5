"""The store as a Dagster resource: configured once, opened by whoever needs it while needed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pydantic import Field

from metaxy_core.errors import StoreError
from metaxy_core.store.backends.addresses import MEMORY
from metaxy_core.store.backends.duckdb import DuckDBMetadataStore
from metaxy_dagster.errors import InvalidOptions

if TYPE_CHECKING:
    from dagster_duckdb import DuckDBResource

    from metaxy_core.config import Config

STORE_KEY: Final = "metaxy_store"
"""Resource key of the store, where nobody chose another one."""

IO_MANAGER_KEY: Final = "metaxy_io_manager"
"""Resource key of the IO manager, where nobody chose another one."""

DEFAULT_LOCK_TIMEOUT: Final = 60.0

TICK_LOCK_TIMEOUT: Final = 5.0
"""Seconds that a sensor or schedule waits for a writer, since another tick follows soon."""


class MetaxyStoreResource(dg.ConfigurableResource[Any]):
    """A metadata store in a DuckDB file that steps, processes and the UI share.

    Example:
        >>> store = MetaxyStoreResource(database="metadata.duckdb")
        >>> store.lock_timeout
        60.0
    """

    database: str = Field(
        description="Path of the DuckDB file that holds the features' records; made on first use."
    )
    read_only: bool = Field(
        default=False, description="Refuse every write, for assets and checks that only look."
    )
    lock_timeout: float = Field(
        default=DEFAULT_LOCK_TIMEOUT,
        description="Seconds to wait while another process holds the file, before the step fails.",
    )
    settings: dict[str, Any] = Field(
        default={},
        description=(
            "DuckDB settings, such as {'memory_limit': '4GB', 'threads': 2}. "
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
            InvalidOptions: it is no DuckDB store, or seen over others (``fallback``), which runs
                cannot share.
            MissingVariable: it names a variable that is not set.

        Example:
            >>> from metaxy_core.config import Config, StoreConfig
            >>> config = Config(stores={"default": StoreConfig(path="/data/metadata.duckdb")})
            >>> MetaxyStoreResource.from_config(config).database
            '/data/metadata.duckdb'
        """
        wanted = config.store_name(name)
        store, setting = config.stores[wanted], f"stores.{wanted}"
        if store.type != "duckdb":
            raise InvalidOptions.from_argument(
                f"Store {wanted!r} in {config.place}",
                "type",
                store.type,
                "Dagster a store of type 'duckdb', the only one that its resource opens",
            )
        if store.fallback:
            raise InvalidOptions.from_argument(
                f"Store {wanted!r} in {config.place}",
                "fallback",
                list(store.fallback),
                "Dagster a store of its own, without fallback",
            )
        return cls(
            database=str(store.address(config.root, setting)),
            read_only=store.read_only,
            lock_timeout=store.lock_timeout,
            settings=store.options(setting).get("settings", {}),
            hash=store.hash,
        )

    @contextmanager
    def open(self, *, lock_timeout: float | None = None) -> Iterator[DuckDBMetadataStore]:
        """The store, closed when the ``with`` block ends.

        Args:
            lock_timeout: wait no longer than these seconds for another process.

        Raises:
            StoreError: the database is in memory, where no step would find what another wrote.
        """
        if self.database.startswith(MEMORY):
            raise StoreError(
                "MetaxyStoreResource(database=':memory:'): every step opens the store by itself "
                "and would find it empty; give the path of a file."
            )
        with DuckDBMetadataStore(
            self.database,
            read_only=self.read_only,
            lock_timeout=min(self.lock_timeout, math.inf if lock_timeout is None else lock_timeout),
            settings=self.settings,
            hash=self.hash,
        ) as store:
            yield store
