"""Calls that say what has to be done."""

from __future__ import annotations

from typing import Any

from metaxy_core.errors import InvalidSamples, InvalidWrite
from metaxy_core.feature import locate
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import KeyLike
from metaxy_core.specs.filter import Filter, parse_filter
from metaxy_core.store.increment import Increment
from metaxy_core.store.parts import Calls
from metaxy_core.store.resolving import Resolution, Wanted


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
        check_samples(plan, samples)
        wanted = Wanted(_predicate(filters), _predicate(stale_if), _checked_limit(limit))
        resolution = Resolution(graph, plan, self._parts.backend, self._parts.sources, wanted)
        with self._parts.backend.turn:
            if plan.is_root:
                return resolution.from_samples(sample_frame(plan, self._parts.backend, samples))
            return resolution.from_upstream()


def _predicate(text: str | None) -> Filter | None:
    return None if text is None else parse_filter(text)


def _checked_limit(limit: int | None) -> int | None:
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InvalidWrite.from_argument("limit", limit, "a whole number from 1, or None")
    return limit


def check_samples(plan: FeaturePlan, samples: Any) -> None:
    """Samples are given for a root feature, and for no other.

    Raises:
        InvalidSamples: they are not.
    """
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
