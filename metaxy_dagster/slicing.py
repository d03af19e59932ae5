"""Resolving one slice of a feature gives its increment and its orphans, and no other slice's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from metaxy_core.store.base import MetadataStore
from metaxy_core.store.increment import Counts, Increment
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.selecting import both
from metaxy_dagster.slices import Slice

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Resolved:
    """What has to be done for a slice.

    Attributes:
        increment: its new and stale records.
        counts: how many there are of each kind, in the slice.
        orphaned: gives its orphaned records.
    """

    increment: Increment
    counts: Counts
    orphaned: Callable[[], pl.DataFrame]


def resolved(
    store: MetadataStore, feature: FeatureName, samples: Any, part: Slice, **options: Any
) -> Resolved:
    """Resolve a slice of a feature.

    Args:
        store: the store.
        feature: the feature.
        samples: for a root, its samples; those of other slices are left out.
        part: the slice.
        **options: further arguments of ``resolve_update``; ``filters`` narrow the slice.
    """
    if not part:
        increment = store.resolve_update(feature, samples, **options)
        return Resolved(increment, increment.counts, lambda: increment.orphaned)
    if samples is not None:
        increment = store.resolve_update(feature, part.of_samples(feature, samples), **options)
        return _within(store, feature, part, increment, increment)
    options["filters"] = both(part.filters, options.get("filters"))
    increment = store.resolve_update(feature, **options)
    if set(part.columns) <= set(feature.plan.grain):
        return Resolved(increment, increment.counts, lambda: increment.orphaned)
    return _within(store, feature, part, increment, store.resolve_update(feature))


def _within(
    store: MetadataStore, feature: FeatureName, part: Slice, increment: Increment, all_of: Increment
) -> Resolved:
    """An increment, with those orphans of another one that are in the slice."""
    if not all_of.counts.orphaned:
        return Resolved(
            increment, replace(increment.counts, orphaned=0), lambda: increment.orphaned
        )
    left = all_of.orphaned
    stored = stored_ids(store, feature, part)
    shared = [name for name in stored.columns if name in left.columns]
    orphaned = left.join(stored.select(shared).unique(), on=shared, how="semi")
    counts = replace(increment.counts, orphaned=orphaned.height)
    return Resolved(increment, counts, lambda: orphaned)


def stored_ids(store: MetadataStore, feature: FeatureName, part: Slice) -> pl.DataFrame:
    """The ids of a slice's stored records."""
    ids = list(feature.spec.id_columns)
    return store.read(feature, columns=ids, filters=part.filters).to_polars()
