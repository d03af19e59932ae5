"""This project's engine, used as its documentation says."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from pathlib import Path

import polars as pl

import metaxy_core as mx
from benchmarks.engines.base import root_frame, write_roots
from benchmarks.full import forget
from benchmarks.graphs import PART, PER_PARENT, SPEAKER, Feature, graph
from benchmarks.scenarios import Scenario

MEMORY_LIMIT = "1GB"
BATCH = 100_000
CHANGED = 1_000


class Ours:
    """``metaxy_core`` over a DuckDB file."""

    def __init__(self) -> None:
        self._frame = pl.DataFrame()

    def prepare(self, scenario: Scenario, data: Path, path: Path) -> None:
        """Write the roots, and compute every feature where the scenario wants it."""
        shape = scenario.shape
        with features(scenario.graph).use(), mx.DuckDBMetadataStore(path) as store:
            write_roots(store, scenario, data)
            if scenario.stored:
                for feature in shape.computed:
                    computed(store, feature)

    def change(self, scenario: Scenario, data: Path, path: Path) -> None:
        """Settle, change and forget, as the scenario wants it."""
        root, *_ = scenario.shape.roots
        with features(scenario.graph).use(), mx.DuckDBMetadataStore(path) as store:
            if scenario.settled:
                for feature in scenario.shape.computed:
                    store.resolve_update(feature.key).close()
            if scenario.changed:
                frame = root_frame(scenario, root, data, count=scenario.changed, generation=CHANGED)
                store.write(root.key, frame)
        if scenario.full:
            forget(path)

    def load(self, scenario: Scenario, data: Path) -> None:
        """Read the frame that is to be written."""
        features(scenario.graph)
        if scenario.work == "write":
            self._frame = root_frame(scenario, scenario.shape.roots[0], data)

    def run(self, scenario: Scenario, path: Path, closing: ExitStack) -> int:
        """Do the work; see ``Scenario.work``."""
        shape = scenario.shape
        with features(scenario.graph).use():
            if scenario.work == "resolve":
                store = closing.enter_context(mx.DuckDBMetadataStore(path))
                increment = store.resolve_update(shape.leaf.key)
                return increment.new.height + increment.stale.height
            if scenario.work == "stream":
                return _streamed(path, shape.leaf)
            with mx.DuckDBMetadataStore(path) as store:
                if scenario.work == "write":
                    store.write(shape.roots[0].key, self._frame)
                    return self._frame.height
                return sum(computed(store, feature) for feature in shape.computed)


def computed(store: mx.MetadataStore, feature: Feature) -> int:
    """Resolve a feature and write what a user would; gives the size of its increment."""
    increment = store.resolve_update(feature.key)
    for frame in (increment.new, increment.stale):
        if frame.height:
            store.write(feature.key, _output(feature, frame))
    return increment.counts.to_process


def _streamed(path: Path, leaf: Feature) -> int:
    settings = {"memory_limit": MEMORY_LIMIT}
    records = 0
    with mx.DuckDBMetadataStore(path, settings=settings) as store:
        for batch in store.resolve_update(leaf.key).batches(BATCH):
            store.write(leaf.key, _output(leaf, batch))
            records += batch.height
    return records


def _output(feature: Feature, frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(path=pl.lit("out"))
    if feature.lineage != "expansion":
        return frame
    return frame.with_columns(pl.lit(list(range(PER_PARENT))).alias(PART)).explode(PART)


@cache
def features(name: str) -> mx.FeatureGraph:
    """The graph of a name as features."""
    lineages = {
        "identity": mx.identity(),
        "expansion": mx.expansion(),
        "aggregation": mx.aggregation(on=[SPEAKER]),
    }
    built = mx.FeatureGraph()
    with built.use():
        for feature in graph(name).features:
            deps = [
                mx.FeatureDep(feature=key, columns=[], lineage=lineages[feature.lineage])
                for key in feature.deps
            ]
            fields = [
                mx.FieldSpec(
                    key=field,
                    deps=[mx.FieldDep(feature=key, fields=list(up)) for key, up in reads.items()],
                )
                for field, reads in feature.fields.items()
            ]
            spec = mx.FeatureSpec(
                key=feature.key, id_columns=list(feature.ids), deps=deps, fields=fields
            )
            _define(spec, feature, grouped=name == "aggregation")
    return built


def _define(spec: mx.FeatureSpec, feature: Feature, *, grouped: bool) -> None:
    """A feature with one user column, and the group where its records have one."""
    columns: dict[str, type] = {"path": str}
    if PART in feature.ids:
        columns[PART] = int
    if grouped:
        columns[SPEAKER] = str
    type(
        "Benched",
        (mx.Feature,),
        {"__annotations__": columns, "__module__": feature.table},
        spec=spec,
    )
