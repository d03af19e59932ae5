"""Calls that read records and their history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from metaxy_core.errors import UnknownFeature
from metaxy_core.feature import locate
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey, HasSpec, KeyLike
from metaxy_core.store.arguments import checked_count, checked_moment
from metaxy_core.store.commits import Commit
from metaxy_core.store.histories import History
from metaxy_core.store.members import Members, given_members
from metaxy_core.store.parts import Calls
from metaxy_core.store.reading import Reading, Records


class RecordCalls(Calls):
    """Records as they are and as they were."""

    def read(
        self,
        feature: KeyLike,
        *,
        columns: Sequence[str] | None = None,
        filters: str | None = None,
        history: bool = False,
        include_deleted: bool = False,
        as_of: int | dt.datetime | None = None,
        among: Any = None,
    ) -> Records:
        """Records of a feature, read when ``.to_polars()``, ``.to_arrow()`` … is called.

        Args:
            feature: the feature.
            columns: the columns wanted, user's and system's; None means all.
            filters: SQL text over the records' columns, applied to their latest state.
            history: every row ever written instead of the latest of each record.
            include_deleted: deleted records too; ``metaxy_deleted_at`` tells.
            as_of: the records as they were after this commit (its id), or at this time.
            among: these records only: a frame with their ids (of an expansion, those of the
                parents), or an ``mx.Bucket``, as for ``resolve_update``.

        Raises:
            InvalidWrite: ``as_of`` is no commit id, or a time without its time zone.
            DataError: ``among`` is no frame with ids, or they have other types.
        """
        graph, key = locate(feature)
        parts, members = self._parts, None
        if among is not None:
            plan = graph.plan(key)
            members = Members(plan, given_members(plan, among))
        reading = Reading(parts.backend, parts.sources, graph[key], columns, filters, members)
        return reading.records(
            history=history, include_deleted=include_deleted, as_of=checked_moment(as_of)
        )

    def history(self, feature: KeyLike) -> History:
        """What the catalog knows of a feature's commits, without touching its records."""
        _, key = locate(feature)
        with self._parts.backend.snapshot() as snapshot:
            return self._parts.catalog.histories(snapshot, [key])[key]

    def histories(self, *features: KeyLike) -> dict[FeatureKey, History]:
        """What ``history`` tells of several features, from one query on the catalog.

        Args:
            features: the features.
        """
        keys = [locate(feature)[1] for feature in features]
        with self._parts.backend.snapshot() as snapshot:
            return self._parts.catalog.histories(snapshot, keys)

    def commits(self, feature: KeyLike, limit: int | None = None) -> tuple[Commit, ...]:
        """The commits of a feature, newest first, without touching its records.

        Args:
            feature: the feature; one that the code does not define any more will do.
            limit: at most so many; all where it is None.

        Raises:
            UnknownFeature: neither the store nor the active graph knows it.
        """
        limit = checked_count("limit", limit)
        key = FeatureKey(feature)
        with self._parts.backend.snapshot() as snapshot:
            found = self._parts.catalog.commits_of(snapshot, key, limit)
            if not found and not isinstance(feature, HasSpec) and key not in FeatureGraph.active():
                known = list(self._parts.catalog.last_used(snapshot))
                raise UnknownFeature.from_store(key, self._parts.backend.address, known)
        return found

    def count(self, feature: KeyLike) -> int:
        """How many records of a feature are stored and not deleted."""
        graph, key = locate(feature)
        return Reading(self._parts.backend, self._parts.sources, graph[key]).count()
