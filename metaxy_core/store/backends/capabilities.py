"""What a database can do beyond what every store does: data for the engine, tests and docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from metaxy_core.engine.hashing import MD5, XXH64

Pruning = Literal["index", "zone maps", "files", "partitions", "none"]
"""How rows of a few commits, or of a few ids, are found without reading the whole table."""

Atomic = Literal["transaction", "pinned versions"]
"""How all that one change does becomes visible together."""

Writers = Literal["machines", "processes", "one process"]
"""Who may write to one store at the same time; they take turns."""


@dataclass(frozen=True)
class Capabilities:
    """What a database can do.

    Attributes:
        atomic: by which means a change is all or nothing.
        writers: who may write at the same time.
        pruning: how few rows out of many are found.
        hashes: the hash algorithms that versions can have, the default first.
        durable: whether records outlive the store object.
        files: whether a store is a file or folder that can be copied.
        members_in_filters: whether filters can read members of nested columns.
        joins: whether a fallback of the same kind is read in place, and not copied.
    """

    atomic: Atomic
    writers: Writers
    pruning: Pruning
    hashes: tuple[str, ...] = (MD5,)
    durable: bool = True
    files: bool = False
    members_in_filters: bool = True
    joins: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Those that tests ask for by name."""
        told = {
            "durable": self.durable,
            "files": self.files,
            "processes": self.writers != "one process",
            "members in filters": self.members_in_filters,
            "joins": self.joins,
        }
        return frozenset(name for name, holds in told.items() if holds)


IN_FILE: Final = Capabilities(
    "transaction", "processes", "zone maps", hashes=(MD5, XXH64), files=True, joins=True
)
"""Of a DuckDB file."""

IN_MEMORY: Final = Capabilities(
    "transaction", "one process", "zone maps", hashes=(MD5, XXH64), durable=False
)
"""Of a DuckDB database in memory."""
