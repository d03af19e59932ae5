"""Calls about attempts that failed."""

from __future__ import annotations

from typing import Any

from metaxy_core.errors import InvalidWrite
from metaxy_core.feature import locate
from metaxy_core.keys import KeyLike
from metaxy_core.store.attempts import Attempts
from metaxy_core.store.ownership import check_not_external
from metaxy_core.store.parts import Calls
from metaxy_core.store.reading import Records


class AttemptCalls(Calls):
    """Failures, kept beside the records."""

    def record_failure(
        self,
        feature: KeyLike,
        ids: Any,
        error: str | BaseException,
        *,
        materialization_id: str | None = None,
    ) -> int:
        """Keep that some records could not be computed, so that runs may leave them out.

        A failure counts for the upstream versions it happened at: as soon as the record is stale
        for another reason, it is tried again.

        Args:
            feature: the feature.
            ids: rows of its increment (or a list of ids, whose present versions are looked up);
                of an expansion, the parents.
            error: what went wrong; the first 10,000 characters are kept.
            materialization_id: the run that failed.

        Returns:
            How many records it was kept for.

        Raises:
            DataError: the ids are not those of records that the feature calls for, or it is a root
                feature and the rows lack their ``metaxy_`` columns.
        """
        graph, key = locate(feature)
        check_not_external(graph[key], "record failures of")
        if isinstance(error, BaseException):
            error = f"{type(error).__name__}: {error}"
        for name, value in (("error", error), ("materialization_id", materialization_id)):
            if not isinstance(value, str) and (name == "error" or value is not None):
                raise InvalidWrite.from_argument(name, value, "text")
        with self._parts.backend.turn:
            attempts = Attempts(self._parts, graph, graph.plan(key))
            return attempts.record(ids, error, materialization_id)

    def failures(self, feature: KeyLike) -> Records:
        """The records whose last attempt failed and that were not done since.

        Returns:
            Ids, ``metaxy_attempts`` at the versions it last failed at, ``metaxy_error``,
            ``metaxy_failed_at`` and ``metaxy_materialization_id`` of the last one.
        """
        graph, key = locate(feature)
        return Attempts(self._parts, graph, graph.plan(key)).records()
