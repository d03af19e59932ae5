"""Calls that record definitions and give them back."""

from __future__ import annotations

from collections.abc import Sequence

from metaxy_core.errors import UnknownProject
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.store.parts import Calls
from metaxy_core.store.snapshots import RecordedSnapshot


class DefinitionCalls(Calls):
    """Snapshots of graphs."""

    def push(self, graph: FeatureGraph | None = None) -> RecordedSnapshot:
        """Record the definitions of a graph's project, so that later code can be compared with it.

        Its external features are recorded with it, as what they are.

        Args:
            graph: the graph; the active one where it is None.

        Returns:
            The snapshot; the newest one of the project where nothing changed since.

        Raises:
            FeatureOwned: another project has a feature of the same key in this store.
        """
        graph = FeatureGraph.active() if graph is None else graph
        with self._parts.backend.transaction() as transaction:
            self._parts.tables.make(transaction)
            return self._parts.definitions.push(transaction, graph)

    def snapshots(self, project: str | None = None) -> tuple[RecordedSnapshot, ...]:
        """Every graph that was pushed, oldest first.

        Args:
            project: only the graphs of this project, ``""`` being the one without a name; those of
                all projects where it is None.
        """
        with self._parts.backend.snapshot() as snapshot:
            return self._parts.definitions.snapshots(snapshot, project)

    def newest_snapshots(self, projects: Sequence[str]) -> dict[str, RecordedSnapshot]:
        """The graphs that some projects pushed last, from one small query.

        Args:
            projects: names of projects; those that never pushed are left out.
        """
        with self._parts.backend.snapshot() as snapshot:
            return self._parts.definitions.newest(snapshot, list(projects))

    def recorded_graph(
        self, version: str | int | None = None, project: str | None = None
    ) -> FeatureGraph:
        """The graph of a pushed snapshot.

        Args:
            version: the snapshot's number, the beginning of its version, or ``"previous"`` for the
                one before the newest; None means the newest, or the definitions last written with
                where none was ever pushed.
            project: whose graph; that of the active graph's project where it is None.

        Raises:
            UnknownSnapshot: no snapshot of the project is meant by ``version``.
            UnknownProject: the active graph's project has no name, and the store holds only
                projects with a name.
        """
        with self._parts.backend.snapshot() as snapshot:
            whose = FeatureGraph.active().project if project is None else project
            if project is None and not whose:
                known = self._parts.definitions.projects(snapshot)
                if known and "" not in known:
                    raise UnknownProject.from_nameless(self._parts.backend.address, known)
            used = self._parts.catalog.last_used(snapshot)
            wanted = None if version is None else str(version)
            return self._parts.definitions.graph(snapshot, used, whose, wanted)
