"""The kinds of stores that a configuration can name, and which settings each of them has."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

from metaxy_core.errors import ConfigError

if TYPE_CHECKING:
    from metaxy_core.store.base import MetadataStore

TypeName = Literal[
    "duckdb",
    "sqlite",
    "postgres",
    "clickhouse",
    "bigquery",
    "delta",
    "iceberg",
    "lance",
    "ducklake",
]


@dataclass(frozen=True)
class StoreType:
    """One kind of store.

    Attributes:
        module: where its class is.
        store: the class.
        place: the setting that says where the store is.
        options: what it has beyond the settings that every store has.
        extra: the extra of this package that brings what it needs; None where nothing is needed.
        needs: those of its options that have to be given.
    """

    module: str
    store: str
    place: Literal["path", "dsn", "catalog", "project"]
    options: tuple[str, ...] = ()
    extra: str | None = None
    needs: tuple[str, ...] = ()

    def opened(self, name: str, place: Any, **settings: Any) -> MetadataStore:
        """Open a store of this kind.

        Args:
            name: of the kind, for messages.
            place: where the store is.
            settings: arguments of the class.

        Raises:
            ConfigError: what the kind needs is not installed.
        """
        found: MetadataStore
        try:
            found = getattr(import_module(self.module), self.store)(place, **settings)
        except ModuleNotFoundError as error:
            if self.extra is None:
                raise
            raise ConfigError(f"A store of type {name!r} {self.needed(error)}") from error
        return found

    def needed(self, error: ModuleNotFoundError) -> str:
        """What to install, as the end of a sentence."""
        return (
            f"needs the package {error.name!r}, which is not installed: "
            f"pip install 'metaxy-dagster[{self.extra}]'."
        )


_BACKENDS: Final = "metaxy_core.store.backends"
_LAKE: Final = ("settings", "storage_options")

STORE_TYPES: Final[dict[str, StoreType]] = {
    "duckdb": StoreType(f"{_BACKENDS}.duckdb", "DuckDBMetadataStore", "path", ("settings",)),
    "sqlite": StoreType(f"{_BACKENDS}.sqlite", "SQLiteMetadataStore", "path"),
    "postgres": StoreType(
        f"{_BACKENDS}.postgres",
        "PostgresMetadataStore",
        "dsn",
        ("schema", "parameters"),
        extra="postgres",
    ),
    "clickhouse": StoreType(
        f"{_BACKENDS}.clickhouse",
        "ClickHouseMetadataStore",
        "dsn",
        ("engine", "parameters", "settings"),
        extra="clickhouse",
    ),
    "bigquery": StoreType(
        f"{_BACKENDS}.bigquery",
        "BigQueryMetadataStore",
        "project",
        ("dataset", "location", "credentials", "maximum_bytes_billed", "parameters"),
        extra="bigquery",
    ),
    "delta": StoreType(f"{_BACKENDS}.delta", "DeltaMetadataStore", "path", _LAKE, "delta"),
    "iceberg": StoreType(f"{_BACKENDS}.iceberg", "IcebergMetadataStore", "path", _LAKE, "iceberg"),
    "lance": StoreType(f"{_BACKENDS}.lance", "LanceMetadataStore", "path", _LAKE, "lance"),
    "ducklake": StoreType(
        f"{_BACKENDS}.ducklake",
        "DuckLakeMetadataStore",
        "catalog",
        ("data_path", "schema", *_LAKE),
        "ducklake",
        needs=("data_path",),
    ),
}


def not_installed(store: str, error: ModuleNotFoundError) -> ModuleNotFoundError | None:
    """The same error in words that say what to install; None where nothing of ours brings it.

    Args:
        store: name of a class.
        error: what importing it said.
    """
    for kind in STORE_TYPES.values():
        if kind.store == store and kind.extra is not None:
            return ModuleNotFoundError(f"{store} {kind.needed(error)}", name=error.name)
    return None
