"""Every increment equals the oracle's, over random graphs and random histories."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

import metaxy_core as mx
from metaxy_core.store.increment import Increment

_spec = importlib.util.spec_from_file_location("oracle", Path(__file__).with_name("oracle.py"))
assert _spec is not None
assert _spec.loader is not None
oracle = importlib.util.module_from_spec(_spec)
sys.modules["oracle"] = oracle
_spec.loader.exec_module(oracle)

IDS = [f"r{number}" for number in range(5)]
VALUES = st.sampled_from(["x", "y", "x|y", "", "\\", "-"])


@st.composite
def features(draw: st.DrawFn) -> list[Any]:
    """Two to six features, each depending on one to three earlier ones, or a root."""
    made: list[Any] = []
    for number in range(draw(st.integers(2, 6))):
        root = number == 0 or (number == 1 and draw(st.booleans()))
        above = [] if root else [made[index] for index in draw(indices(number, minimum=1))]
        deps = [
            oracle.Dep(f.key, draw(st.booleans()), draw(st.sampled_from([None, None, 1])))
            for f in above
        ]
        keys = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
        fields = [oracle.Field(key, "1", reads(draw, above)) for key in keys]
        made.append(oracle.Feature(f"f/{number}", fields, deps))
    return made


def indices(count: int, minimum: int = 0) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, count - 1), min_size=minimum, max_size=3, unique=True)


def reads(draw: st.DrawFn, above: list[Any]) -> dict[str, list[str]] | None:
    if not above or draw(st.booleans()):
        return None
    offered = [(f.key, field.key) for f in above for field in f.fields]
    chosen = [offered[index] for index in draw(indices(len(offered)))]
    return {up: [key for u, key in chosen if u == up] for up, _ in chosen}


def id_column(key: str) -> str:
    """Odd features name their id otherwise, so that renames are covered."""
    return "id" if int(key[-1]) % 2 == 0 else "other_id"


def declared(feature: Any) -> mx.FeatureSpec:
    own = id_column(feature.key)
    return mx.FeatureSpec(
        key=feature.key,
        id_columns=[own],
        deps=[
            mx.FeatureDep(
                feature=dep.feature,
                columns=[],
                rename={} if id_column(dep.feature) == own else {id_column(dep.feature): own},
                optional=dep.optional,
                filter=None if dep.above is None else f"n > {dep.above}",
            )
            for dep in feature.deps
        ],
        fields=[
            mx.FieldSpec(
                key=field.key,
                code_version=field.code,
                deps=None
                if field.reads is None
                else [mx.FieldDep(feature=up, fields=keys) for up, keys in field.reads.items()],
            )
            for field in feature.fields
        ],
    )


class World:
    """The store and the oracle's records, changed in step."""

    def __init__(self, store: mx.MetadataStore, made: list[Any], draw: st.DataObject) -> None:
        self.store, self.data = store, draw
        self.features = {feature.key: feature for feature in made}
        self.records: dict[str, dict[str, Any]] = {key: {} for key in self.features}
        self.samples: dict[str, dict[str, Any]] = {key: {} for key in self.features}
        self.define()

    def define(self) -> None:
        self.graph = mx.FeatureGraph()
        with self.graph.use():
            for feature in self.features.values():
                type(
                    "F" + feature.key[-1],
                    (mx.Feature,),
                    {"__annotations__": {"n": int}, "__module__": __name__},
                    spec=declared(feature),
                )

    def resolve(self, key: str) -> Increment:
        samples = None
        if not self.features[key].deps:
            names = [field.key for field in self.features[key].fields]
            samples = pl.DataFrame(
                {
                    id_column(key): list(self.samples[key]),
                    "metaxy_provenance_by_field": list(self.samples[key].values()),
                },
                schema={
                    id_column(key): pl.String,
                    "metaxy_provenance_by_field": pl.Struct(dict.fromkeys(names, pl.String)),
                },
            )
        with self.graph.use():
            return self.store.resolve_update(key, samples)

    def check(self, key: str) -> None:
        wanted = self.wanted(key)
        found, own = self.resolve(key), id_column(key)
        stale = found.stale.select(own, "metaxy_changed_fields")
        assert set(found.new[own]) == wanted["new"].keys()
        assert dict(stale.iter_rows()) == {i: c for i, (_, c) in wanted["stale"].items()}
        assert set(found.orphaned[own]) == wanted["orphaned"]
        assert found.counts == mx.Counts(*(len(group) for group in wanted.values()))

    def wanted(self, key: str) -> dict[str, Any]:
        feature, samples = self.features[key], self.samples[key]
        return oracle.increment(feature, self.features, self.records, samples)

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)

    def ids(self, offered: Any, minimum: int = 0) -> list[str]:
        offered = sorted(offered)
        if not offered:
            return []
        return self.draw(st.lists(st.sampled_from(offered), min_size=minimum, unique=True))

    # ------------------------------------------------------------------ what may happen

    def sample(self, key: str) -> None:
        keys = [field.key for field in self.features[key].fields]
        self.samples[key] = {
            id_: {name: self.draw(VALUES) for name in keys} for id_ in self.ids(IDS)
        }

    def process(self, key: str) -> None:
        wanted, found, own = self.wanted(key), self.resolve(key), id_column(key)
        ready = {**wanted["new"], **{i: p for i, (p, _) in wanted["stale"].items()}}
        chosen = self.ids(ready) if self.draw(st.booleans()) else sorted(ready)
        rows = pl.concat([found.new, found.stale.drop("metaxy_changed_fields")])
        rows = rows.filter(pl.col(own).is_in(chosen))
        numbers = {id_: self.draw(st.integers(0, 3)) for id_ in chosen}
        rows = rows.with_columns(
            n=pl.col(own).replace_strict(numbers, return_dtype=pl.Int64, default=None)
        )
        override = {}
        if self.draw(st.integers(0, 3)) == 0:
            override = {self.features[key].fields[0].key: self.draw(VALUES)}
            rows = rows.with_columns(
                metaxy_data_version_by_field=pl.struct(
                    **{k: pl.lit(v) for k, v in override.items()}
                )
            )
        with self.graph.use():
            self.store.write(key, rows)
        codes = {field.key: field.code for field in self.features[key].fields}
        for id_ in chosen:
            self.records[key][id_] = oracle.Record(numbers[id_], ready[id_], codes, override)

    def delete(self, key: str) -> None:
        chosen = self.ids(self.records[key])
        with self.graph.use():
            frame = pl.DataFrame({id_column(key): chosen}, schema={id_column(key): pl.String})
            self.store.delete(key, frame, hard=self.draw(st.booleans()))
        for id_ in chosen:
            del self.records[key][id_]

    def bump(self, key: str) -> None:
        feature = self.features[key]
        bumped = self.draw(st.sampled_from(feature.fields)).key
        fields = [
            replace(f, code=str(int(f.code) + 1)) if f.key == bumped else f for f in feature.fields
        ]
        self.features[key] = replace(feature, fields=fields)
        self.define()


@pytest.mark.parametrize("part", range(4))
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(made=features(), data=st.data())
def test_every_increment_equals_the_oracle(part: int, made: list[Any], data: st.DataObject) -> None:
    del part
    with mx.DuckDBMetadataStore(":memory:") as store:
        world = World(store, made, data)
        for key in world.features:
            if not world.features[key].deps:
                world.sample(key)
            world.process(key)
        for _ in range(data.draw(st.integers(1, 5))):
            key = data.draw(st.sampled_from(sorted(world.features)))
            kinds = ["process", "process", "delete", "bump"]
            kind = data.draw(
                st.sampled_from(kinds if world.features[key].deps else [*kinds, "sample"])
            )
            getattr(world, kind)(key)
        for key in world.features:
            world.check(key)
