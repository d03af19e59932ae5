"""A sensor runs what is downstream of a change, and reads nothing but the catalog to see one."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import dagster as dg

from metaxy_core.errors import StoreLocked, StoreUnreachable
from metaxy_core.store.commit_sets import CommitSet
from metaxy_dagster.chosen import Features
from metaxy_dagster.errors import InvalidAutomation
from metaxy_dagster.lost_claims import held_claims, holders
from metaxy_dagster.naming import dagster_name
from metaxy_dagster.resource import STORE_KEY, TICK_LOCK_TIMEOUT
from metaxy_dagster.watched import Watched, assets_of, check_runnable, watched

CHANGED_FEATURES: Final = "metaxy/changed_features"
CHANGED_RECORDS: Final = "metaxy/changed_records"
LOST: Final = "metaxy/left_to"
_OWNERS: Final = "owners of claims"  # no feature is called so

Sets = Mapping[str, CommitSet]


def upstream_change_sensor(
    features: Features = (),
    *,
    of: Features = (),
    target: Any = None,
    name: str | None = None,
    minimum_records: int = 1,
    minimum_interval_seconds: int | None = None,
    run_tags: Mapping[str, str] | None = None,
    partition_keys: Sequence[str] = (),
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
    description: str | None = None,
    lock_timeout: float = TICK_LOCK_TIMEOUT,
    store_key: str = STORE_KEY,
) -> dg.SensorDefinition:
    """A sensor that requests a run when commits arrive, whoever made them.

    A write, a delete and a rebase are changes; a rebase too, since records that waited for it may
    be processed now. Compaction is none. A tick without a change is one query on the catalog, and
    another one where there are claims.

    A run that left records to another one succeeds. Where the other one then fails or is killed, a
    tick that saw its claim before requests a run, once nobody else holds records.

    No change is missed and none is answered twice. The cursor holds which commits there were at the
    last request, so that late commits count and changes add up while a threshold is not reached.
    The run key is made of the same, so that a lost cursor or a repeated tick asks for a run that
    Dagster knows already. Without a cursor everything counts: the first tick requests a run if
    there is any commit. A store that is locked or away makes a tick skip, and the cursor stays.

    Args:
        features: whose commits to watch: classes, keys, selection texts such as ``"tag:raw"``, or
            assets of features. Nothing is run for the watched features themselves.
        of: features to bring up to date; everything upstream of them is watched, but for what is
            named here, since the runs write it themselves.
        target: what to run: a job, an asset selection or assets. Without it the assets of ``of``,
            or else of everything downstream of ``features``, as far as they are defined here. Those
            with partitions are among them only where ``partition_keys`` are given; assets with
            ``batch_size`` are run by an ``increment_partitions_sensor``. A tick fails where that
            leaves nothing to run.
        name: name of the sensor; made of the features where it is None.
        minimum_records: request a run only when so many records changed since the last request.
        minimum_interval_seconds: least time between two ticks.
        run_tags: further tags of the runs, which have ``metaxy/changed_features`` and
            ``metaxy/changed_records``.
        partition_keys: partitions of what is run, such as hash buckets: one run for each of them.
        default_status: whether the sensor is on when it is first deployed.
        description: what the UI says; made of the features where it is None.
        lock_timeout: seconds that a tick waits for a writer before it skips.
        store_key: resource key of the ``MetaxyStoreResource``.

    Raises:
        InvalidAutomation: there is nothing to watch or to run.
        UnknownFeature: the graph does not hold a feature.
        InvalidSelection: a selection cannot be read, or nothing matches it.

    Example:
        >>> import metaxy_core as mx
        >>> with mx.FeatureGraph().use():
        ...     class Video(mx.Feature, spec=mx.FeatureSpec(key="example/video")):
        ...         pass
        ...     class Face(mx.Feature, spec=mx.FeatureSpec(key="example/face", deps=[Video])):
        ...         pass
        >>> sensor = upstream_change_sensor(of=Face, minimum_records=100)
        >>> sensor.name
        'upstream_changes_of_example_face'
    """
    found = watched("upstream_change_sensor", features, of)
    _check_arguments(minimum_records, found, target)

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        resource = getattr(context.resources, store_key)
        try:
            with resource.open(lock_timeout=lock_timeout) as store:
                now = _sets(store.commit_sets(*found.features))
                held = held_claims(store, found.targets)
        except (StoreLocked, StoreUnreachable) as error:
            return dg.SkipReason(f"{error} The next tick looks again; nothing is missed.")
        commits, owners = _from_cursor(context)
        before = {k: v for k, v in commits.items() if k in found.features}
        change, working = change_between(before, now), holders(context, owners, held)
        reason = None if working.lost else _too_little(found, now, change, minimum_records)
        if reason is not None:
            if working.since == owners:
                return dg.SkipReason(reason)
            return dg.SensorResult(skip_reason=reason, cursor=_to_cursor(before, working.since))
        if target is None:
            check_runnable("upstream_change_sensor", found.targets, partition_keys, context)
        tags = {
            CHANGED_FEATURES: ", ".join(change.features),
            CHANGED_RECORDS: str(change.records),
            **({LOST: ", ".join(working.lost)} if working.lost else {}),
            **(run_tags or {}),
        }
        key = _run_key(now, change, context.cursor, working.lost)
        requests = requests_of(tags, partition_keys, key)
        return dg.SensorResult(run_requests=requests, cursor=_to_cursor(now, working.since))

    watching = ", ".join(found.features)
    return dg.SensorDefinition(
        name=name or _name(found, of),
        evaluation_fn=evaluate,
        target=assets_of(found.targets, partition_keys) if target is None else target,
        minimum_interval_seconds=minimum_interval_seconds,
        default_status=default_status,
        description=description or f"Requests a run when commits arrive for {watching}.",
        required_resource_keys={store_key},
    )


def requests_of(
    tags: Mapping[str, str], partition_keys: Sequence[str], run_key: str | None = None
) -> list[dg.RunRequest]:
    """One run, or one for each partition.

    Args:
        tags: tags of every run.
        partition_keys: the partitions.
        run_key: what tells the runs from those of other changes; a schedule has none, and Dagster
            tells the runs of one of its ticks by partition.
    """
    if not partition_keys:
        return [dg.RunRequest(run_key=run_key, tags=dict(tags))]
    return [
        dg.RunRequest(
            run_key=key if run_key is None else f"{run_key}-{key}",
            tags=dict(tags),
            partition_key=key,
        )
        for key in partition_keys
    ]


# --------------------------------------------------------------------------- what changed


@dataclass(frozen=True)
class Change:
    """What was done between two looks at the catalog.

    Attributes:
        features: those with commits that were not there before.
        records: how many records these changed.
        elsewhere: whether the store is not the one of before, or was put back to an older state.
    """

    features: tuple[str, ...]
    records: int
    elsewhere: bool = False


def change_between(before: Sets, now: Sets) -> Change:
    """What was done since.

    Args:
        before: the commit sets of the last request, without features that have none.
        now: the commit sets of the same store, or of another that took its place.
    """
    names = sorted({*before, *now})
    different = tuple(name for name in names if now.get(name) != before.get(name))
    elsewhere = any(
        not now.get(name, CommitSet()).continues(found) for name, found in before.items()
    )
    if elsewhere:
        return Change(different, sum(found.records for found in now.values()), elsewhere=True)
    records = sum(now[name].records - before.get(name, CommitSet()).records for name in different)
    return Change(different, records)


def _sets(found: Mapping[Any, CommitSet]) -> dict[str, CommitSet]:
    return {str(key): commits for key, commits in sorted(found.items()) if commits.commits}


def _run_key(now: Sets, change: Change, cursor: str | None, lost: Sequence[str]) -> str:
    """The same for the same commits, and the same owners that died.

    A store that was put back has commits that a run was requested for before, and what that run
    did is gone with the rest; so the key tells what it was put back from.
    """
    state = _to_cursor(now) + (cursor or "" if change.elsewhere else "") + "".join(lost)
    return hashlib.sha256(state.encode()).hexdigest()[:32]


# --------------------------------------------------------------------------- the cursor


def _to_cursor(now: Sets, owners: Mapping[str, str] | None = None) -> str:
    said: dict[str, Any] = {name: asdict(found) for name, found in now.items()}
    return json.dumps({**said, **({_OWNERS: owners} if owners else {})}, default=_text_of)


def _text_of(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat()


def _from_cursor(context: dg.SensorEvaluationContext) -> tuple[Sets, dict[str, str]]:
    """The commit sets and the owners of claims that the cursor holds.

    There are none where there is no cursor, or one that is not ours.
    """
    if context.cursor is None:
        return {}, {}
    try:
        said = json.loads(context.cursor)
        owners = {str(owner): str(since) for owner, since in said.pop(_OWNERS, {}).items()}
        return {
            name: CommitSet(
                newest=int(values["newest"]),
                commits=int(values["commits"]),
                records=int(values["records"]),
                first_at=dt.datetime.fromisoformat(values["first_at"]),
                last_at=dt.datetime.fromisoformat(values["last_at"]),
            )
            for name, values in said.items()
        }, owners
    except (ValueError, TypeError, KeyError, AttributeError):
        context.log.warning("The cursor %r is none of this sensor; it is ignored.", context.cursor)
        return {}, {}


# --------------------------------------------------------------------------- words


def _check_arguments(minimum_records: int, found: Watched, target: Any) -> None:
    call = "upstream_change_sensor"
    if type(minimum_records) is not int or minimum_records < 1:
        raise InvalidAutomation.from_argument(
            call, "minimum_records", minimum_records, "a whole number from 1"
        )
    if target is None and not found.targets:
        raise InvalidAutomation.from_leaves(call, found.features)


def _name(found: Watched, of: Features) -> str:
    if of:
        return f"upstream_changes_of_{dagster_name(*found.targets)}"
    return f"changes_of_{dagster_name(*found.features)}"


def _too_little(found: Watched, now: Sets, change: Change, minimum_records: int) -> str | None:
    """Why no run is requested; None where there is reason for one."""
    if not now or not change.features:
        return _nothing_new(found, now)
    if change.records < minimum_records and not change.elsewhere:
        return (
            f"{change.records} of {minimum_records} records changed since the last request, "
            f"in {', '.join(change.features)}."
        )
    return None


def _nothing_new(found: Watched, now: Sets) -> str:
    watching = ", ".join(found.features)
    if not now:
        return f"There is no commit of {watching} yet."
    newest = max(commits.newest or 0 for commits in now.values())
    return f"No new commit of {watching} since commit {newest}."
