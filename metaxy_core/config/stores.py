"""How a store is configured, and opened from there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from metaxy_core.store.base import MetadataStore

_MEMORY: Final = ":memory:"


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

        in_memory = self.path == _MEMORY
        return DuckDBMetadataStore(
            _MEMORY if in_memory else root / Path(self.path).expanduser(),
            read_only=self.read_only,
            lock_timeout=self.lock_timeout,
            settings=self.settings,
        )
