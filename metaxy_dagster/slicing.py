"""Resolving one slice of a feature gives its increment and its orphans, and no other slice's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.store.base import MetadataStore
from metaxy_core.store.increment import Increment
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.filtering import all_of
from metaxy_dagster.slices import Slice

if TYPE_CHECKING:
    import polars as pl

_OF_WORK: Final = ("limit", "stale_if", "max_attempts", "claim")


def resolved(
    store: MetadataStore, feature: FeatureName, samples: Any, part: Slice, **options: Any
) -> Increment:
    """The increment of a slice: its new and stale records, and its orphans.

    Args:
        store: the store.
        feature: the feature.
        samples: for a root, its samples; those of other slices are left out.
        part: the slice; for the whole feature this is ``resolve_update``.
        **options: further arguments of ``resolve_update``; ``filters`` narrow the slice.
    """
    if not part:
        return store.resolve_update(feature, samples, **options)
    if samples is not None:
        found = store.resolve_update(feature, part.of_samples(feature, samples), **options)
        return _with_orphans(store, feature, part, found, found)
    filters = all_of(part.filters, options.get("filters"))
    found = store.resolve_update(feature, **{**options, "filters": filters})
    if set(part.columns) <= set(feature.plan.grain):
        return found
    about_orphans = {name: value for name, value in options.items() if name not in _OF_WORK}
    return _with_orphans(
        store, feature, part, found, store.resolve_update(feature, **about_orphans)
    )


def _with_orphans(
    store: MetadataStore, feature: FeatureName, part: Slice, found: Increment, whole: Increment
) -> Increment:
    """An increment with those orphans that are in the slice, by what is stored of them."""
    if whole.counts.orphaned:
        stored, orphaned = stored_ids(store, feature, part), whole.orphaned
        shared = [name for name in stored.columns if name in orphaned.columns]
        found.orphaned = orphaned.join(stored.select(shared).unique(), on=shared, how="semi")
        found.counts = replace(found.counts, orphaned=found.orphaned.height)
    return found


def stored_ids(store: MetadataStore, feature: FeatureName, part: Slice) -> pl.DataFrame:
    """The ids of a slice's stored records."""
    ids = list(feature.spec.id_columns)
    return store.read(feature, columns=ids, filters=part.filters).to_polars()


def stored_count(store: MetadataStore, feature: FeatureName, part: Slice) -> int:
    """How many records of a slice are stored."""
    return store.read(feature, filters=part.filters).count() if part else store.count(feature)


def others(ids: pl.DataFrame, known: pl.DataFrame, feature: FeatureName) -> pl.DataFrame:
    """Those of some records that are not among other ones.

    Args:
        ids: ids of the records.
        known: ids of the other ones, perhaps in other types and with further columns.
        feature: the feature.
    """
    return ids.join(like(known, ids), on=feature.plan.grain, how="anti") if known.height else ids


def like(frame: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """The columns that two frames share, in the types of the other one."""
    shared = [name for name in other.columns if name in frame.columns]
    return frame.select(shared).cast({name: other.schema[name] for name in shared})
