"""The two graphs of the paper's benchmark, and samples for them of any size."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

import metaxy_core as mx

SIZES = (10_000, 100_000, 1_000_000)
CHANGED_SHARE = 0.1


@dataclass(frozen=True)
class BenchGraph:
    """A graph to measure.

    Attributes:
        name: ``simple`` (one root of two fields, one leaf) or ``wide`` (two roots of four fields
            each, one leaf of two fields that reads all eight).
        graph: its features.
        roots: the roots, each with its fields; the first one's first field gets changed.
        leaf: the feature whose increment is measured.
    """

    name: str
    graph: mx.FeatureGraph
    roots: dict[str, tuple[str, ...]]
    leaf: str


def simple() -> BenchGraph:
    """One root with two fields, one leaf that reads one of them."""
    return _graph(
        "simple", {"bench/video": ("audio", "frames")}, {"text": {"bench/video": ["audio"]}}
    )


def wide() -> BenchGraph:
    """Two roots with four fields each, one leaf with two fields that read four each."""
    roots = {
        "bench/video": ("audio", "frames", "depth", "mask"),
        "bench/speech": ("pitch", "energy", "words", "voice"),
    }
    reads = {
        "left": {"bench/video": ["audio", "frames"], "bench/speech": ["pitch", "energy"]},
        "right": {"bench/video": ["depth", "mask"], "bench/speech": ["words", "voice"]},
    }
    return _graph("wide", roots, reads)


GRAPHS = {"simple": simple, "wide": wide}


def _graph(
    name: str, roots: dict[str, tuple[str, ...]], reads: dict[str, dict[str, list[str]]]
) -> BenchGraph:
    leaf = mx.FeatureSpec(
        key="bench/leaf",
        id_columns=["id"],
        deps=[mx.FeatureDep(feature=key, columns=[]) for key in roots],
        fields=[
            mx.FieldSpec(
                key=field, deps=[mx.FieldDep(feature=key, fields=keys) for key, keys in up.items()]
            )
            for field, up in reads.items()
        ],
    )
    graph = mx.FeatureGraph()
    with graph.use():
        for key, fields in roots.items():
            _define(mx.FeatureSpec(key=key, id_columns=["id"], fields=list(fields)))
        _define(leaf)
    return BenchGraph(name, graph, roots, "bench/leaf")


def _define(spec: mx.FeatureSpec) -> None:
    """A feature with one user column that every upstream row carries."""
    type(
        "Benched",
        (mx.Feature,),
        {"__annotations__": {"path": str}, "__module__": str(spec.key)},
        spec=spec,
    )


def samples(fields: tuple[str, ...], count: int, generation: int = 0) -> pl.DataFrame:
    """Samples whose fields have versions of a generation: ``id``, ``path`` and the struct."""
    numbers = pl.int_range(count, eager=True).alias("number")
    ids = pl.format("record-{}", pl.col("number"))
    version = pl.format("{}-{}-{}", pl.lit("field"), pl.lit(generation), pl.col("number"))
    return numbers.to_frame().select(
        id=ids,
        path=pl.format("clips/{}.mp4", pl.col("number")),
        metaxy_provenance_by_field=pl.struct(
            **{
                field: version if field == fields[0] else pl.format("same-{}", pl.col("number"))
                for field in fields
            }
        ),
    )


def prepare(bench: BenchGraph, store: mx.MetadataStore, count: int, *, stale: bool) -> None:
    """Write the roots; for the stale phase also the leaf, and a tenth of the first root anew."""
    with bench.graph.use():
        for key, fields in bench.roots.items():
            store.write(key, samples(fields, count))
        if stale:
            leaf = store.resolve_update(bench.leaf).new.with_columns(path=pl.lit("out"))
            store.write(bench.leaf, leaf)
            first, fields = next(iter(bench.roots.items()))
            store.write(first, samples(fields, int(count * CHANGED_SHARE), generation=1))


def resolve(bench: BenchGraph, store: mx.MetadataStore) -> int:
    """Resolve the leaf and fetch its new and stale records; gives their number."""
    with bench.graph.use():
        increment = store.resolve_update(bench.leaf)
        return increment.new.height + increment.stale.height
