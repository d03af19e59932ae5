"""Small definitions of features that the oracle reads and that become a real graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import metaxy_core as mx

LINEAGES = {
    "identity": mx.identity(),
    "expansion": mx.expansion(),
    "aggregation": mx.aggregation(),
}
LEVELS = ("g", "id", "child")  # what records are: groups of ids, ids, or children of ids


@dataclass(frozen=True)
class Over:
    """The filter `column > than`, or, where NULL passes too, `column > than OR column IS NULL`."""

    column: str
    than: int | str
    or_null: bool = False

    def __str__(self) -> str:
        text = f"{self.column} > {self.than!r}"
        return f"{text} OR {self.column} IS NULL" if self.or_null else text

    def holds(self, row: dict[str, Any]) -> bool:
        value = row.get(self.column)
        return self.or_null if value is None else value > self.than


@dataclass(frozen=True)
class Dep:
    feature: str
    lineage: str = "identity"
    optional: bool = False
    filter: Over | None = None
    mapping: str | tuple[tuple[str, tuple[str, ...]], ...] | None = None  # a tuple is explicit
    carries: bool = False  # its column n, renamed


@dataclass(frozen=True)
class Field:
    key: str
    code: str = "1"
    reads: tuple[tuple[str, str | None], ...] | None = None  # a field None means all of them


@dataclass(frozen=True)
class Feature:
    key: str
    level: str
    grain: str  # the level of its pieces of work: its own, or that of the parents it expands
    fields: tuple[Field, ...]
    deps: tuple[Dep, ...] = ()

    @property
    def number(self) -> int:
        return int(self.key[-1])

    @property
    def expands(self) -> bool:
        return self.grain != self.level

    def column(self, level: str) -> str:
        """Odd features name their ids otherwise, so that renames are covered."""
        return level if self.number % 2 == 0 else f"{level}_"


@lru_cache(maxsize=1000)
def graph_of(features: tuple[Feature, ...]) -> mx.FeatureGraph:
    """The graph of some features; declaring one costs more than most of what is done with it."""
    by_key = {feature.key: feature for feature in features}
    graph = mx.FeatureGraph()
    with graph.use():
        for feature in features:
            coarser = LEVELS[: LEVELS.index(feature.level)]
            columns = [feature.column(level) for level in coarser if level != feature.grain]
            annotations = {"n": int | None, **dict.fromkeys(columns, str | None)}
            name, spec = f"F{feature.number}", spec_of(feature, by_key)
            type(name, (mx.Feature,), {"__annotations__": annotations}, spec=spec)
    return graph


def spec_of(feature: Feature, features: dict[str, Feature]) -> mx.FeatureSpec:
    return mx.FeatureSpec(
        key=feature.key,
        id_columns=[feature.column(feature.level)],
        deps=[dep_of(feature, dep, features[dep.feature]) for dep in feature.deps],
        fields=[
            mx.FieldSpec(key=field.key, code_version=field.code, deps=reads_of(field))
            for field in feature.fields
        ],
    )


def dep_of(feature: Feature, dep: Dep, upstream: Feature) -> mx.FeatureDep:
    there, here = upstream.column(feature.grain), feature.column(feature.grain)
    rename = {} if there == here else {there: here}
    if dep.carries:
        rename["n"] = f"n{upstream.number}"
    return mx.FeatureDep(
        feature=dep.feature,
        columns=["n"] if dep.carries else [],
        rename=rename,
        lineage=LINEAGES[dep.lineage],
        optional=dep.optional,
        filter=None if dep.filter is None else str(dep.filter),
        fields_mapping=mapping_of(dep),
    )


def mapping_of(dep: Dep) -> mx.FieldsMapping | None:
    if dep.mapping is None:
        return None
    if isinstance(dep.mapping, tuple):
        return mx.FieldsMapping.explicit(dict(dep.mapping))
    return mx.FieldsMapping(kind=dep.mapping)


def reads_of(field: Field) -> list[mx.FieldDep] | None:
    if field.reads is None:
        return None
    named: dict[str, Any] = {}
    for up, key in field.reads:
        named[up] = None if key is None or named.get(up, ()) is None else [*named.get(up, ()), key]
    return [mx.FieldDep(feature=up, fields=keys) for up, keys in named.items()]
