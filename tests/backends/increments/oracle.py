"""A plain-Python oracle of increments: structures instead of hashes, loops instead of SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .definitions import Dep, Feature, Field, Over

Version = Any  # a nested tuple that says what a version was made of


@dataclass(frozen=True)
class Record:
    row: dict[str, Any]  # its columns: the id, the ids of coarser levels, and n
    provenance: dict[str, Version]
    codes: dict[str, str]
    override: dict[str, Version] = field(default_factory=dict)

    def data_version(self, key: str) -> Version:
        return self.override.get(key, self.provenance.get(key))


@dataclass(frozen=True)
class Expected:
    provenance: dict[str, Version]
    ready: bool
    row: dict[str, Any]  # the id and the carried columns


@dataclass
class State:
    features: dict[str, Feature]
    samples: dict[str, dict[str, tuple[int | None, dict[str, str]]]]  # n, and a text per field
    records: dict[str, dict[str, Record]]
    parents: dict[str, dict[str, dict[str, Version]]]  # what expansions have processed


@dataclass(frozen=True)
class Options:
    filters: Over | None = None
    stale_if: Over | None = None
    limit: int | None = None


@dataclass
class Increment:
    new: dict[str, dict[str, Version]] = field(default_factory=dict)
    stale: dict[str, dict[str, Version]] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)
    orphaned: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)

    @property
    def ready(self) -> dict[str, dict[str, Version]]:
        return self.new | self.stale


def increment(state: State, key: str, options: Options = Options()) -> Increment:
    """Ids of new, stale, blocked work, and of the records whose work is no longer called for."""
    feature, records, found = state.features[key], state.records[key], Increment()
    grain = feature.column(feature.grain)
    expected = from_upstream(state, feature) if feature.deps else from_samples(state, feature)
    done = {id_: record.provenance for id_, record in records.items()}
    done = state.parents[key] if feature.expands else done
    forced = {r.row[grain] for r in records.values() if holds(options.stale_if, r.row, other=False)}
    for id_ in sorted(expected.keys() | done.keys()):
        want = expected.get(id_, Expected({}, ready=False, row={grain: id_}))
        changed = [k for k, v in want.provenance.items() if done.get(id_, {}).get(k) != v]
        if not holds(options.filters, want.row):
            continue
        if id_ not in expected:
            found.orphaned |= {own for own, record in records.items() if record.row[grain] == id_}
        elif not want.ready:
            found.blocked.add(id_)
        elif len(found.ready) == options.limit or (id_ in done and not (changed or id_ in forced)):
            continue
        elif id_ not in done:
            found.new[id_] = want.provenance
        else:
            found.stale[id_], found.changed[id_] = want.provenance, changed
    return found


def holds(condition: Over | None, row: dict[str, Any], *, other: bool = True) -> bool:
    return other if condition is None else condition.holds(row)


def from_samples(state: State, feature: Feature) -> dict[str, Expected]:
    return {
        id_: Expected(
            {f.key: (f.key, f.code, texts[f.key]) for f in feature.fields},
            ready=True,
            row={feature.column(feature.level): id_, "n": n},
        )
        for id_, (n, texts) in state.samples[feature.key].items()
    }


def from_upstream(state: State, feature: Feature) -> dict[str, Expected]:
    read = {dep.feature: groups(state, feature, dep) for dep in feature.deps}
    required = [set(read[dep.feature]) for dep in feature.deps if not dep.optional]
    ids = set.intersection(*required) if required else set().union(*map(set, read.values()))
    reads = {own.key: fields_read(feature, own, state.features) for own in feature.fields}
    result = {}
    for id_ in ids:
        row: dict[str, Any] = {feature.column(feature.grain): id_}
        ready = True
        for dep in feature.deps:
            members = read[dep.feature].get(id_, {}).values()
            if dep.carries:
                row[f"n{dep.feature[-1]}"] = next((member.row["n"] for member in members), None)
            for up in state.features[dep.feature].fields:
                if any((dep.feature, up.key) in pairs for pairs in reads.values()):
                    ready &= all(member.codes.get(up.key) == up.code for member in members)
        provenance = {
            own.key: (
                own.key,
                own.code,
                tuple(
                    (up, k, version(feature, up, k, read[up].get(id_))) for up, k in reads[own.key]
                ),
            )
            for own in feature.fields
        }
        result[id_] = Expected(provenance, ready, row)
    return result


def groups(state: State, feature: Feature, dep: Dep) -> dict[str, dict[str, Record]]:
    """For each piece of work, the upstream records that it reads."""
    name = state.features[dep.feature].column(feature.grain)
    found: dict[str, dict[str, Record]] = {}
    for id_, record in state.records[dep.feature].items():
        if record.row[name] is not None and holds(dep.filter, record.row):
            found.setdefault(record.row[name], {})[id_] = record
    return found


def version(feature: Feature, up: str, key: str, members: dict[str, Record] | None) -> Version:
    """What a field reads of a dep: one data version, that of each member, or that there is none."""
    if not members:
        return None
    lineage = next(dep.lineage for dep in feature.deps if dep.feature == up)
    versions = {id_: record.data_version(key) for id_, record in members.items()}
    return frozenset(versions.items()) if lineage == "aggregation" else versions.popitem()[1]


def fields_read(
    feature: Feature, own: Field, features: dict[str, Feature]
) -> list[tuple[str, str]]:
    offered = {dep.feature: [f.key for f in features[dep.feature].fields] for dep in feature.deps}
    if own.reads is not None:
        named = [(up, k) for up, key in own.reads for k in ([key] if key else offered[up])]
        return sorted(set(named))
    found = [(d.feature, k) for d in feature.deps for k in mapped(d, own.key, offered[d.feature])]
    plain = [(d.feature, k) for d in feature.deps if d.mapping is None for k in offered[d.feature]]
    return sorted(found or plain)


def mapped(dep: Dep, own: str, offered: list[str]) -> Sequence[str]:
    if isinstance(dep.mapping, tuple):
        return dict(dep.mapping).get(own, ())
    last = own.rsplit("/", maxsplit=1)[-1]
    return {
        "all": offered,
        "none": [],
        "by_suffix": [key for key in offered if key.rsplit("/", maxsplit=1)[-1] == last],
    }.get(dep.mapping or "by_name", [key for key in offered if key == own])
