"""Calls about work that is planned in batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from metaxy_core.errors import InvalidWrite
from metaxy_core.feature import locate
from metaxy_core.keys import KeyLike
from metaxy_core.store.arguments import checked_count
from metaxy_core.store.batches import Batch, Batches, kept_batches
from metaxy_core.store.ownership import check_not_external
from metaxy_core.store.parts import Calls

if TYPE_CHECKING:
    import polars as pl


class BatchCalls(Calls):
    """Plans that divide a feature's records into batches, which other processes compute."""

    def plan_batches(
        self,
        feature: KeyLike,
        plan: str,
        ids: Any,
        *,
        size: int,
        most: int | None = None,
        prefix: str = "",
        note: str = "",
    ) -> tuple[Batch, ...]:
        """Divide records into batches and keep which record is in which.

        Records that a batch of the same plan holds already are left out, and two processes that
        plan at once plan no record twice.

        Args:
            feature: the feature.
            plan: name of the plan; a feature may have several.
            ids: a frame with the ids, such as ``increment.ids``; of an expansion, the parents'.
            size: records in a batch.
            most: make no more batches than this; the records left are in none.
            prefix: what the new batches' keys begin with; a number follows.
            note: text to keep with each batch.

        Returns:
            The batches that were made.

        Raises:
            DataError: ``ids`` is no frame with ids, or another argument is none.

        Example:
            >>> import polars as pl, metaxy_core as mx
            >>> with mx.FeatureGraph().use():
            ...     class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip", id_columns=["id"])):
            ...         id: int
            >>> with mx.DuckDBMetadataStore(":memory:") as store:
            ...     ids = pl.DataFrame({"id": [1, 2, 3]})
            ...     made = store.plan_batches(Clip, "night", ids, size=2)
            ...     second = store.planned_ids(Clip, "night", "0001")
            >>> print(*(batch.records for batch in made), *second["id"])
            2 1 3
        """
        for name, value in (("plan", plan), ("prefix", prefix), ("note", note)):
            if not isinstance(value, str) or (name == "plan" and not value):
                raise InvalidWrite.from_argument(name, value, "text")
        if size is None or checked_count("size", size) is None:
            raise InvalidWrite.from_argument("size", size, "a whole number from 1")
        most = checked_count("most", most)
        graph, key = locate(feature)
        check_not_external(graph[key], "plan batches of")
        with self._parts.backend.turn:
            return self._batches(feature, plan).add(ids, size, most, prefix, note)

    def batches(self, feature: KeyLike, plan: str | None = None) -> tuple[Batch, ...]:
        """The batches of a plan, in the order of their keys; None gives those of all plans."""
        graph, key = locate(feature)
        with self._parts.backend.snapshot() as snapshot:
            return kept_batches(self._parts, graph.plan(key), plan, snapshot)

    def planned_ids(self, feature: KeyLike, plan: str, batch: str | None = None) -> pl.DataFrame:
        """The ids of the records in a batch; give them to ``resolve_update(among=...)``.

        Args:
            feature: the feature.
            plan: name of the plan.
            batch: key of the batch; None gives those of all, with ``metaxy_batch``.

        Raises:
            UnknownBatch: the plan has no such batch.
        """
        batches = self._batches(feature, plan)
        return batches.ids() if batch is None else batches.ids_of(batch)

    def forget_batches(
        self, feature: KeyLike, plan: str, batches: Iterable[str] | None = None
    ) -> int:
        """Drop batches of a plan, whether their records were computed or not.

        Args:
            feature: the feature.
            plan: name of the plan.
            batches: their keys; None drops all.

        Returns:
            How many there were.
        """
        keys = None if batches is None else list(batches)
        with self._parts.backend.turn:
            return self._batches(feature, plan).forget(keys)

    def _batches(self, feature: KeyLike, plan: str) -> Batches:
        graph, key = locate(feature)
        return Batches(self._parts, graph.plan(key), plan)
