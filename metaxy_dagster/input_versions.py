"""An asset of several steps was computed from what its first step saw, and Dagster is told so.

Dagster looks which versions the assets upstream have when the step begins that makes the asset. By
then they may be newer ones, of which nothing was computed; so the first step's are told in place of
these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from metaxy_dagster.reporting import DATA_VERSION_TAG

if TYPE_CHECKING:
    import dagster as dg

_VERSION_OF: Final = "dagster/input_data_version"
_EVENT_OF: Final = "dagster/input_event_pointer"


def input_versions(context: Any) -> dict[str, str]:
    """Tags of a materialization that tell which state of each asset upstream it was made from.

    What is partitioned is left out: which of its partitions count, Dagster alone knows.

    Args:
        context: of a step of the asset.
    """
    found: dict[str, str] = {}
    for key in context.assets_def.asset_deps[context.asset_key]:
        newest = max(_events(context.instance, key), key=lambda each: each.storage_id, default=None)
        version = None if newest is None else _tags(newest).get(DATA_VERSION_TAG)
        if newest is not None and version is not None and newest.partition_key is None:
            name = key.to_user_string()
            found[f"{_VERSION_OF}/{name}"] = version
            found[f"{_EVENT_OF}/{name}"] = str(newest.storage_id)
    return found


def _events(instance: dg.DagsterInstance, key: dg.AssetKey) -> Iterator[dg.EventLogRecord]:
    """The last materialization of an asset, and its last observation."""
    yield from instance.fetch_materializations(key, limit=1).records
    yield from instance.fetch_observations(key, limit=1).records


def _tags(record: dg.EventLogRecord) -> Mapping[str, str]:
    told = record.asset_materialization or record.asset_observation
    return {} if told is None else told.tags or {}
