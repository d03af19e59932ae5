"""How a store is configured, and opened from there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["duckdb"] = "duckdb"
    path: str
    read_only: bool = False
    lock_timeout: float = Field(default=60.0, ge=0)
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict, repr=False)

    def open(self, root: Path) -> MetadataStore:
        """Open the store; a relative path starts at ``root``."""
        from metaxy_core.store.backends.duckdb import DuckDBMetadataStore

        return DuckDBMetadataStore(
            self._address(root),
            read_only=self.read_only,
            lock_timeout=self.lock_timeout,
            settings=self.settings,
        )

    def _address(self, root: Path) -> str | Path:
        """The path from the root; one that is no path of a file is left for the store to refuse."""
        if _NO_FILE.match(self.path) or not self.path:
            return self.path
        try:
            return root / Path(self.path).expanduser()
        except RuntimeError as error:
            raise InvalidSetting(
                f"Setting 'path' of a store is {shown(self.path)}: {error} Write the folder out."
            ) from error
