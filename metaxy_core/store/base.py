"""The store as users call it: resolve, write, read, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from metaxy_core.compat import StoreNames
from metaxy_core.errors import InvalidSamples, InvalidWrite
from metaxy_core.feature import locate
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey, KeyLike
from metaxy_core.specs.filter import Filter, parse_filter
from metaxy_core.store.backends.base import Backend
from metaxy_core.store.catalog import Catalog, Commit, History
from metaxy_core.store.committing import Committing, Write
from metaxy_core.store.definitions import DefinitionLog, RecordedSnapshot
from metaxy_core.store.increment import Increment
from metaxy_core.store.reading import Reading, Records
from metaxy_core.store.resolving import Resolution, Wanted
from metaxy_core.store.sources import Sources
from metaxy_core.store.tables import CatalogTables


class MetadataStore(StoreNames):
    """Records of features, their versions and their history, in one database.

    A store is open as long as it is not closed; ``with`` closes it. Anything that names a feature
    takes a class, a spec, a ``FeatureKey``, a list of parts or ``"a/b"``. A frame is a Polars,
    pandas, PyArrow or Ibis table or a DuckDB relation.

    Args:
        backend: the database.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._tables = CatalogTables(backend)
        self._catalog = Catalog(self._tables)
        self._definitions = DefinitionLog(self._tables)
        self._sources = Sources(backend, self._catalog)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r})"

    @property
    def address(self) -> str:
        """Where the store is, without secrets."""
        return self._backend.address

    @property
    def kind(self) -> str:
        """Name of the database engine."""
        return self._backend.kind

    def close(self) -> None:
        """Release the connection; results that were not fetched are gone."""
        self._backend.close()

    # ------------------------------------------------------------------ increments

    def resolve_update(
        self,
        feature: KeyLike,
        samples: Any = None,
        *,
        filters: str | None = None,
        stale_if: str | None = None,
        limit: int | None = None,
    ) -> Increment:
        """What has to be done for a feature: its new, stale and orphaned records.

        Args:
            feature: the feature.
            samples: for a root feature, every record that should exist: a frame with the id
                columns, the user columns, and ``metaxy_provenance_by_field`` (a struct with one
                version per field, text or integers) or the columns that ``version_from`` names.
            filters: SQL text over the increment's id and carried columns; only records for which it
                holds are given. Orphans have no carried columns, so only a filter on id columns
                lets them through.
            stale_if: SQL text over the stored records; those for which it holds are stale too, and
                ``metaxy_changed_fields`` is empty where nothing else changed.
            limit: at most so many new and stale records, the first ones by id, so that repeated
                runs walk through the backlog.

        Returns:
            The increment, computed once, from one snapshot; fetch it before the store is closed.

        Raises:
            UnknownFeature: the graph does not hold the feature.
            InvalidSamples: samples for a feature that has deps, or none for a root.
            DataError: the samples have missing, NULL or repeated ids, or lack versions.

        Example:
            >>> import polars as pl, metaxy_core as mx
            >>> with mx.FeatureGraph().use():
            ...     class Clip(mx.Feature, spec=mx.FeatureSpec(
            ...         key="clip", id_columns=["id"],
            ...         fields=[mx.FieldSpec(key="audio", version_from=["etag"])],
            ...     )):
            ...         id: str
            ...         etag: str
            >>> with mx.DuckDBMetadataStore(":memory:") as store:
            ...     samples = pl.DataFrame({"id": ["a"], "etag": ["1"]})
            ...     store.resolve_update(Clip, samples).counts
            Counts(new=1, stale=0, orphaned=0, blocked=0)
        """
        from metaxy_core.store.writing import sample_frame

        graph, key = locate(feature)
        plan = graph.plan(key)
        _check_samples(plan, samples)
        wanted = Wanted(_predicate(filters), _predicate(stale_if), _checked_limit(limit))
        resolution = Resolution(graph, plan, self._backend, self._sources, wanted)
        with self._backend.turn:
            if plan.is_root:
                return resolution.from_samples(sample_frame(plan, self._backend, samples))
            return resolution.from_upstream()

    # ------------------------------------------------------------------ changes

    def write(
        self,
        feature: KeyLike,
        frame: Any,
        *,
        processed: Any = None,
        materialization_id: str | None = None,
    ) -> Commit | None:
        """Append records under one commit, all or none.

        Args:
            feature: the feature.
            frame: rows of an increment with the feature's columns added: id columns, declared
                columns, ``metaxy_provenance_by_field`` and ``metaxy_provenance`` as they came. May
                set ``metaxy_data_version_by_field``, a struct of text or integers, for fields
                whose version is that of the output and not of the input. For a root feature raw
                samples will do.
            processed: for an expansion, the increment's rows of all parents that were processed;
                those without a child are remembered and do not come back. The children of each
                parent in ``frame`` replace its whole former set.
            materialization_id: what is doing this, for the record's history.

        Returns:
            The commit, or None where the frame has no rows.

        Raises:
            DataError: the frame cannot be written; the message names columns and ids.
            StoreLocked: another process held the store too long.
        """
        graph, key = locate(feature)
        with self._backend.turn:
            committing = self._committing(materialization_id)
            commits = committing.write([Write(graph, key, frame, processed)])
        return commits[0] if commits else None

    def write_all(
        self,
        frames: Mapping[Any, Any],
        *,
        materialization_id: str | None = None,
    ) -> dict[FeatureKey, Commit]:
        """Append records of several features under one commit, all or none.

        Args:
            frames: a frame for each feature; see ``write``. A feature is a class, key or text.
            materialization_id: what is doing this, for the records' history.

        Returns:
            The commit of each feature whose frame has rows; all have the same id.

        Raises:
            DataError: one of the frames cannot be written; nothing is.
        """
        located = [(*locate(feature), frame) for feature, frame in frames.items()]
        with self._backend.turn:
            writes = [Write(graph, key, frame) for graph, key, frame in located]
            commits = self._committing(materialization_id).write(writes)
        return {commit.feature: commit for commit in commits}

    def delete(
        self,
        feature: KeyLike,
        frame: Any = None,
        *,
        filters: str | None = None,
        hard: bool = False,
        materialization_id: str | None = None,
    ) -> Commit | None:
        """Delete records: softly, as a further entry of their history, or with their history.

        Args:
            feature: the feature.
            frame: a frame with the id columns of the records, such as ``increment.orphaned``.
            filters: or SQL text over the records' columns; combined with ``frame`` both must hold.
            hard: erase every row of the records instead.
            materialization_id: what is doing this.

        Returns:
            The commit, or None where no record matches.

        Raises:
            DataError: neither ``frame`` nor ``filters`` is given, or the ids are not in the frame.
        """
        graph, key = locate(feature)
        with self._backend.turn:
            return self._committing(materialization_id).delete(
                graph, graph.plan(key), frame, filters, hard=hard
            )

    def push(self, graph: FeatureGraph | None = None) -> RecordedSnapshot:
        """Record a graph's definitions, so that later code can be compared with it.

        Args:
            graph: the graph; the active one where it is None.

        Returns:
            The snapshot; the newest one where nothing changed since.
        """
        graph = FeatureGraph.active() if graph is None else graph
        with self._backend.transaction() as transaction:
            self._tables.make(transaction)
            return self._definitions.push(transaction, graph)

    def _committing(self, materialization_id: str | None) -> Committing:
        if not isinstance(materialization_id, str | None):
            raise InvalidWrite.from_argument("materialization_id", materialization_id, "text")
        return Committing(
            self._backend,
            self._tables,
            self._catalog,
            self._definitions,
            self._sources,
            materialization_id,
        )

    # ------------------------------------------------------------------ reading

    def read(
        self,
        feature: KeyLike,
        *,
        columns: Sequence[str] | None = None,
        filters: str | None = None,
        history: bool = False,
        include_deleted: bool = False,
    ) -> Records:
        """Records of a feature, read when ``.to_polars()``, ``.to_arrow()`` … is called.

        Args:
            feature: the feature.
            columns: the columns wanted, user's and system's; None means all.
            filters: SQL text over the records' columns, applied to their latest state.
            history: every row ever written instead of the latest of each record.
            include_deleted: deleted records too; ``metaxy_deleted_at`` tells.
        """
        graph, key = locate(feature)
        reading = Reading(self._backend, self._sources, graph[key], columns, filters)
        return reading.records(history=history, include_deleted=include_deleted)

    def history(self, feature: KeyLike) -> History:
        """What the catalog knows of a feature's commits, without touching its records."""
        _, key = locate(feature)
        with self._backend.snapshot() as snapshot:
            return self._catalog.histories(snapshot, [key])[key]

    def count(self, feature: KeyLike) -> int:
        """How many records of a feature are stored and not deleted."""
        graph, key = locate(feature)
        return Reading(self._backend, self._sources, graph[key], None, None).count()

    def snapshots(self) -> tuple[RecordedSnapshot, ...]:
        """Every graph that was pushed, oldest first."""
        with self._backend.snapshot() as snapshot:
            return self._definitions.snapshots(snapshot)

    def recorded_graph(self, version: str | None = None) -> FeatureGraph:
        """The graph of a pushed snapshot.

        Args:
            version: beginning of the snapshot's version; None means the newest, or the definitions
                last written with where none was ever pushed.

        Raises:
            UnknownSnapshot: no snapshot has this version.
        """
        with self._backend.snapshot() as snapshot:
            used = self._catalog.last_used(snapshot)
            return self._definitions.graph(snapshot, used, version)


def _predicate(text: str | None) -> Filter | None:
    return None if text is None else parse_filter(text)


def _checked_limit(limit: int | None) -> int | None:
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InvalidWrite.from_argument("limit", limit, "a whole number from 1, or None")
    return limit


def _check_samples(plan: FeaturePlan, samples: Any) -> None:
    name = str(plan.key)
    if plan.is_root and samples is None:
        raise InvalidSamples(
            f"'{name}' is a root feature: nothing upstream tells which records it should have. "
            f"Give them: store.resolve_update({name!r}, samples=frame)."
        )
    if not plan.is_root and samples is not None:
        raise InvalidSamples(
            f"'{name}' has deps ({', '.join(str(dep.feature) for dep in plan.deps)}), and its "
            f"records follow from them; call store.resolve_update({name!r}) without samples."
        )
