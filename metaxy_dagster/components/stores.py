"""The store of a component: a database file of the project, or one that metaxy.toml names."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import dagster as dg
from pydantic import BaseModel

from metaxy_core.config import FILE_NAME, FILE_VARIABLE, Config, StoreConfig
from metaxy_core.store.backends.duckdb import MEMORY
from metaxy_dagster.components.attributes import Attributes
from metaxy_dagster.errors import InvalidComponent
from metaxy_dagster.resource import MetaxyStoreResource


def _said(description: str) -> dg.Resolver:
    return dg.Resolver.default(description=description)


@dataclass(frozen=True)
class Store(Attributes):
    """The arguments of ``MetaxyStoreResource``."""

    called: ClassVar[str] = "store"

    database: Annotated[
        str, _said("Path of the DuckDB file, relative to the root of the dg project.")
    ]
    read_only: Annotated[bool | None, _said("Refuse every write.")] = None
    lock_timeout: Annotated[
        float | None, _said("Seconds to wait while another process holds the file.")
    ] = None
    settings: Annotated[
        dict[str, Any] | None, _said("DuckDB settings, such as memory_limit and threads.")
    ] = None
    hash: Annotated[str | None, _said("Algorithm of a new store's versions: md5 or xxh64.")] = None

    def resource(self, root: Path) -> MetaxyStoreResource:
        """The resource.

        Args:
            root: where a relative path starts.

        Raises:
            InvalidComponent: the database is in memory.
        """
        if self.database == MEMORY:
            raise InvalidComponent.from_attribute(
                "store.database", MEMORY, "the path of a file, which all steps of a run share"
            )
        address = StoreConfig(path=self.database).address(root, "store")
        return MetaxyStoreResource(database=str(address), **self.given("database"))


def project_config(root: Path) -> Config:
    """The metaxy.toml of a dg project: the one that METAXY_CONFIG names, or is in its root or above.

    Args:
        root: of the project.
    """
    files = (folder / FILE_NAME for folder in (root, *root.parents))
    named = FILE_VARIABLE in os.environ
    return Config.load(None if named else next((file for file in files if file.is_file()), None))


def store_resource(said: str | Store, root: Path, config: Config) -> MetaxyStoreResource:
    """The store that a component says.

    A text with a slash or a suffix is the path of a database; any other one names a store of
    metaxy.toml.

    Args:
        said: what the component says.
        root: of the project.
        config: the project's configuration.

    Raises:
        UnknownStore: no store of metaxy.toml has this name.
        InvalidComponent: the database is in memory.
    """
    if isinstance(said, Store):
        return said.resource(root)
    if said == MEMORY or "/" in said or Path(said).suffix:
        return Store(said).resource(root)
    return MetaxyStoreResource.from_config(config, said)


def resolved_store(context: dg.ResolutionContext, given: Any) -> str | Store | None:
    """What the YAML says under ``store``, with its templates filled in."""
    if isinstance(given, BaseModel):
        found: Store = Store.resolve_from_model(context, given)
        return found
    return None if given is None else context.resolve_value(given, as_type=str)


ResolvedStore = Annotated[
    str | Store | None,
    dg.Resolver(
        resolved_store,
        model_field_type=str | Store.model() | None,  # type: ignore[arg-type]
        description=(
            "The store: the path of a DuckDB file relative to the root of the dg project, the name "
            "of a store in metaxy.toml, or a mapping with database: and more. Without it the "
            "project has a resource 'metaxy_store' and 'metaxy_io_manager' elsewhere."
        ),
        examples=["data/metadata.duckdb", "prod", {"database": "data/metadata.duckdb"}],
    ),
]
