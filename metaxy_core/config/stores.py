"""How a store is configured, and opened from there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode

from metaxy_core.config.environment import from_environment, to_names
from metaxy_core.config.store_types import STORE_TYPES, TypeName
from metaxy_core.errors import InvalidSetting
from metaxy_core.errors.base import shown

if TYPE_CHECKING:
    from metaxy_core.store.base import MetadataStore

_NO_FILE: Final = re.compile(r":memory:|[A-Za-z][A-Za-z0-9+.-]+:")
_PREFIX: Final = re.compile(r"sqlite:|duckdb:")
_OPTIONS: Final = (
    "path",
    "dsn",
    "catalog",
    "data_path",
    "schema",
    "engine",
    "project",
    "dataset",
    "location",
    "credentials",
    "maximum_bytes_billed",
    "parameters",
    "settings",
    "storage_options",
)
"""What only some types of stores have."""

Values = dict[str, str | int | float | bool]


class StoreConfig(BaseModel):
    """One store.

    Attributes:
        type: the kind of store: ``duckdb``, ``sqlite``, ``postgres``, ``clickhouse``,
            ``bigquery``, ``delta``, ``iceberg``, ``lance`` or ``ducklake``.
        path: the file of a DuckDB or SQLite store, or ``:memory:``; the folder of a Delta, Iceberg
            or Lance store, or its URL in a bucket. It is relative to the folder of metaxy.toml.
        dsn: where a PostgreSQL database is, such as ``postgresql://user@host:5432/database``, or
            one of ClickHouse, such as ``clickhouse://user@host:8443/database?secure=true``.
        catalog: where the catalog of a DuckLake store is: the path of a DuckDB file, ``sqlite:``
            and the path of an SQLite file, or a PostgreSQL address.
        data_path: the folder of the data files of a DuckLake store, or its URL in a bucket.
        db_schema: the schema that holds a PostgreSQL store, or the catalog of a DuckLake store in
            PostgreSQL; ``schema`` in the file.
        engine: of the tables of a ClickHouse store, such as ``ReplicatedMergeTree``.
        project: the project of a BigQuery store, which is billed.
        dataset: the dataset of a BigQuery store; ``metaxy`` where none is given.
        location: where that dataset is, or is made, such as ``EU``.
        credentials: path of a key file for BigQuery; without, what the environment has.
        maximum_bytes_billed: a query on BigQuery that would be billed for more is refused.
        parameters: further parameters of a connection, such as ``sslmode = "verify-full"``.
        storage_options: how to reach a bucket; values are never printed.
        read_only: refuse writes.
        lock_timeout: seconds to wait for other writers.
        settings: settings of DuckDB, which computes for lakes too: ``memory_limit = "1GB"``; or
            those of every query of a ClickHouse store.
        fallback: names of the stores whose records are seen below the own ones, nearest first; one
            name needs no list. A variable separates them with commas.
        hash: algorithm of the versions, ``md5`` or ``xxh64``; None takes what the store has, and
            md5 for a new one.

    ``${NAME}`` in a text stands for the environment variable of that name, which is read when the
    store is opened.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    type: TypeName = "duckdb"
    path: str | None = None
    dsn: SecretStr | None = None
    catalog: SecretStr | None = None
    data_path: str | None = None
    db_schema: str | None = Field(default=None, alias="schema")
    engine: str | None = None
    project: str | None = None
    dataset: str | None = None
    location: str | None = None
    credentials: str | None = None
    maximum_bytes_billed: int | None = Field(default=None, gt=0)
    parameters: Values = Field(default_factory=dict, repr=False)
    storage_options: dict[str, str] = Field(default_factory=dict, repr=False)
    read_only: bool = False
    lock_timeout: float = Field(default=60.0, ge=0)
    settings: Values = Field(default_factory=dict, repr=False)
    fallback: Annotated[tuple[str, ...], NoDecode, BeforeValidator(to_names)] = ()
    hash: Literal["md5", "xxh64"] | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        """A store has the settings of its type, and says where it is."""
        kind = STORE_TYPES[self.type]
        given = {name for name in _OPTIONS if self.option(name)}
        foreign = sorted(given - {kind.place, *kind.options})
        if foreign:
            known = ", ".join((kind.place, *kind.options))
            raise ValueError(
                f"a store of type {self.type!r} has no {', '.join(foreign)}; it has {known}"
            )
        for name in (kind.place, *kind.needs):
            if self.option(name) is None:
                raise ValueError(f"a store of type {self.type!r} needs {name}")
        return self

    def option(self, name: str) -> Any:
        """What is given under a name of the file, or None."""
        return getattr(self, "db_schema" if name == "schema" else name)

    def open(
        self, root: Path, fallback: Sequence[MetadataStore] = (), setting: str = "stores"
    ) -> MetadataStore:
        """Open the store.

        Args:
            root: where a relative path starts.
            fallback: the opened stores of ``fallback``.
            setting: where this stands in the configuration, for messages.

        Raises:
            MissingVariable: a text names a variable that is not set.
            ConfigError: what a store of this type needs is not installed.
        """
        return STORE_TYPES[self.type].opened(
            self.type,
            self.address(root, setting),
            read_only=self.read_only,
            lock_timeout=self.lock_timeout,
            fallback=fallback,
            hash=self.hash,
            **self._placed(self.options(setting), root),
        )

    def options(self, setting: str = "stores") -> dict[str, Any]:
        """What is given of the settings that only some stores have, with variables filled in.

        Args:
            setting: where this stands in the configuration, for messages.

        Raises:
            MissingVariable: one names a variable that is not set.
        """
        found: dict[str, Any] = {}
        for name in STORE_TYPES[self.type].options:
            value = self.option(name)
            if isinstance(value, dict):
                found[name] = {
                    key: from_environment(each, f"{setting}.{name}.{key}")
                    for key, each in value.items()
                }
            elif value is not None:
                found[name] = from_environment(value, f"{setting}.{name}")
        return found

    def address(self, root: Path, setting: str = "stores") -> str | Path:
        """Where the store is.

        Of a file it is the path from the root; one that is no path of a file is left for the store
        to refuse.

        Args:
            root: where a relative path starts.
            setting: where this stands in the configuration, for messages.

        Raises:
            MissingVariable: it names a variable that is not set.
            InvalidSetting: the path begins with a home folder that there is not.
        """
        if self.dsn is not None:
            return from_environment(self.dsn.get_secret_value(), f"{setting}.dsn")
        if self.project is not None:
            return from_environment(self.project, f"{setting}.project")
        if self.catalog is not None:
            catalog = from_environment(self.catalog.get_secret_value(), f"{setting}.catalog")
            prefix = _PREFIX.match(catalog)
            if prefix is None:
                return _placed(catalog, root, "catalog")
            return f"{prefix[0]}{_placed(catalog[prefix.end() :], root, 'catalog')}"
        return _placed(from_environment(self.path or "", f"{setting}.path"), root, "path")

    def _placed(self, options: dict[str, Any], root: Path) -> dict[str, Any]:
        """Options in which a relative path starts at the root."""
        if "data_path" not in options:
            return options
        return {**options, "data_path": _placed(options["data_path"], root, "data_path")}


def _placed(path: str, root: Path, name: str) -> str | Path:
    """A path from the root; what is none of a file is left as it is."""
    if _NO_FILE.match(path) or not path:
        return path
    try:
        return root / Path(path).expanduser()
    except RuntimeError as error:
        raise InvalidSetting(
            f"Setting {name!r} of a store is {shown(path)}: {error} Write the folder out."
        ) from error
