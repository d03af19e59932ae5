"""The one place that asks the store what has to be done, for whatever part of it a run handles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from metaxy_core.store.base import MetadataStore
from metaxy_core.store.claims import Claim
from metaxy_core.store.increment import Increment
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.slices import WHOLE, Slice
from metaxy_dagster.slicing import others, resolved

NARROWING: Final = frozenset({"metaxy/limit", "metaxy/filters"})
"""What the metadata of a materialization has where a run left records out as it was asked to."""


@dataclass(frozen=True)
class Request:
    """Which part of a feature's increment a run handles; all of it by default.

    Attributes:
        limit: at most so many new and stale records.
        filters: SQL text over grain and carried columns.
        force: SQL text over the stored records; those for which it holds are stale.
        among: the ids, or the bucket, of the records that are looked at.
        partition: the partition that these are.
        lasting: the partition that tells of the whole feature, where the others do not last.
        part: the slice that these are in.
        claim: under what they are taken, so that other runs get others; None takes none.
        is_held: whether they are taken already, all of them.
    """

    limit: int | None = None
    filters: str | None = None
    force: str | None = None
    among: Any = None
    partition: str | None = None
    lasting: str | None = None
    part: Slice = WHOLE
    claim: Claim | None = None
    is_held: bool = False

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.limit is None and self.filters is None and self.among is None

    @property
    def is_lasting(self) -> bool:
        """Whether it is the run of the partition that tells of the whole feature."""
        return self.lasting is not None and self.partition == self.lasting

    def at_most(self, limit: int) -> Request:
        """The same, of so many records or fewer."""
        return replace(self, limit=limit if self.limit is None else min(limit, self.limit))

    def after(self, processed: int) -> Request:
        """The same when some of the records that the limit allows were found already."""
        return self if self.limit is None else replace(self, limit=self.limit - processed)

    def without(self, ids: Any, feature: FeatureName, store: MetadataStore) -> Request:
        """The same of those new and stale records that are not among some ids.

        Args:
            ids: the ids; None for none.
            feature: the feature.
            store: the store.
        """
        if ids is None:
            return self
        work = resolved(store, feature, None, self.part, stale_if=self.force).ids
        return replace(self, among=others(work, ids, feature))

    def resolved(self, feature: FeatureName, store: MetadataStore, samples: Any) -> Increment:
        """The increment.

        Args:
            feature: the feature.
            store: the store.
            samples: every record that should exist, for a root feature.
        """
        return resolved(
            store,
            feature,
            samples,
            self.part,
            filters=self.filters,
            stale_if=self.force,
            limit=self.limit,
            among=self.among,
            claim=None if self.is_held else self.claim,
        )

    def metadata(self) -> dict[str, Any]:
        """What was asked for, for the materialization."""
        return {f"metaxy/{name}": value for name, value in self._said()}

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self._said())

    def _said(self) -> Iterable[tuple[str, Any]]:
        names = ("partition", "limit", "filters", "force")
        named = {name: getattr(self, name) for name in names}
        return [(name, value) for name, value in named.items() if value is not None]


EVERYTHING = Request()
