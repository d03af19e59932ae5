"""Calls that say what has to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaxy_core.feature import locate
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import KeyLike
from metaxy_core.specs.filter import Filter, parse_filter
from metaxy_core.store.arguments import checked_count
from metaxy_core.store.claiming import Claiming
from metaxy_core.store.claims import Claim, checked_claim
from metaxy_core.store.increment import Increment
from metaxy_core.store.members import given_members
from metaxy_core.store.ownership import check_not_external
from metaxy_core.store.parts import Calls
from metaxy_core.store.progress import Progress
from metaxy_core.store.resolving import Resolution, Wanted

if TYPE_CHECKING:
    import pyarrow as pa


class UpdateCalls(Calls):
    """Increments of features."""

    def resolve_update(
        self,
        feature: KeyLike,
        samples: Any = None,
        *,
        filters: str | None = None,
        stale_if: str | None = None,
        limit: int | None = None,
        max_attempts: int | None = None,
        among: Any = None,
        claim: Claim | None = None,
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
            max_attempts: leave out records that failed so many times or more at their present
                provenance (see ``record_failure``); ``Increment.failed`` tells how many.
            among: look at these records only: a frame with their ids (of an expansion, those of the
                parents), or an ``mx.Bucket``. No other is given, nor read where that can be.
            claim: take the new and stale records for an owner, and leave out what another one has
                taken; ``Increment.claimed`` tells how many those are. With ``limit``, the first
                ones that nobody else has.

        Returns:
            The increment, computed once, from one snapshot; fetch it before the store is closed.

        Raises:
            UnknownFeature: the graph does not hold the feature.
            ExternalFeature: the feature is another project's.
            InvalidSamples: samples for a feature that has deps, or none for a root.
            ReadOnlyStore: a claim in a store that was opened for reading.
            DataError: the samples have missing, NULL or repeated ids, or lack versions; or
                ``among`` is no frame with ids.

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
        from metaxy_core.store.samples import check_samples

        graph, key = locate(feature)
        check_not_external(graph[key], "resolve")
        plan = graph.plan(key)
        check_samples(plan, samples)
        wanted = Wanted(
            _predicate(filters),
            _predicate(stale_if),
            checked_count("limit", limit),
            checked_count("max_attempts", max_attempts),
        )
        claim = checked_claim(claim)
        members = given_members(plan, among)
        with self._parts.backend.turn:
            frame = self._samples(plan, samples)
            if claim is not None:
                return Claiming(graph, plan, self._parts, wanted, claim).increment(frame, members)
            return self._resolution(graph, plan, wanted).increment(frame, members)

    def progress(self, feature: KeyLike, samples: Any = None) -> Progress:
        """How far a feature is: the share of its expected records that are up to date.

        Args:
            feature: the feature.
            samples: for a root feature, every record that should exist; see ``resolve_update``.

        Raises:
            InvalidSamples: samples for a feature that has deps, or none for a root.
        """
        from metaxy_core.store.samples import check_samples

        graph, key = locate(feature)
        plan = graph.plan(key)
        check_samples(plan, samples)
        with self._parts.backend.turn:
            return self._resolution(graph, plan, Wanted()).progress(self._samples(plan, samples))

    def _samples(self, plan: FeaturePlan, samples: Any) -> pa.Table | None:
        from metaxy_core.store.writing import sample_frame

        return None if samples is None else sample_frame(plan, self._parts.backend, samples)

    def _resolution(self, graph: FeatureGraph, plan: FeaturePlan, wanted: Wanted) -> Resolution:
        return Resolution(graph, plan, self._parts, wanted)


def _predicate(text: str | None) -> Filter | None:
    return None if text is None else parse_filter(text)
