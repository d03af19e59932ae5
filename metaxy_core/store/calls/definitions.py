"""Calls that record definitions and give them back."""

from __future__ import annotations

from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.store.definitions import RecordedSnapshot
from metaxy_core.store.parts import Calls


class DefinitionCalls(Calls):
    """Snapshots of graphs."""

    def push(self, graph: FeatureGraph | None = None) -> RecordedSnapshot:
        """Record a graph's definitions, so that later code can be compared with it.

        Args:
            graph: the graph; the active one where it is None.

        Returns:
            The snapshot; the newest one where nothing changed since.
        """
        graph = FeatureGraph.active() if graph is None else graph
        with self._parts.backend.transaction() as transaction:
            self._parts.tables.make(transaction)
            return self._parts.definitions.push(transaction, graph)

    def snapshots(self) -> tuple[RecordedSnapshot, ...]:
        """Every graph that was pushed, oldest first."""
        with self._parts.backend.snapshot() as snapshot:
            return self._parts.definitions.snapshots(snapshot)

    def recorded_graph(self, version: str | None = None) -> FeatureGraph:
        """The graph of a pushed snapshot.

        Args:
            version: beginning of the snapshot's version; None means the newest, or the definitions
                last written with where none was ever pushed.

        Raises:
            UnknownSnapshot: no snapshot has this version.
        """
        with self._parts.backend.snapshot() as snapshot:
            used = self._parts.catalog.last_used(snapshot)
            return self._parts.definitions.graph(snapshot, used, version)
