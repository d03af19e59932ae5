"""Calls that say why a record is what it is, and what it was computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaxy_core.feature import locate
from metaxy_core.keys import KeyLike
from metaxy_core.store.parts import Calls

if TYPE_CHECKING:
    from metaxy_core.store.explanation import Explanation
    from metaxy_core.store.lineage import Lineage


class ExplanationCalls(Calls):
    """Explanations and lineage of single records."""

    def explain(
        self,
        feature: KeyLike,
        id: Any,  # noqa: A002 - the word of the field
        samples: Any = None,
    ) -> Explanation:
        """Why a record is stale, new, orphaned, blocked or up to date, up to the root.

        Field by field: the stored and the expected provenance, the code version then and now, and
        for each upstream field it reads, the data version that was read and the present one, with
        the commits that brought them, when, and by which materialization. Then the same for the
        upstream records.

        Args:
            feature: the feature.
            id: the record: a value where there is one id column, values in the order of the id
                columns, or a mapping of id column to value; text is read as the column's type. Of
                an expansion a child's id, or its parent's.
            samples: for a root feature, what should exist; as for ``resolve_update``. Without, the
                stored record is shown, and whether it is stale stays open.

        Returns:
            The explanation; ``str()`` of it is a tree for people, ``to_dict()`` is for JSON. Its
            status is ``unknown`` where the record is neither stored nor called for.

        Raises:
            UnknownFeature: the graph does not hold the feature.
            InvalidId: its records cannot have this id.
            InvalidSamples: samples for a feature that has deps.

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
            ...     commit = store.write(Clip, pl.DataFrame({"id": ["a"], "etag": ["1"]}))
            ...     changed = pl.DataFrame({"id": ["a"], "etag": ["2"]})
            ...     print(store.explain(Clip, "a", changed).fields[0].reasons)
            ('its sample changed (etag)',)
        """
        from metaxy_core.store.explaining import Explaining
        from metaxy_core.store.samples import check_samples
        from metaxy_core.store.writing import sample_frame

        graph, key = locate(feature)
        plan = graph.plan(key)
        if samples is not None:
            check_samples(plan, samples)
        backend = self._parts.backend
        with backend.turn:
            frame = None if samples is None else sample_frame(plan, backend, samples)
            with backend.snapshot() as snapshot:
                return Explaining(self._parts, snapshot, graph).record(key, id, frame)

    def lineage(self, feature: KeyLike, id: Any) -> Lineage:  # noqa: A002 - the word of the field
        """The upstream versions that a stored record was computed from, up to the root.

        They are found in the history: the newest state of the upstream before the record's own
        commit that gives the stored provenance. ``exact`` is false where there is none, because
        that part of the history was erased.

        Args:
            feature: the feature.
            id: the record, as for ``explain``.

        Returns:
            A tree of stored states; ``str()`` of it is for people, ``to_dict()`` for JSON.

        Raises:
            UnknownFeature: the graph does not hold the feature.
            InvalidId: its records cannot have this id.
            UnknownRecord: the store does not hold the record.

        Example:
            >>> import polars as pl, metaxy_core as mx
            >>> with mx.FeatureGraph().use():
            ...     class Clip(mx.Feature, spec=mx.FeatureSpec(
            ...         key="clip", id_columns=["id"],
            ...         fields=[mx.FieldSpec(key="audio", version_from=["etag"])],
            ...     )):
            ...         id: str
            ...         etag: str
            ...     class Text(mx.Feature, spec=mx.FeatureSpec(
            ...         key="text", id_columns=["id"], deps=[Clip],
            ...     )):
            ...         id: str
            >>> with mx.DuckDBMetadataStore(":memory:") as store:
            ...     commit = store.write(Clip, pl.DataFrame({"id": ["a"], "etag": ["1"]}))
            ...     commit = store.write(Text, store.resolve_update(Text).new)
            ...     clip, = store.lineage(Text, "a").upstream
            >>> print(clip.feature, clip.commit)
            clip 1
        """
        from metaxy_core.store.lineages import LineageTracing

        graph, key = locate(feature)
        with self._parts.backend.turn, self._parts.backend.snapshot() as snapshot:
            return LineageTracing(self._parts, snapshot, graph).record(key, id)
