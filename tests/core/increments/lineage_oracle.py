"""The oracle with lineage: what one piece of work reads may be one record or a set of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Dep:
    feature: str
    lineage: str
    optional: bool


@dataclass
class Feature:
    key: str
    level: str  # what its records are: "id", "child" of an id, or "g", a group of ids
    deps: list[Dep]
    code: str = "1"

    @property
    def grain(self) -> str:
        return "id" if any(dep.lineage == "expansion" for dep in self.deps) else self.level


@dataclass
class Record:
    parent: str | None
    g: str
    provenance: Any
    code: str


@dataclass
class State:
    samples: dict[str, dict[str, str]] = field(default_factory=dict)
    records: dict[str, dict[str, Record]] = field(default_factory=dict)
    work: dict[str, dict[str, Any]] = field(default_factory=dict)


def groups(dep: Dep, grain: str, state: State) -> dict[str, dict[str, Record]]:
    """For each piece of work, the upstream records that it reads."""
    found: dict[str, dict[str, Record]] = {}
    for id_, record in state.records[dep.feature].items():
        key = id_
        if dep.lineage == "aggregation":
            key = record.g if grain == "g" else str(record.parent)
        found.setdefault(key, {})[id_] = record
    return found


def expected(feature: Feature, features: dict[str, Feature], state: State) -> dict[str, Any]:
    """Provenance and readiness of each piece of work."""
    if not feature.deps:
        texts = state.samples[feature.key]
        return {id_: ((feature.code, text), True) for id_, text in texts.items()}
    read = {dep.feature: groups(dep, feature.grain, state) for dep in feature.deps}
    required = [set(read[dep.feature]) for dep in feature.deps if not dep.optional]
    keys = set.intersection(*required) if required else set().union(*map(set, read.values()))
    result = {}
    for key in keys:
        parts, ready = [], True
        for dep in feature.deps:
            members = read[dep.feature].get(key, {})
            part: Any = frozenset((id_, m.provenance) for id_, m in members.items())
            if dep.lineage != "aggregation":
                part = next((m.provenance for m in members.values()), None)
            parts.append((dep.feature, part if members else None))
            ready &= all(m.code == features[dep.feature].code for m in members.values())
        result[key] = ((feature.code, tuple(sorted(parts, key=lambda p: p[0]))), ready)
    return result


def increment(feature: Feature, features: dict[str, Feature], state: State) -> dict[str, Any]:
    """Keys of new, stale and blocked work, and ids of orphaned records."""
    wanted, done = expected(feature, features, state), state.work[feature.key]
    ready = {key: provenance for key, (provenance, ready) in wanted.items() if ready}
    gone = done.keys() - wanted.keys()
    return {
        "new": {key: p for key, p in ready.items() if key not in done},
        "stale": {key: p for key, p in ready.items() if key in done and done[key] != p},
        "orphaned": {
            id_
            for id_, record in state.records[feature.key].items()
            if (record.parent if feature.grain != feature.level else id_) in gone
        },
        "blocked": wanted.keys() - ready.keys(),
    }
