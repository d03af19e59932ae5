"""A plain-Python oracle of increments: structures instead of hashes, loops instead of SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Version = Any  # a nested tuple that says what a version was made of


@dataclass
class Dep:
    feature: str
    optional: bool
    above: int | None  # the filter `n > above` on the upstream's column n


@dataclass
class Field:
    key: str
    code: str
    reads: dict[str, list[str]] | None  # None: by name


@dataclass
class Feature:
    key: str
    fields: list[Field]
    deps: list[Dep]


@dataclass
class Record:
    n: int
    provenance: dict[str, Version]
    code: dict[str, str]
    override: dict[str, str] = field(default_factory=dict)

    def data_version(self, key: str) -> Version:
        return self.override.get(key, self.provenance.get(key))


Records = dict[str, dict[str, Record]]


def reads(feature: Feature, own: Field, features: dict[str, Feature]) -> list[tuple[str, str]]:
    if own.reads is not None:
        return sorted((up, key) for up, keys in own.reads.items() for key in keys)
    offered = [(dep.feature, f.key) for dep in feature.deps for f in features[dep.feature].fields]
    return sorted([pair for pair in offered if pair[1] == own.key] or offered)


def increment(
    feature: Feature, features: dict[str, Feature], stored: Records, samples: dict[str, Any]
) -> dict[str, Any]:
    """Ids of the new, stale (with changed fields), orphaned and blocked records."""
    own = stored[feature.key]
    new, stale, blocked = {}, {}, set()
    for id_, (provenance, ready) in expected(feature, features, stored, samples).items():
        if not ready:
            blocked.add(id_)
        elif id_ not in own:
            new[id_] = provenance
        elif changed := [k for k, v in provenance.items() if own[id_].provenance.get(k) != v]:
            stale[id_] = (provenance, changed)
    orphaned = own.keys() - new.keys() - expected(feature, features, stored, samples).keys()
    return {"new": new, "stale": stale, "orphaned": set(orphaned), "blocked": blocked}


def expected(
    feature: Feature, features: dict[str, Feature], stored: Records, samples: dict[str, Any]
) -> dict[str, tuple[dict[str, Version], bool]]:
    if not feature.deps:
        return {
            id_: ({f.key: (f.key, f.code, text[f.key]) for f in feature.fields}, True)
            for id_, text in samples.items()
        }
    visible = {
        dep.feature: {
            id_: record
            for id_, record in stored[dep.feature].items()
            if dep.above is None or record.n > dep.above
        }
        for dep in feature.deps
    }
    required = [set(visible[dep.feature]) for dep in feature.deps if not dep.optional]
    ids = set.intersection(*required) if required else set().union(*map(set, visible.values()))
    result = {}
    for id_ in ids:
        provenance, ready = {}, True
        for own in feature.fields:
            parts = []
            for up, key in reads(feature, own, features):
                record = visible[up].get(id_)
                parts.append((up, key, record and record.data_version(key)))
                code = next(f.code for f in features[up].fields if f.key == key)
                ready = ready and (record is None or record.code.get(key) == code)
            provenance[own.key] = (own.key, own.code, tuple(parts))
        result[id_] = (provenance, ready)
    return result
