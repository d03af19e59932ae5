"""The lock file holds other projects' definitions, so that code can be wired to them offline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import ConfigUnreadable

LOCK_NAME: Final = "metaxy.lock"
_FORMAT: Final = 1
_STATE: Final = ("version", "hash")

Externals = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class LockedFeature:
    """One external feature as it was when it was locked.

    Attributes:
        project: whose feature it is.
        via: the project whose snapshot it was taken from: the same, or one that reads it.
        snapshot: version of that snapshot.
        version: the feature's version there.
        hash: hash of its whole definition.
        definition: the definition, external.
    """

    project: str
    via: str
    snapshot: str
    version: str
    hash: str
    definition: FeatureDefinition

    def is_like(self, other: LockedFeature | None) -> bool:
        """Whether both are the same feature in the same state."""
        return other is not None and all(
            getattr(self, name) == getattr(other, name) for name in ("project", "via", *_STATE)
        )


@dataclass(frozen=True)
class Lock:
    """What a lock file holds.

    Attributes:
        externals: the selections of metaxy.toml that it was made for, by project.
        features: the features by key: the selected ones and everything upstream of them.
    """

    externals: Externals
    features: Mapping[str, LockedFeature]

    @property
    def definitions(self) -> tuple[FeatureDefinition, ...]:
        """The features as a graph takes them."""
        return tuple(feature.definition for feature in self.features.values())

    def moved_since(self, before: Lock) -> list[str]:
        """What is different from an earlier lock, in words; nothing where they are alike."""
        keys = sorted(self.features.keys() | before.features.keys())
        found = [_moved(key, before.features.get(key), self.features.get(key)) for key in keys]
        return [words for words in found if words]


def read_lock(file: Path) -> Lock:
    """Read a lock file.

    Raises:
        ConfigUnreadable: it is no lock file of this release.
    """
    try:
        return _lock(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigUnreadable(
            f"The lock file {str(file)!r} cannot be read ({type(error).__name__}: {error}); make "
            f"it again with `metaxy lock`."
        ) from error


def _lock(content: dict[str, Any]) -> Lock:
    if content["format"] != _FORMAT:
        raise ValueError(f"format {content['format']!r}, this release reads {_FORMAT}")
    externals = {name: tuple(terms) for name, terms in content["externals"].items()}
    features = {key: _feature(found) for key, found in content["features"].items()}
    return Lock(externals, features)


def _feature(content: dict[str, Any]) -> LockedFeature:
    definition = FeatureDefinition.model_validate(content["definition"])
    owned = {"project": content["project"], "external": True}
    return LockedFeature(**{**content, "definition": definition.model_copy(update=owned)})


def _to_object(feature: LockedFeature) -> dict[str, Any]:
    told = {name: getattr(feature, name) for name in ("project", "via", *_STATE, "snapshot")}
    definition = feature.definition.model_dump(mode="json", exclude={"project", "external"})
    return {**told, "definition": definition}


def lock_to_json(lock: Lock) -> str:
    """A lock as the text of its file: sorted, so that a diff shows what moved."""
    content = {
        "format": _FORMAT,
        "externals": {name: list(terms) for name, terms in sorted(lock.externals.items())},
        "features": {key: _to_object(feature) for key, feature in sorted(lock.features.items())},
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _moved(key: str, old: LockedFeature | None, new: LockedFeature | None) -> str | None:
    if old is None or new is None:
        return f"{key} was {'removed' if new is None else 'added'}"
    if old.is_like(new):
        return None
    if old.version != new.version:
        return f"{key} moved from {old.version[:8]} to {new.version[:8]}"
    return f"{key} is defined differently"
