"""A state of a feature or a slice has a version, by which Dagster knows what became stale."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import dagster as dg

from metaxy_core.feature import locate
from metaxy_core.keys import KeyLike
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.commits import HARD_DELETE, LEAVING_DATA
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.filtering import all_of
from metaxy_dagster.requests import Request
from metaxy_dagster.slices import Slice
from metaxy_dagster.slicing import stored_count


def data_version(store: MetadataStore, feature: KeyLike) -> dg.DataVersion:
    """A version of a feature's whole state: any change of data changes it, and nothing else does.

    It is made of the feature's key and the set of the commits that changed what its records hold,
    deletions included, which a rebase and a compaction do not. So a commit that arrives late, under
    a smaller number, changes it too; the times of the commits keep a store that was made anew from
    passing for the old one. One query on the catalog tells.

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
    (_, key), (found,) = locate(feature), store.commit_sets(feature, rebases=False).values()
    times = [str(time and time.isoformat()) for time in (found.first_at, found.last_at)]
    return _version(f"{key} {found.newest} {found.commits} {found.records} {' '.join(times)}")


def request_version(store: MetadataStore, feature: FeatureName, request: Request) -> dg.DataVersion:
    """A version of the state of those records that an asset or its partition holds.

    Args:
        store: the store.
        feature: the feature.
        request: of the run; what it leaves out of them makes no difference. Of the partition that
            stays where others go it is the version of all.
    """
    if request.is_lasting:
        return slice_version(store, feature, request.part)
    return slice_version(store, feature, request.part, request.among, request.partition)


def slice_version(
    store: MetadataStore,
    feature: FeatureName,
    part: Slice,
    among: Any = None,
    partition: str | None = None,
) -> dg.DataVersion:
    """A version of a slice's state: a change of its records changes it, and no other slice's does.

    The slice of a run over several partitions of a ``partition_expr``, as of
    ``BackfillPolicy.single_run()``, is all of them together: Dagster is told this one version for
    each of them, and a change of one counts as a change of all.

    It is made of the newest commit with a row of the slice that is no rebase. Some counting queries
    over the rows since find that commit; one does where the newest commit of the feature is it.
    Erased records have no rows: of a slice the number of records tells of them, and of a bucket or
    a batch, which it would take a look at every id to count, how often any of the feature were.

    Args:
        store: the store.
        feature: the feature.
        part: the slice.
        among: the bucket, or the ids of the batch, where it is a partition of these.
        partition: its key.
    """
    if not part and among is None:
        return data_version(store, feature)
    commits = store.commits(feature)
    changes = [commit for commit in commits if commit.operation not in LEAVING_DATA]
    left_alone = [str(commit.id) for commit in commits if commit.operation in LEAVING_DATA]
    others = f"NOT metaxy_commit IN ({', '.join(left_alone)})" if left_alone else None

    def holds(place: int) -> bool:
        filters = all_of(part.filters, f"metaxy_commit >= {changes[place].id}", others)
        found = store.read(
            feature, filters=filters, history=True, include_deleted=True, among=among
        )
        return bool(found.count())

    if among is None:
        count = stored_count(store, feature, part) if changes else 0
    else:
        count = sum(commit.operation == HARD_DELETE for commit in changes)
    place = _first(len(changes), holds)
    newest = changes[place] if place < len(changes) else None
    state = "" if newest is None else f"{newest.id} {newest.created_at.isoformat()}"
    named = part.filters if partition is None else f"{part.filters} {partition}"
    return _version(f"{feature} {named} {count} {state}")


def _version(state: str) -> dg.DataVersion:
    return dg.DataVersion(hashlib.sha256(state.encode()).hexdigest()[:16])


def _first(size: int, holds: Callable[[int], bool]) -> int:
    """The first place that holds, where all after it hold too, or else the size."""
    low, step = 0, 1
    while low + step <= size and not holds(low + step - 1):
        low, step = low + step, step * 2
    high = min(low + step - 1, size)
    return bisect_left(range(high), x=True, lo=low, key=holds)
