"""The store of a component: a database file of the project, or one that metaxy.toml names."""

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import dagster as dg
from pydantic import BaseModel

from metaxy_core.config import FILE_NAME, FILE_VARIABLE, Config
from metaxy_core.config.described_stores import settings_to_show, store_of_type
from metaxy_core.store.backends.addresses import MEMORY
from metaxy_dagster.components.attributes import Attributes, said
from metaxy_dagster.errors import InvalidComponent
from metaxy_dagster.io_manager import MetaxyIOManager
from metaxy_dagster.resource import MetaxyStoreResource


@dataclass(frozen=True)
class Store(Attributes):
    """The arguments of ``MetaxyStoreResource``."""

    called: ClassVar[str] = "store"

    database: Annotated[
        str,
        said(
            "Path of the DuckDB file, relative to the root of the dg project; of another type, "
            "its path, dsn or catalog."
        ),
    ]
    type: Annotated[
        str | None, said("Kind of the store, as in metaxy.toml; duckdb by default.")
    ] = None
    options: Annotated[
        dict[str, Any] | None,
        said("What else metaxy.toml would say of a store of this type, such as schema."),
    ] = None
    read_only: Annotated[bool | None, said("Refuse every write.")] = None
    lock_timeout: Annotated[
        float | None, said("Seconds to wait while another process holds the file.")
    ] = None
    settings: Annotated[
        dict[str, Any] | None, said("DuckDB settings, such as memory_limit and threads.")
    ] = None
    hash: Annotated[str | None, said("Algorithm of a new store's versions: md5 or xxh64.")] = None

    def resource(self, root: Path) -> MetaxyStoreResource:
        """The resource.

        Args:
            root: where a relative path starts.

        Raises:
            InvalidComponent: the database is in memory.
        """
        if self.database.startswith(MEMORY):
            raise InvalidComponent.from_attribute(
                "store.database", MEMORY, "the path of a file, which all steps of a run share"
            )
        said = store_of_type(self.type or "duckdb", self.database, "store", **(self.options or {}))
        database, options = settings_to_show(said, root, "store")
        given = {**self.given("database"), "options": options}
        return MetaxyStoreResource(database=database, **given)


def project_config(root: Path) -> Config:
    """The metaxy.toml of a dg project: what METAXY_CONFIG names, or the one in its root or above.

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
    if said.startswith(MEMORY) or "/" in said or Path(said).suffix:
        return Store(said).resource(root)
    return MetaxyStoreResource.from_config(config, said)


def store_resources(
    resource: MetaxyStoreResource, store_key: str, io_manager_key: str
) -> dict[str, Any]:
    """A store and its IO manager as resources; components with the same store share them.

    Args:
        resource: the store.
        store_key: key of the store.
        io_manager_key: key of the IO manager.
    """
    store = _shared(resource.model_dump_json())
    return {store_key: store, io_manager_key: _io_manager(resource.model_dump_json())}


@functools.cache
def _shared(said: str) -> MetaxyStoreResource:
    """One object for equal stores: Dagster takes two objects under one key for a contradiction."""
    return MetaxyStoreResource(**json.loads(said))


@functools.cache
def _io_manager(said: str) -> MetaxyIOManager:
    return MetaxyIOManager(store=_shared(said))


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
        model_field_type=str | Store.model() | None,
        description=(
            "The store: the path of a DuckDB file relative to the root of the dg project, the name "
            "of a store in metaxy.toml, or a mapping with database: and more. Without it the "
            "project has a resource 'metaxy_store' and 'metaxy_io_manager' elsewhere."
        ),
        examples=["data/metadata.duckdb", "prod", {"database": "data/metadata.duckdb"}],
    ),
]
