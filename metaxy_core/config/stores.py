"""How a store is configured, and opened from there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

from metaxy_core.config.environment import from_environment, to_names
from metaxy_core.errors import InvalidSetting
from metaxy_core.errors.base import shown

if TYPE_CHECKING:
    from metaxy_core.store.base import MetadataStore

_NO_FILE: Final = re.compile(r":memory:|[A-Za-z][A-Za-z0-9+.-]+:")


class StoreConfig(BaseModel):
    """One store.

    Attributes:
        type: the database engine.
        path: the file, relative to the folder of metaxy.toml, or ``:memory:``.
        read_only: refuse writes.
        lock_timeout: seconds to wait for another process.
        settings: settings of the engine, such as ``memory_limit = "1GB"``.
        fallback: names of the stores whose records are seen below the own ones, nearest first; one
            name needs no list. A variable separates them with commas.
        hash: algorithm of the versions, ``md5`` or ``xxh64``; None takes what the store has, and
            md5 for a new one.

    ``${NAME}`` in a text stands for the environment variable of that name, which is read when the
    store is opened.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["duckdb"] = "duckdb"
    path: str
    read_only: bool = False
    lock_timeout: float = Field(default=60.0, ge=0)
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict, repr=False)
    fallback: Annotated[tuple[str, ...], NoDecode, BeforeValidator(to_names)] = ()
    hash: Literal["md5", "xxh64"] | None = None

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
        """
        from metaxy_core.store.backends.duckdb import DuckDBMetadataStore

        return DuckDBMetadataStore(
            self.address(root, setting),
            read_only=self.read_only,
            lock_timeout=self.lock_timeout,
            settings=self.engine_settings(setting),
            fallback=fallback,
            hash=self.hash,
        )

    def engine_settings(self, setting: str = "stores") -> dict[str, str | int | float | bool]:
        """The settings of the database, with the variables that they name filled in.

        Args:
            setting: where this stands in the configuration, for messages.

        Raises:
            MissingVariable: one names a variable that is not set.
        """
        return {
            name: from_environment(value, f"{setting}.settings.{name}")
            for name, value in self.settings.items()
        }

    def address(self, root: Path, setting: str = "stores") -> str | Path:
        """The path from the root; one that is no path of a file is left for the store to refuse.

        Args:
            root: where a relative path starts.
            setting: where this stands in the configuration, for messages.

        Raises:
            MissingVariable: the path names a variable that is not set.
            InvalidSetting: the path begins with a home folder that there is not.
        """
        path = from_environment(self.path, f"{setting}.path")
        if _NO_FILE.match(path) or not path:
            return path
        try:
            return root / Path(path).expanduser()
        except RuntimeError as error:
            raise InvalidSetting(
                f"Setting 'path' of a store is {shown(path)}: {error} Write the folder out."
            ) from error
