"""Checks look at one state of a feature, of which no part is computed twice or for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from metaxy_core import system_columns as sc
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.increment import Increment
from metaxy_core.store.integrity import Integrity
from metaxy_dagster.root_samples import RootSamples
from metaxy_dagster.slicing import resolved, stored_count
from metaxy_dagster.targets import Target

if TYPE_CHECKING:
    import polars as pl

    from metaxy_core.store.reading import Records

SHOWN: Final = 5


@dataclass(frozen=True)
class Limits:
    """How much is too much.

    Attributes:
        max_orphans: how many orphans may be there; a float is a share of the stored records.
        max_attempts: with so many failures a record counts as failing.
    """

    max_orphans: float = 0
    max_attempts: int = 1


@dataclass(frozen=True)
class Verdict:
    """How a check came out.

    Attributes:
        passed: whether all is well.
        description: what was found, and where something is wrong, what to do next.
        metadata: numbers, and a few ids.
    """

    passed: bool
    description: str
    metadata: Mapping[str, Any]

    @classmethod
    def fine(cls, description: str, metadata: Mapping[str, Any]) -> Self:
        """All is well."""
        return cls(passed=True, description=description, metadata=metadata)

    @classmethod
    def wrong(cls, description: str, metadata: Mapping[str, Any]) -> Self:
        """Something is not as it should be."""
        return cls(passed=False, description=description, metadata=metadata)


class State:
    """What an asset holds of a feature in an open store, looked at only as far as checks ask.

    Of an asset that holds a slice, increment and number of records are the slice's; failures and
    the soundness of the table are the feature's.

    Args:
        store: the store.
        target: the feature and the asset.
        samples: of roots.
        limits: how much is too much.
    """

    def __init__(
        self, store: MetadataStore, target: Target, samples: RootSamples, limits: Limits
    ) -> None:
        self.store = store
        self.feature = target.feature
        self.limits = limits
        self._part = target.part
        self._samples = samples

    @cached_property
    def increment(self) -> Increment:
        """What there is to do, without what is failing."""
        samples = self._samples.of_root(self.feature)
        attempts = self.limits.max_attempts
        return resolved(self.store, self.feature, samples, self._part, max_attempts=attempts)

    @cached_property
    def records(self) -> int:
        """How many records are stored."""
        return stored_count(self.store, self.feature, self._part)

    @cached_property
    def integrity(self) -> Integrity:
        """Whether the table is sound."""
        return self.store.integrity(self.feature)

    @cached_property
    def failing(self) -> int:
        """How many records failed too often at what they would be computed from now.

        Of a root whose samples are not known, the versions that they failed at last stand for the
        present ones.
        """
        if self.feature in self._samples or not self.feature.plan.is_root:
            return self.increment.failed
        return sum(1 for _ in self.failures())

    def failures(self) -> Iterable[dict[str, Any]]:
        """The records that failed too often, with their last error."""
        records: Records = self.store.failures(self.feature)
        for batch in records.batches():
            for row in batch.to_pylist():
                if row[sc.ATTEMPTS] >= self.limits.max_attempts:
                    yield row

    def to_process_ids(self) -> list[Any]:
        """Ids of a few new and stale records."""
        with closing(self.increment.batches(SHOWN)) as batches:  # type: ignore[type-var]
            return ids_of(next(batches), self.feature.plan.grain)


def ids_of(rows: pl.DataFrame, columns: Iterable[str]) -> list[Any]:
    """The ids of a few rows, as metadata can hold them.

    Example:
        >>> import polars as pl
        >>> ids_of(pl.DataFrame({"clip": ["a"], "number": [1]}), ["clip", "number"])
        ['a, 1']
    """
    names = [name for name in columns if name in rows.columns]
    return [shown(row if len(row) > 1 else row[0]) for row in rows.select(names).head(SHOWN).rows()]


def shown(id_: object) -> str:
    """An id as text; several columns joined."""
    return ", ".join(map(str, id_)) if isinstance(id_, tuple) else str(id_)
