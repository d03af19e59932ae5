"""What a plan says is what then happens, over random graphs and histories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pydantic
from hypothesis import HealthCheck, given, settings

import metaxy_core as mx

IDS = [f"r{number}" for number in range(4)]
LINEAGES = {"identity": mx.identity(), "expansion": mx.expansion(), "aggregation": mx.aggregation()}
CODES = {"x": "1", "y": "1"}


@dataclass(frozen=True)
class Declared:
    """A feature: what its records are (an id, a child of one, or a group of them), and its deps."""

    key: str
    level: str
    deps: tuple[dict[str, Any], ...]
    reads_x_only: bool
    codes: dict[str, str]

    @property
    def expands(self) -> bool:
        return any(dep["lineage"] == "expansion" for dep in self.deps)


@st.composite
def declarations(draw: st.DrawFn) -> list[Declared]:
    made = [Declared("f/0", "id", (), False, CODES)]
    for number in range(1, draw(st.integers(2, 5))):
        level = draw(st.sampled_from(["id", "child", "g"]))
        offered = fitting(made, level)
        indices = st.lists(st.integers(0, len(offered) - 1), min_size=1, max_size=2, unique=True)
        deps = []
        for position, index in enumerate(draw(indices)):
            feature, lineage = offered[index]
            carries = lineage != "aggregation" and not position and level != "g"
            deps.append(
                {
                    "feature": feature,
                    "lineage": lineage,
                    "optional": draw(st.booleans()),
                    "columns": ["g"] if carries and draw(st.booleans()) else [],
                    "filter": draw(st.sampled_from([None, None, "g = 'g0'"])),
                }
            )
        made.append(Declared(f"f/{number}", level, tuple(deps), draw(st.booleans()), CODES))
    return made


def fitting(made: list[Declared], level: str) -> list[tuple[str, str]]:
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
        if (above.level, level) in lineages
    ]


def graph_of(made: list[Declared]) -> mx.FeatureGraph:
    with mx.FeatureGraph().use() as graph:
        for feature in made:
            deps = [
                mx.FeatureDep(**{**dep, "lineage": LINEAGES[dep["lineage"]]})
                for dep in feature.deps
            ]
            reads = None
            if deps and feature.reads_x_only:
                reads = [mx.FieldDep(feature=feature.deps[0]["feature"], fields=["x"])]
            fields = [
                mx.FieldSpec(key="x", code_version=feature.codes["x"]),
                mx.FieldSpec(key="y", code_version=feature.codes["y"], deps=reads),
            ]
            spec = mx.FeatureSpec(
                key=feature.key, id_columns=[feature.level], deps=deps, fields=fields
            )
            columns: dict[str, Any] = {} if feature.level == "g" else {"g": (str | None, None)}
            if feature.level == "child":
                columns["id"] = (str, ...)
            pydantic.create_model(
                "F" + feature.key[-1],
                __base__=mx.Feature,
                __module__=__name__,
                __cls_kwargs__={"spec": spec},
                **columns,
            )
    return graph


class World:
    """A store, and a run of its whole graph."""

    def __init__(self, store: mx.MetadataStore, made: list[Declared], data: st.DataObject) -> None:
        self.store, self.made, self.data = store, made, data

    def draw_samples(self) -> pl.DataFrame:
        chosen = self.data.draw(st.lists(st.sampled_from(IDS), unique=True))
        text = st.sampled_from("ab")
        group = st.sampled_from(["g0", "g1"])
        rows = [
            (id_, self.data.draw(group), {"x": self.data.draw(text), "y": self.data.draw(text)})
            for id_ in chosen
        ]
        versions = pl.Struct({"x": pl.String, "y": pl.String})
        schema = {"id": pl.String, "g": pl.String, "metaxy_provenance_by_field": versions}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def run(self, samples: pl.DataFrame, *, deletes: bool, first: bool = False) -> dict[str, Any]:
        """Resolve and write everything; gives the counts of each feature."""
        counts = {}
        with graph_of(self.made).use():
            for feature in self.made:
                given_ = None if feature.deps else samples
                increment = self.store.resolve_update(feature.key, given_)
                counts[feature.key] = increment.counts
                self.write(feature, increment, first=first)
                if deletes and increment.counts.orphaned:
                    self.store.delete(feature.key, increment.orphaned)
        return counts

    def write(self, feature: Declared, increment: mx.Increment, *, first: bool) -> None:
        """New records have what comes with the increment; stale ones keep the rest."""
        work = pl.concat([increment.new, increment.stale.drop("metaxy_changed_fields")])
        if feature.expands:
            self.expand(feature, work, first=first)
            return
        if feature.level != "g" and "g" not in work.columns:
            stored = self.store.read(feature.key, columns=[feature.level, "g"]).to_polars()
            work = work.join(stored, on=feature.level, how="left")
            if first:
                work = work.with_columns(g=pl.lit("g0"))
        self.store.write(feature.key, work)

    def expand(self, feature: Declared, work: pl.DataFrame, *, first: bool) -> None:
        """Stale parents have the children that they had, new ones none but in the first run."""
        children = self.store.read(feature.key, columns=["child", "id", "g"]).to_polars()
        if first:
            found = [(f"{id_}.{n}", id_, f"g{n}") for id_ in work["id"] for n in range(2)]
            children = pl.DataFrame(found, schema=["child", "id", "g"], orient="row")
        children = children.select(pl.all().cast(pl.String))
        rows = children.join(work.drop("g", strict=False), on="id")
        self.store.write(feature.key, rows, processed=work)

    def bump(self) -> None:
        index = self.data.draw(st.integers(0, len(self.made) - 1))
        field = self.data.draw(st.sampled_from("xy"))
        feature = self.made[index]
        codes = {**feature.codes, field: str(int(feature.codes[field]) + 1)}
        self.made[index] = replace(feature, codes=codes)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(made=declarations(), data=st.data())
def test_the_plan_is_what_happens(made: list[Declared], data: st.DataObject) -> None:
    with mx.DuckDBMetadataStore(":memory:") as store:
        world = World(store, made, data)
        samples = world.draw_samples()
        world.run(samples, deletes=False, first=True)
        deletes, gives_samples = data.draw(st.booleans()), data.draw(st.booleans())
        for _ in range(data.draw(st.integers(0, 2)) if deletes else 0):
            world.bump()
        samples = world.draw_samples() if gives_samples else samples

        with graph_of(world.made).use():
            plan = store.plan(
                samples={"f/0": samples} if gives_samples else None,
                orphans="delete" if deletes else "keep",
            )
        counts = world.run(samples, deletes=deletes)

        planned = {str(p.feature): mx.Counts(p.new, p.stale, p.orphaned) for p in plan}
        assert planned == counts
