"""A state of a feature or a slice has a version, by which Dagster knows what became stale."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable

import dagster as dg

from metaxy_core.feature import locate
from metaxy_core.keys import KeyLike
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.commits import LEAVING_DATA
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.filtering import all_of
from metaxy_dagster.slices import Slice
from metaxy_dagster.slicing import stored_count


def data_version(store: MetadataStore, feature: KeyLike) -> dg.DataVersion:
    """A version of a feature's whole state: any change of data changes it, and nothing else does.

    It is made of the feature's key and the newest commit that changed what its records hold, which
    a rebase does not; the time of the commit keeps a store that was made anew from passing for the
    old one.

    Args:
        store: the store.
        feature: the feature.

    Example:
        >>> import metaxy_core as mx
        >>> with mx.FeatureGraph().use(), mx.DuckDBMetadataStore(":memory:") as store:
        ...     class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip")):
        ...         pass
        ...     data_version(store, Clip) == data_version(store, Clip)
        True
    """
    (_, key), last = locate(feature), store.history(feature).last_change
    state = str(key) if last is None else f"{key} {last.id} {last.created_at.isoformat()}"
    return _version(state)


def slice_version(store: MetadataStore, feature: FeatureName, part: Slice) -> dg.DataVersion:
    """A version of a slice's state: a change of its records changes it, and no other slice's does.

    It is made of the newest commit with a row of the slice that is no rebase, and of how many
    records the slice has, which tells of erased ones. Some counting queries find that commit; one
    does where the newest commit of the feature is it.

    Args:
        store: the store.
        feature: the feature.
        part: the slice; for the whole feature this is ``data_version``.
    """
    if not part:
        return data_version(store, feature)
    commits = store.commits(feature)
    changes = [commit for commit in commits if commit.operation not in LEAVING_DATA]
    left_alone = [str(commit.id) for commit in commits if commit.operation in LEAVING_DATA]
    others = f"NOT metaxy_commit IN ({', '.join(left_alone)})" if left_alone else None

    def holds(place: int) -> bool:
        since = all_of(f"metaxy_commit >= {changes[place].id}", others)
        found = store.read(
            feature, filters=all_of(part.filters, since), history=True, include_deleted=True
        )
        return bool(found.count())

    count = stored_count(store, feature, part) if changes else 0
    place = _first(len(changes), holds)
    newest = changes[place] if place < len(changes) else None
    state = "" if newest is None else f"{newest.id} {newest.created_at.isoformat()}"
    return _version(f"{feature} {part.filters} {count} {state}")


def _version(state: str) -> dg.DataVersion:
    return dg.DataVersion(hashlib.sha256(state.encode()).hexdigest()[:16])


def _first(size: int, holds: Callable[[int], bool]) -> int:
    """The first place that holds, where all after it hold too, or else the size."""
    low, step = 0, 1
    while low + step <= size and not holds(low + step - 1):
        low, step = low + step, step * 2
    high = min(low + step - 1, size)
    return bisect_left(range(high), x=True, lo=low, key=holds)
