"""A snapshot is the graph of a project as it was pushed, told by versions and hashes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from metaxy_core.errors import UnknownSnapshot

PREVIOUS: Final = "previous"


@dataclass(frozen=True)
class SnapshotChanges:
    """What a snapshot changed against an earlier one; keys, sorted.

    Attributes:
        added: own features that the earlier one had not.
        removed: own features that only the earlier one had.
        changed: own features whose version moved.
        edited: features, external ones too, that are defined differently in the same version, say
            with another description, or moved outside the project.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    edited: tuple[str, ...]


@dataclass(frozen=True)
class RecordedSnapshot:
    """A graph as it was pushed to the store.

    Attributes:
        id: position in the order of pushes, of all projects of the store.
        project: whose graph it is; empty where the project has no name.
        version: the graph's project version.
        recorded_at: when, in UTC.
        features: feature version of each feature of the project, by key.
        definitions: hash of the whole definition of each feature, by key; external features too.
    """

    id: int
    project: str
    version: str
    recorded_at: dt.datetime
    features: Mapping[str, str]
    definitions: Mapping[str, str]

    def changes_since(self, before: RecordedSnapshot | None) -> SnapshotChanges:
        """What is different from an earlier snapshot; everything is added where it is None.

        Args:
            before: the earlier snapshot.
        """
        old = {} if before is None else before.features
        former = {} if before is None else before.definitions
        in_both = sorted(self.features.keys() & old.keys())
        changed = tuple(key for key in in_both if self.features[key] != old[key])
        return SnapshotChanges(
            added=tuple(sorted(self.features.keys() - old.keys())),
            removed=tuple(sorted(old.keys() - self.features.keys())),
            changed=changed,
            edited=tuple(
                key
                for key in sorted(self.definitions.keys() & former.keys())
                if self.definitions[key] != former[key] and key not in changed
            ),
        )


def to_snapshot(row: Mapping[str, Any]) -> RecordedSnapshot:
    """A snapshot as it is recorded."""
    return RecordedSnapshot(
        id=row["snapshot"],
        project=row["project"] or "",
        version=row["version"],
        recorded_at=row["recorded_at"],
        features=json.loads(row["features"]),
        definitions=json.loads(row["definitions"]),
    )


def to_row(snapshot: RecordedSnapshot) -> dict[str, Any]:
    """The same as a row of the catalog."""
    return {
        "snapshot": snapshot.id,
        "project": snapshot.project,
        "version": snapshot.version,
        "features": json.dumps(snapshot.features, sort_keys=True),
        "definitions": json.dumps(snapshot.definitions, sort_keys=True),
        "recorded_at": snapshot.recorded_at,
    }


def matching(pushed: Sequence[RecordedSnapshot], wanted: str, project: str) -> RecordedSnapshot:
    """The snapshot of a project that is named by its number, its version or ``previous``.

    Args:
        pushed: the project's snapshots, oldest first.
        wanted: the name; a number that none of them has is the beginning of a version.
        project: name of the project, for messages.

    Raises:
        UnknownSnapshot: none of them has this name, or several do.
    """
    if wanted == PREVIOUS and len(pushed) > 1:
        return pushed[-2]
    numbered = [item for item in pushed if str(item.id) == wanted]
    if numbered:
        return numbered[0]
    found = {item.version: item for item in pushed if item.version.startswith(wanted)}
    if len(found) == 1:
        return found.popitem()[1]
    if found:
        raise UnknownSnapshot(
            f"Several snapshots begin with {wanted!r}: {', '.join(found)}; give more digits."
        )
    of = f" of project {project!r}" if project else ""
    known = ", ".join(f"{item.id} ({item.version})" for item in pushed)
    raise UnknownSnapshot(
        f"The store holds no snapshot {wanted!r}{of}; "
        f"{f'known: {known}' if known else 'none was pushed yet, run `metaxy push`'}."
    )
