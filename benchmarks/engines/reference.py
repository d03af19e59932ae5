"""The reference implementation as its paper measures it; needs a Python that has ``metaxy``."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import metaxy
import polars as pl
from metaxy.config import MetaxyConfig
from metaxy.ext.duckdb import DuckDBMetadataStore
from metaxy.models.lineage import LineageRelationship

from benchmarks.engines.base import root_frame, write_roots
from benchmarks.graphs import PART, PER_PARENT, SPEAKER, Feature, graph
from benchmarks.samples import STRUCT
from benchmarks.scenarios import Scenario

CHANGED = 1_000

# Creating tables is meant for tests, as this is one; the store says so on every call.
warnings.filterwarnings("ignore", category=UserWarning)


class Offline(DuckDBMetadataStore):
    """The reference's store without its download of a hash extension, which md5 does not need."""

    def _load_extensions(self) -> None:
        return


class Reference:
    """``metaxy`` over a DuckDB file, with md5 and maps."""

    def __init__(self) -> None:
        MetaxyConfig.set(
            MetaxyConfig(project="bench", enable_map_datatype=True, auto_create_tables=True)
        )
        self._frame = pl.DataFrame()

    def prepare(self, scenario: Scenario, data: Path, path: Path) -> None:
        """Write the roots, and compute every feature where the scenario wants it."""
        shape = scenario.shape
        with features(scenario.graph).use(), _store(path).open("w") as store:
            write_roots(store, scenario, data)
            if scenario.stored:
                for feature in shape.computed:
                    computed(store, feature)

    def change(self, scenario: Scenario, data: Path, path: Path) -> None:
        """Write the records of the root that changed."""
        if scenario.changed:
            root, *_ = scenario.shape.roots
            frame = root_frame(scenario, root, data, count=scenario.changed, generation=CHANGED)
            with features(scenario.graph).use(), _store(path).open("w") as store:
                store.write(root.key, frame)

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
                store = closing.enter_context(_store(path).open("r"))
                increment = store.resolve_update(shape.leaf.key).to_polars()
                return int(increment.new.height + increment.stale.height)
            with _store(path).open("w") as store:
                if scenario.work == "write":
                    store.write(shape.roots[0].key, self._frame)
                    return self._frame.height
                return sum(computed(store, feature) for feature in shape.computed)


def _store(path: Path) -> Offline:
    return Offline(path, hash_algorithm=metaxy.HashAlgorithm.MD5)


def computed(store: Any, feature: Feature) -> int:
    """Resolve a feature and write what a user would; gives the size of its increment."""
    increment = store.resolve_update(feature.key).to_polars()
    records = 0
    for frame in (increment.new, increment.stale):
        if frame.height:
            store.write(feature.key, _output(feature, frame))
            records += frame.height
    return records


def _output(feature: Feature, frame: pl.DataFrame) -> pl.DataFrame:
    ids = [name for name in feature.ids if name != PART]
    frame = frame.select(*ids, STRUCT, "metaxy_provenance", path=pl.lit("out"))
    if feature.lineage == "aggregation":  # its increment has a row per member
        return frame.unique(ids)
    if feature.lineage != "expansion":
        return frame
    return frame.with_columns(pl.lit(list(range(PER_PARENT))).alias(PART)).explode(PART)


@cache
def features(name: str) -> metaxy.FeatureGraph:
    """The graph of a name as features."""
    built = metaxy.FeatureGraph()
    with built.use():
        for feature in graph(name).features:
            deps = [
                metaxy.FeatureDep(feature=key, select=(), lineage=_lineage(feature))
                for key in feature.deps
            ]
            fields = [
                metaxy.FieldSpec(
                    key=field,
                    deps=[
                        metaxy.FieldDep(feature=key, fields=list(up)) for key, up in reads.items()
                    ],
                )
                for field, reads in feature.fields.items()
            ]
            spec = metaxy.FeatureSpec(
                key=feature.key, id_columns=list(feature.ids), deps=deps, fields=fields
            )
            _define(spec, feature, grouped=name == "aggregation")
    return built


def _lineage(feature: Feature) -> LineageRelationship:
    if feature.lineage == "expansion":
        return LineageRelationship.expansion(on=[name for name in feature.ids if name != PART])
    if feature.lineage == "aggregation":
        return LineageRelationship.aggregation(on=[SPEAKER])
    return LineageRelationship.identity()


def _define(spec: metaxy.FeatureSpec, feature: Feature, *, grouped: bool) -> None:
    columns: dict[str, type] = {"path": str, **dict.fromkeys(feature.ids, str)}
    if PART in feature.ids:
        columns[PART] = int
    if grouped:
        columns[SPEAKER] = str
    type(
        "Benched",
        (metaxy.BaseFeature,),
        {"__annotations__": columns, "__module__": __name__},
        spec=spec,
    )
