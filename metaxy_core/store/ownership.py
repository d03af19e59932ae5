"""A feature of a store belongs to one project; whose it is, its recorded definitions tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import ExternalFeature, FeatureOwned
from metaxy_core.store.snapshots import RecordedSnapshot


def owners(recorded: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The project of each feature: the last one with a name that recorded it, or none.

    Args:
        recorded: rows of recorded definitions, oldest first.
    """
    found: dict[str, str] = {}
    for row in recorded:
        found[row["feature"]] = row["project"] or found.get(row["feature"], "")
    return found


def check_not_external(definition: FeatureDefinition, call: str) -> None:
    """Another project's features are that project's business.

    Args:
        definition: the feature.
        call: what is about to be done with it, for the message.

    Raises:
        ExternalFeature: it is another project's.
    """
    if definition.external:
        raise ExternalFeature.from_call(definition.key, definition.project, call)


def check_owner(
    definition: FeatureDefinition,
    recorded: Sequence[Mapping[str, Any]],
    newest: Callable[[str], RecordedSnapshot | None],
    address: str,
) -> None:
    """A feature may be changed by its own project, or by any once its own project dropped it.

    A feature of a project without a name may be taken by one with a name.

    Args:
        definition: the feature.
        recorded: rows of recorded definitions, oldest first.
        newest: gives the newest snapshot of a project.
        address: the store, for messages.

    Raises:
        FeatureOwned: it is another project's.
    """
    rows = [row for row in recorded if row["feature"] == str(definition.key)]
    owner = owners(rows).get(str(definition.key), "")
    if owner in {"", definition.project}:
        return
    last = newest(owner)
    claimed = max(row["recorded_at"] for row in rows if row["project"] == owner)
    if last and last.recorded_at > claimed and str(definition.key) not in last.features:
        return
    raise FeatureOwned.from_projects(definition.key, owner, definition.project, address)
