"""Two graphs are compared field by field, to tell what a change of code recomputes, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan, FieldPlan, UpstreamField
from metaxy_core.keys import FeatureKey, FieldKey, KeyLike
from metaxy_core.specs.dependency import FeatureDep

K = TypeVar("K")


class Change(StrEnum):
    """What happened to a feature, a field or a dependency between two graphs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class FieldDiff:
    """One field in both graphs.

    Attributes:
        key: the field.
        old: its version in the old graph, 16 hex digits; None where it was added.
        new: its version in the new graph; None where it was removed.
        reasons: what moved the version, in words: its own code version, what it reads, or the
            upstream fields whose versions moved.
    """

    key: FieldKey
    old: str | None
    new: str | None
    reasons: tuple[str, ...] = ()

    @property
    def change(self) -> Change:
        """Whether the field was added, removed or changed."""
        return _change(self.old, self.new)


@dataclass(frozen=True)
class FeatureDiff:
    """One feature in both graphs.

    Attributes:
        key: the feature.
        old: its version in the old graph, 16 hex digits; None where it was added.
        new: its version in the new graph; None where it was removed.
        fields: its fields, in declared order, removed ones last.
        wiring: what changed of its id columns and deps, in words.
    """

    key: FeatureKey
    old: str | None
    new: str | None
    fields: tuple[FieldDiff, ...]
    wiring: tuple[str, ...] = ()

    @property
    def change(self) -> Change:
        """Whether the feature was added, removed or changed."""
        return _change(self.old, self.new)


@dataclass(frozen=True)
class EdgeDiff:
    """One dependency in both graphs.

    Attributes:
        upstream: the feature that is read.
        downstream: the feature that reads it.
        optional: whether records may lack it, in the newest graph that has it.
        change: whether the dependency was added or removed, or its filter or optional flag changed.
    """

    upstream: FeatureKey
    downstream: FeatureKey
    optional: bool
    change: Change


@dataclass(frozen=True)
class GraphDiff:
    """What two graphs have in common and what not.

    Attributes:
        old: project version of the old graph.
        new: project version of the new graph.
        features: every feature of either graph: those of the new one, upstream first, then the
            removed ones.
        edges: every dependency of either graph, in the order of their downstream features.
    """

    old: str
    new: str
    features: tuple[FeatureDiff, ...]
    edges: tuple[EdgeDiff, ...]

    def __bool__(self) -> bool:
        return any(feature.change is not Change.UNCHANGED for feature in self.features)

    def __getitem__(self, feature: KeyLike) -> FeatureDiff:
        key = FeatureKey(feature)
        for found in self.features:
            if found.key == key:
                return found
        raise KeyError(str(key))

    @property
    def added(self) -> tuple[FeatureDiff, ...]:
        """Features that only the new graph has."""
        return self._with(Change.ADDED)

    @property
    def removed(self) -> tuple[FeatureDiff, ...]:
        """Features that only the old graph has."""
        return self._with(Change.REMOVED)

    @property
    def changed(self) -> tuple[FeatureDiff, ...]:
        """Features that both graphs have in different versions."""
        return self._with(Change.CHANGED)

    @property
    def unchanged(self) -> tuple[FeatureDiff, ...]:
        """Features that both graphs have in one version."""
        return self._with(Change.UNCHANGED)

    def _with(self, change: Change) -> tuple[FeatureDiff, ...]:
        return tuple(feature for feature in self.features if feature.change is change)


def diff_graphs(old: FeatureGraph, new: FeatureGraph) -> GraphDiff:
    """Compare two graphs by their static versions.

    Args:
        old: the graph as it was.
        new: the graph as it is.

    Returns:
        Every feature of either graph with its old and new versions.

    Raises:
        UnknownFeature: one of the graphs lacks a dependency.

    Example:
        >>> from metaxy_core import Feature, FeatureSpec, FieldSpec
        >>> def graph(code_version):
        ...     with FeatureGraph().use() as graph:
        ...         class Video(Feature, spec=FeatureSpec(key="video", fields=[
        ...             FieldSpec(key="audio", code_version=code_version), "frames"])):
        ...             path: str
        ...     return graph
        >>> [field.change.value for field in diff_graphs(graph(1), graph(2))["video"].fields]
        ['changed', 'unchanged']
    """
    before, after = _State(old), _State(new)
    features = _merged(after.plans, before.plans)
    return GraphDiff(
        old=old.versions.project,
        new=new.versions.project,
        features=tuple(_feature_diff(key, before, after) for key in features),
        edges=tuple(edge for key in features for edge in _edge_diffs(key, before, after)),
    )


class _State:
    """One of the two graphs, with its plans and the version of every field at hand."""

    def __init__(self, graph: FeatureGraph) -> None:
        self.plans: dict[FeatureKey, FeaturePlan] = {d.key: graph.plan(d.key) for d in graph}
        self.features = {key: found.feature for key, found in graph.versions.features.items()}
        self.fields = {
            UpstreamField(feature, field): version
            for feature, found in graph.versions.features.items()
            for field, version in found.fields.items()
        }

    def field_plans(self, feature: FeatureKey) -> dict[FieldKey, FieldPlan]:
        return {f.key: f for f in self.plans[feature].fields} if feature in self.plans else {}

    def deps(self, feature: FeatureKey) -> dict[FeatureKey, FeatureDep]:
        if feature not in self.plans:
            return {}
        return {dep.feature: dep for dep in self.plans[feature].definition.spec.deps}


def _change(old: str | None, new: str | None) -> Change:
    if old == new:
        return Change.UNCHANGED
    if old is None:
        return Change.ADDED
    return Change.REMOVED if new is None else Change.CHANGED


def _merged(first: Iterable[K], second: Iterable[K]) -> tuple[K, ...]:
    return tuple(dict.fromkeys([*first, *second]))


# --------------------------------------------------------------------------- features and fields


def _feature_diff(key: FeatureKey, before: _State, after: _State) -> FeatureDiff:
    in_both = key in before.plans and key in after.plans
    fields = _merged(after.field_plans(key), before.field_plans(key))
    return FeatureDiff(
        key=key,
        old=before.features.get(key),
        new=after.features.get(key),
        fields=tuple(_field_diff(UpstreamField(key, field), before, after) for field in fields),
        wiring=tuple(_wiring(key, before, after)) if in_both else (),
    )


def _field_diff(field: UpstreamField, before: _State, after: _State) -> FieldDiff:
    old, new = before.fields.get(field), after.fields.get(field)
    reasons = _reasons(field, before, after) if _change(old, new) is Change.CHANGED else ()
    return FieldDiff(field.field, old, new, tuple(reasons))


def _reasons(field: UpstreamField, before: _State, after: _State) -> Iterator[str]:
    old = before.field_plans(field.feature)[field.field]
    new = after.field_plans(field.feature)[field.field]
    if old.code_version != new.code_version:
        yield f"code version {old.code_version} → {new.code_version}"
    if sorted(old.version_from) != sorted(new.version_from):
        yield f"version_from {_listed(old.version_from)} → {_listed(new.version_from)}"
    if gained := [read for read in new.reads if read not in old.reads]:
        yield f"now reads {_listed(gained)}"
    if lost := [read for read in old.reads if read not in new.reads]:
        yield f"no longer reads {_listed(lost)}"
    kept = [read for read in new.reads if read in old.reads]
    if moved := [read for read in kept if before.fields[read] != after.fields[read]]:
        yield f"{_listed(moved)} changed"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "none"


# --------------------------------------------------------------------------- wiring


def _wiring(key: FeatureKey, before: _State, after: _State) -> Iterator[str]:
    old_ids, new_ids = before.plans[key].id_columns, after.plans[key].id_columns
    if old_ids != new_ids:
        yield f"id columns {_listed(old_ids)} → {_listed(new_ids)}"
    old, new = before.deps(key), after.deps(key)
    for upstream in _merged(new, old):
        if upstream not in old:
            yield f"dep {upstream} added"
        elif upstream not in new:
            yield f"dep {upstream} removed"
        else:
            yield from _dep_wiring(old[upstream], new[upstream])


def _dep_wiring(old: FeatureDep, new: FeatureDep) -> Iterator[str]:
    if old.parsed_filter != new.parsed_filter:
        yield f"filter of dep {new.feature}: {_one_line(old.filter)} → {_one_line(new.filter)}"
    if old.optional != new.optional:
        yield f"dep {new.feature} is now {'optional' if new.optional else 'required'}"


def _one_line(text: str | None) -> str:
    return " ".join((text or "none").split())


def _edge_diffs(key: FeatureKey, before: _State, after: _State) -> Iterator[EdgeDiff]:
    old, new = before.deps(key), after.deps(key)
    for upstream in _merged(new, old):
        dep = new.get(upstream) or old[upstream]
        change = _edge_change(old.get(upstream), new.get(upstream))
        yield EdgeDiff(upstream, key, dep.optional, change)


def _edge_change(old: FeatureDep | None, new: FeatureDep | None) -> Change:
    if old is None:
        return Change.ADDED
    if new is None:
        return Change.REMOVED
    return Change.CHANGED if any(_dep_wiring(old, new)) else Change.UNCHANGED
