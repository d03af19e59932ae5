"""An expansion's increment is of parents, and those without a child do not come back."""

from types import SimpleNamespace

import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd

CHUNKS = pl.DataFrame({"chunk": [0, 1]})


@pytest.fixture
def chunked(media) -> SimpleNamespace:
    """The features, and one of which each clip gives several records."""
    with media.graph.use():
        dep = mx.FeatureDep(feature=media.Video, columns=[], lineage=mx.expansion())
        spec = mx.FeatureSpec(key="example/chunk", id_columns=["video_id", "chunk"], deps=[dep])

        class Chunk(mx.Feature, spec=spec):
            chunk: int

    return SimpleNamespace(**vars(media), Chunk=Chunk)


def chunk_asset(lab, chunked, **options):
    """Two chunks for every clip but ``b``, which has none."""

    @mxd.metaxify(chunked.Chunk, **options)
    def chunk(increment: mx.Increment):
        for parents in increment.batches(1):
            lab.processed.append(parents["video_id"].to_list())
            children = parents.filter(pl.col("video_id") != "b").join(CHUNKS, how="cross")
            yield mxd.Children(children, processed=parents)

    return chunk


def test_a_parent_without_a_child_does_not_come_back(lab, chunked):
    assets = [lab.video(chunked), chunk_asset(lab, chunked)]
    lab.run(*assets)
    lab.run(*assets)

    assert sorted(lab.processed) == [["a"], ["b"]]
    assert lab.records(chunked.Chunk) == [
        {"video_id": "a", "chunk": 0},
        {"video_id": "a", "chunk": 1},
    ]


def test_a_parent_that_changed_has_its_children_replaced(lab, chunked):
    assets = [lab.video(chunked), chunk_asset(lab, chunked)]
    lab.run(*assets)
    lab.samples["a"] = ("2", "1")

    result = lab.run(*assets)

    assert lab.processed[-1] == ["a"]
    assert lab.counts(result, chunk_asset(lab, chunked).key)["stale"] == 1
    assert len(lab.records(chunked.Chunk)) == 2


def test_children_of_a_parent_that_is_gone_are_deleted(lab, chunked):
    chunk = chunk_asset(lab, chunked, orphans="delete")
    lab.run(lab.video(chunked), chunk)
    del lab.samples["a"]

    lab.run(lab.video(chunked, orphans="delete"), chunk)

    assert lab.records(chunked.Chunk) == []


@pytest.mark.slow
def test_assets_that_share_an_expansion_are_given_their_own_parents(lab, chunked):
    lab.run(lab.video(chunked))
    shares = {name: chunk_asset(lab, chunked, where={"video_id": name}) for name in "ab"}

    results = {name: lab.run(asset) for name, asset in shares.items()}
    lab.run(shares["b"])

    assert lab.processed == [["a"], ["b"]]
    assert lab.counts(results["a"], shares["a"].key) == {"new": 1, "processed": 2}
    assert len(lab.records(chunked.Chunk)) == 2


def test_a_share_over_the_childrens_own_id_is_refused(chunked):
    with pytest.raises(mxd.AssetError, match=r"where=\{'chunk': ...\}, but no dep brings it"):
        mxd.metaxify(chunked.Chunk, where={"chunk": 0})(lambda increment: None)
