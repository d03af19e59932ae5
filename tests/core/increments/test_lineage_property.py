"""Increments through expansions and aggregations equal the oracle's, over random histories."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

import metaxy_core as mx

_spec = importlib.util.spec_from_file_location(
    "lineage_oracle", Path(__file__).with_name("lineage_oracle.py")
)
assert _spec is not None
assert _spec.loader is not None
oracle = importlib.util.module_from_spec(_spec)
sys.modules["lineage_oracle"] = oracle
_spec.loader.exec_module(oracle)

IDS = [f"r{number}" for number in range(5)]
LINEAGES = {
    "identity": mx.identity(),
    "expansion": mx.expansion(),
    "aggregation": mx.aggregation(),
}


@st.composite
def features(draw: st.DrawFn) -> list[Any]:
    """A root, and up to five features whose deps fit their level."""
    made = [oracle.Feature("f/0", "id", [])]
    for number in range(1, draw(st.integers(2, 6))):
        level = draw(st.sampled_from(["id", "child", "g"]))
        offered = fitting(made, level)
        if level == "child" and draw(st.booleans()):
            offered = following(made) or offered
        indices = st.lists(st.integers(0, len(offered) - 1), min_size=1, max_size=3, unique=True)
        chosen = {offered[index][0]: offered[index][1] for index in draw(indices)}
        deps = [oracle.Dep(key, lineage, draw(st.booleans())) for key, lineage in chosen.items()]
        made.append(oracle.Feature(f"f/{number}", level, deps))
    return made


def fitting(made: list[Any], level: str) -> list[tuple[str, str]]:
    lineages = {
        ("id", "id"): "identity",
        ("id", "child"): "expansion",
        ("id", "g"): "aggregation",
        ("g", "g"): "identity",
        ("child", "id"): "aggregation",
    }
    return [
        (above.key, lineages[above.level, level])
        for above in made
        if (above.level, level) in lineages and (above.level != "child" or above.grain == "id")
    ]


def following(made: list[Any]) -> list[tuple[str, str]]:
    return [(above.key, "identity") for above in made if above.level == "child"]


def declared(feature: Any) -> mx.FeatureSpec:
    return mx.FeatureSpec(
        key=feature.key,
        id_columns=[feature.level],
        deps=[
            mx.FeatureDep(
                feature=dep.feature,
                columns=None if dep.lineage == "aggregation" else [],
                lineage=LINEAGES[dep.lineage],
                optional=dep.optional,
            )
            for dep in feature.deps
        ],
        fields=[mx.FieldSpec(key="x", code_version=feature.code)],
    )


class World:
    """The store and the oracle's state, changed in step."""

    def __init__(self, store: mx.MetadataStore, made: list[Any], data: st.DataObject) -> None:
        self.store, self.data = store, data
        self.features = {feature.key: feature for feature in made}
        self.state = oracle.State(
            {key: {} for key in self.features},
            {key: {} for key in self.features},
            {key: {} for key in self.features},
        )
        self.define()

    def define(self) -> None:
        self.graph = mx.FeatureGraph()
        with self.graph.use():
            for feature in self.features.values():
                columns = {"g": str} if feature.level != "g" else {}
                type(
                    "F" + feature.key[-1],
                    (mx.Feature,),
                    {"__annotations__": columns, "__module__": __name__},
                    spec=declared(feature),
                )

    def resolve(self, key: str) -> mx.Increment:
        samples = None
        if not self.features[key].deps:
            texts = self.state.samples[key]
            samples = pl.DataFrame(
                {
                    "id": list(texts),
                    "metaxy_provenance_by_field": [{"x": t} for t in texts.values()],
                },
                schema={
                    "id": pl.String,
                    "metaxy_provenance_by_field": pl.Struct({"x": pl.String}),
                },
            )
        with self.graph.use():
            return self.store.resolve_update(key, samples)

    def check(self, key: str) -> None:
        feature, found = self.features[key], self.resolve(key)
        wanted = oracle.increment(feature, self.features, self.state)
        grain = feature.grain
        assert set(found.new[grain]) == wanted["new"].keys()
        assert set(found.stale[grain]) == wanted["stale"].keys()
        if found.counts.orphaned or wanted["orphaned"]:
            assert set(found.orphaned[feature.level]) == wanted["orphaned"]
        assert found.counts == mx.Counts(*(len(group) for group in wanted.values()))
        with self.graph.use():
            stored = self.store.read(key, columns=[feature.level]).to_polars()
        assert sorted(stored[feature.level]) == sorted(self.state.records[key])

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)

    def some(self, offered: Any) -> list[str]:
        offered = sorted(offered)
        chosen = st.lists(st.integers(0, len(offered) - 1), unique=True)
        return [offered[index] for index in self.draw(chosen)] if offered else []

    # ------------------------------------------------------------------ what may happen

    def sample(self, key: str) -> None:
        self.state.samples[key] = {id_: self.draw(st.sampled_from("xyz")) for id_ in self.some(IDS)}

    def process(self, key: str) -> None:
        feature, found = self.features[key], self.resolve(key)
        wanted = oracle.increment(feature, self.features, self.state)
        ready = {**wanted["new"], **wanted["stale"]}
        chosen = self.some(ready) if self.draw(st.booleans()) else sorted(ready)
        rows = pl.concat([found.new, found.stale.drop("metaxy_changed_fields")])
        rows = rows.filter(pl.col(feature.grain).is_in(chosen))
        if feature.grain != feature.level:
            self.expand(feature, rows, {id_: ready[id_] for id_ in chosen})
            return
        group = {id_: self.draw(st.sampled_from(["g0", "g1"])) for id_ in chosen}
        if feature.level != "g":
            rows = rows.with_columns(
                g=pl.Series([group[i] for i in rows[feature.level]], dtype=pl.String)
            )
        with self.graph.use():
            self.store.write(key, rows)
        for id_ in chosen:
            record = oracle.Record(None, group[id_], ready[id_], feature.code)
            self.state.records[key][id_] = record
            self.state.work[key][id_] = ready[id_]

    def expand(self, feature: Any, rows: pl.DataFrame, chosen: dict[str, Any]) -> None:
        children = {
            f"{parent}.{self.draw(st.integers(0, 3))}": parent
            for parent in chosen
            for _ in range(self.draw(st.integers(0, 2)))
        }
        frame = pl.DataFrame(
            {"child": list(children), "id": list(children.values()), "g": ["g0"] * len(children)},
            schema={"child": pl.String, "id": pl.String, "g": pl.String},
        ).join(rows, on="id")
        with self.graph.use():
            self.store.write(feature.key, frame, processed=rows)
        records = self.state.records[feature.key]
        for child in [child for child, record in records.items() if record.parent in chosen]:
            del records[child]
        for child, parent in children.items():
            records[child] = oracle.Record(parent, "g0", chosen[parent], feature.code)
        self.state.work[feature.key].update(chosen)

    def delete(self, key: str) -> None:
        feature, records = self.features[key], self.state.records[key]
        chosen = self.some(records)
        with self.graph.use():
            frame = pl.DataFrame({feature.level: chosen}, schema={feature.level: pl.String})
            self.store.delete(key, frame, hard=self.draw(st.booleans()))
        for id_ in chosen:
            work = records[id_].parent if feature.grain != feature.level else id_
            self.state.work[key].pop(work, None)
            del records[id_]

    def bump(self, key: str) -> None:
        feature = self.features[key]
        code = str(int(feature.code) + 1)
        self.features[key] = oracle.Feature(feature.key, feature.level, feature.deps, code)
        self.define()


@pytest.mark.parametrize("part", range(2))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(made=features(), data=st.data())
def test_every_increment_through_lineage_equals_the_oracle(
    part: int, made: list[Any], data: st.DataObject
) -> None:
    del part
    with mx.DuckDBMetadataStore(":memory:") as store:
        world = World(store, made, data)
        world.state.samples["f/0"] = dict.fromkeys(IDS, "x")
        for key in world.features:
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
