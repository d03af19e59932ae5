"""Calls that say what a run would do, before it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, get_args

from metaxy_core.errors import InvalidWrite
from metaxy_core.graph.changes import declared_changes, with_changes
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey, HasSpec, Key, KeyLike
from metaxy_core.store.parts import Calls
from metaxy_core.store.plan import Plan
from metaxy_core.store.planning import Planning
from metaxy_core.store.samples import check_samples
from metaxy_core.store.writing import sample_frame

Orphans = Literal["keep", "delete"]


class PlanCalls(Calls):
    """Plans of the whole graph."""

    def plan(
        self,
        features: KeyLike | Iterable[KeyLike] | None = None,
        *,
        changed: KeyLike | Iterable[KeyLike] = (),
        samples: Mapping[Any, Any] | None = None,
        orphans: Orphans = "keep",
        begin: Callable[[FeatureKey], object] | None = None,
    ) -> Plan:
        """What a run of the whole graph would recompute, before anything runs.

        The graph is followed from its roots down, in one snapshot of the store: the records of each
        feature as the run would leave them are what the next one is compared with. Nothing is
        written, and nothing is blocked.

        A field that is computed again is taken to get a new data version, so that a run may turn
        out smaller where outputs come out the same. A record that is computed again keeps its
        columns, but for those that come with its samples or from its upstream; a new one has only
        these. Present children of a stale parent stay; children of new parents are not known, and
        ``at_least`` marks what depends on them.

        Args:
            features: the features that are listed; all of the graph where it is None.
            changed: changes of code on top of the present one: ``"feature.field"`` for a field, a
                feature for all of its fields.
            samples: for root features, the samples as ``resolve_update`` takes them. A root without
                samples is taken to keep its records; those that were written under another code
                version of a field change in that field.
            orphans: ``"delete"`` where the run deletes orphaned records, as ``@metaxify`` has it.
            begin: is called with each feature when its turn comes, to show progress.

        Raises:
            UnknownFeature: the graph does not hold a feature.
            UnknownField: a change names a field that its feature does not have.
            InvalidSamples: samples for a feature that has deps.
            DataError: samples have missing, NULL or repeated ids, or lack versions.

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
            ...     samples = pl.DataFrame({"id": ["a", "b"], "etag": ["1", "1"]})
            ...     _ = store.write(Clip, store.resolve_update(Clip, samples).new)
            ...     store.plan(Clip).total.recompute, store.plan(Clip, changed=Clip).total.recompute
            (0, 2)
        """
        wanted = None if features is None else _listed(features)
        changes, given = _listed(changed), dict(samples or {})
        if orphans not in get_args(Orphans):
            raise InvalidWrite.from_argument("orphans", orphans, "'keep' or 'delete'")
        present = _graph_of([*(wanted or ()), *changes, *given])
        listed = None if wanted is None else {present[feature].key for feature in wanted}
        declared = declared_changes(present, changes)
        graph = with_changes(present, declared)
        deletes = orphans == "delete"
        planning = Planning(
            self._parts, graph, frozenset(declared), deletes_orphans=deletes, begin=begin
        )
        with self._parts.backend.turn:
            frames = {}
            for feature, frame in given.items():
                wiring = graph.plan(feature)
                check_samples(wiring, frame)
                frames[wiring.key] = sample_frame(wiring, self._parts.backend, frame)
            return planning.plan(frames, listed)


def _listed(given: KeyLike | Iterable[KeyLike]) -> list[KeyLike]:
    """Several things that name features, or only one."""
    if isinstance(given, str | Key | HasSpec) or not isinstance(given, Iterable):
        return [given]
    return list(given)


def _graph_of(named: Iterable[object]) -> FeatureGraph:
    """The graph of the first class among what is named, or else the active one."""
    graphs = (getattr(item, "graph", None) for item in named if isinstance(item, HasSpec))
    return next((g for g in graphs if isinstance(g, FeatureGraph)), FeatureGraph.active())
