"""The parts of an open store that its calls share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metaxy_core.store.backends.base import Backend, Snapshot
from metaxy_core.store.catalog import Catalog
from metaxy_core.store.definitions import DefinitionLog
from metaxy_core.store.layers import LayeredBackend
from metaxy_core.store.settled_log import SettledLog
from metaxy_core.store.sources import Sources
from metaxy_core.store.tables import CatalogTables


@dataclass(frozen=True)
class Parts:
    """What a store is made of.

    Attributes:
        backend: the database.
        tables: the catalog's tables in it.
        catalog: the commits.
        definitions: the recorded definitions and snapshots.
        sources: the features' tables.
        settled: what was found up to date.
    """

    backend: Backend
    tables: CatalogTables
    catalog: Catalog
    definitions: DefinitionLog
    sources: Sources
    settled: SettledLog

    @classmethod
    def of(
        cls, backend: Backend, fallbacks: Sequence[Backend] = (), algorithm: str | None = None
    ) -> Parts:
        """The parts of a store in a database.

        Args:
            backend: the database.
            fallbacks: those whose records stand below its own, nearest first.
            algorithm: the hash of its versions.
        """
        if fallbacks:
            backend = LayeredBackend(backend, fallbacks)
        tables = CatalogTables(backend, algorithm)
        catalog = Catalog(tables)
        sources = Sources(backend, tables, catalog)
        settled = SettledLog(backend, tables, catalog)
        return cls(backend, tables, catalog, DefinitionLog(tables), sources, settled)

    def alone(self, snapshot: Snapshot) -> Parts:
        """The parts of the same store without its fallbacks; its hash is decided then.

        Args:
            snapshot: an open one of the store.
        """
        self.tables.exist(snapshot)
        if not isinstance(self.backend, LayeredBackend):
            return self
        return Parts.of(self.backend.primary, algorithm=self.tables.algorithm)


class Calls:
    """Calls on the parts of a store."""

    _parts: Parts
