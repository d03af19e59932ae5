"""Calls that say whether anything was done, for whoever asks again and again."""

from __future__ import annotations

from typing import Any

from metaxy_core.feature import locate
from metaxy_core.keys import FeatureKey, KeyLike
from metaxy_core.store.commit_sets import CommitSet
from metaxy_core.store.parts import Calls


class WatchingCalls(Calls):
    """What the catalog tells in one query."""

    def commit_sets(self, *features: KeyLike, rebases: bool = True) -> dict[FeatureKey, CommitSet]:
        """Which commits some features have, from one query that reads nothing but the catalog.

        Where the answer is the same as before, nothing was done meanwhile. What was done is the
        difference of the numbers, in whatever order the commits arrived.

        Args:
            features: the features.
            rebases: whether they count, which may let downstream go on, but leave all that records
                hold as it was. Compactions never do.

        Returns:
            A set for each feature; an empty one where it was never written.

        Raises:
            UnknownFeature: the graph does not hold a feature.
            StoreLocked: another process held the store too long.

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
            ...     before = store.commit_sets(Clip)
            ...     commit = store.write(Clip, pl.DataFrame({"id": ["a"], "etag": ["1"]}))
            ...     after = store.commit_sets(Clip)
            >>> print(before[Clip.spec.key].records, after[Clip.spec.key].records)
            0 1
        """
        keys = [locate(feature)[1] for feature in features]
        with self._parts.backend.snapshot() as snapshot:
            return self._parts.catalog.commit_sets(snapshot, keys, rebases=rebases)

    def is_settled(self, feature: KeyLike) -> bool:
        """Whether the catalog alone tells that a feature has nothing to do.

        That is the case after a ``resolve_update`` that found nothing, until its definition, it or
        one of its deps changes. Reads no record.

        Args:
            feature: the feature.

        Returns:
            False also where one would have to look at records to know: right after work was done,
            of a root, whose samples the catalog does not know, and over a fallback.

        Raises:
            UnknownFeature: the graph does not hold the feature.
            StoreLocked: another process held the store too long.
        """
        graph, key = locate(feature)
        plan = graph.plan(key)
        if plan.is_root:
            return False
        with self._parts.backend.snapshot() as snapshot:
            keys = [key, *(dep.feature for dep in plan.deps)]
            histories = self._parts.catalog.histories(snapshot, keys)
            return self._parts.settled.examination(snapshot, plan, histories).is_needless

    def samples_version(self, feature: KeyLike, samples: Any) -> str:
        """One version of the samples of a root feature: 16 hex digits.

        It changes when a sample comes, goes or has another version, and with nothing else. The
        store is not read.

        Args:
            feature: the root feature.
            samples: every record that should exist; see ``resolve_update``.

        Raises:
            InvalidSamples: the feature is no root, or there are no samples.
            DataError: the samples have missing, NULL or repeated ids, or lack versions.
        """
        from metaxy_core.store.samples import check_samples, samples_version
        from metaxy_core.store.writing import sample_frame

        graph, key = locate(feature)
        plan = graph.plan(key)
        check_samples(plan, samples)
        with self._parts.backend.turn:
            return samples_version(plan, sample_frame(plan, self._parts.backend, samples))
