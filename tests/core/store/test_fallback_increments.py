"""A branch over production recomputes what its code changes, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


def test_a_bump_in_the_branch_recomputes_what_it_changes_and_what_reads_it(
    project, place, prod, at
):
    at(prod).process_pipeline(a="1", b="1")
    before = at(prod).content(*project.pipeline())
    video, faces, crops = project.pipeline(faces="2")
    dev = place.over(prod)
    assert at(dev).counts(video, project.samples(a="1", b="1")) == mx.Counts()
    assert at(dev).counts(crops) == mx.Counts(blocked=2)
    assert at(dev).process(faces) == mx.Counts(stale=2)
    assert at(dev).counts(faces) == mx.Counts()
    assert at(dev).process(crops) == mx.Counts(stale=2)
    assert at(dev).counts(crops) == mx.Counts()
    assert at(prod).content(video, faces, crops) == before


def test_code_is_outdated_per_record(project, place, prod, at):
    at(prod).process_pipeline(a="1", b="1")
    _, faces, crops = project.pipeline(faces="2")
    dev = place.over(prod)
    dev.write(faces, dev.resolve_update(faces, filters="id = 'a'").stale)
    assert at(dev).counts(crops) == mx.Counts(stale=1, blocked=1)
    assert dev.history(faces).code_versions.keys() == {
        prod.history(faces).last.feature_version,
        dev.history(faces).last.feature_version,
    }


def test_a_record_new_in_production_is_new_work_in_the_branch_only_where_production_has_not_done_it(
    project, place, prod, at
):
    at(prod).process_pipeline(a="1")
    video, faces, crops = project.pipeline(crops="2")
    dev = place.over(prod)
    assert at(dev).process(crops) == mx.Counts(stale=1)
    old_video, old_faces, _ = project.pipeline()
    at(prod).process(old_video, project.samples(a="1", b="1"))
    at(prod).process(old_faces)
    video, faces, crops = project.pipeline(crops="2")
    assert at(dev).counts(video, project.samples(a="1", b="1")) == mx.Counts()
    assert at(dev).counts(faces) == mx.Counts()
    assert at(dev).counts(crops) == mx.Counts(new=1)


def test_what_the_branch_deletes_upstream_is_orphaned_downstream(project, place, prod, at):
    at(prod).process_pipeline(a="1", b="1")
    video, faces, crops = project.pipeline()
    dev = place.over(prod)
    assert at(dev).process(video, project.samples(a="1")) == mx.Counts(orphaned=1)
    assert at(dev).process(faces) == mx.Counts(orphaned=1)
    assert at(dev).ids(faces) == ["a"]
    assert at(dev).ids(crops) == ["a", "b"]
    assert at(prod).counts(faces) == mx.Counts()


def test_the_answer_is_that_of_one_store_with_the_whole_history(project, place, prod, at):
    """Whether it stands in one store or in three, the same history resolves to the same."""
    steps = [{"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2"}, {"b": "2", "c": "3", "d": "1"}]
    staging = place.below("staging", fallback=prod)
    dev = place.over(staging)
    whole = place.over(name="whole")
    for step, (codes, layer) in zip(
        steps, [({}, prod), ({"faces": "2"}, staging), ({"crops": "3"}, dev)], strict=True
    ):
        for store in (layer, whole):
            video, faces, crops = project.pipeline(**codes)
            counts = [
                at(store).process(video, project.samples(**step)),
                at(store).process(faces),
                at(store).counts(crops),
            ]
            if store is layer:
                expected = counts
        assert counts == expected
    for feature in (video, faces):
        assert at(dev).records(feature) == at(whole).records(feature)
        frames = [
            store.read(feature, columns=["id", "metaxy_provenance"]).to_polars().sort("id")
            for store in (dev, whole)
        ]
        assert frames[0].equals(frames[1])


# ------------------------------------------------------------------ expansions and aggregations


def chunked(project: Project, code: str = "1") -> tuple[FeatureClass, FeatureClass, FeatureClass]:
    video = project.feature("video")
    expansion = mx.FeatureDep(feature=video, lineage=mx.expansion(on=["id"]))
    chunk = project.feature("chunk", ids=["id", "n"], fields={"default": code}, deps=[expansion])
    aggregation = mx.FeatureDep(feature=chunk, lineage=mx.aggregation(on=["id"]))
    summary = project.feature("summary", deps=[aggregation])
    return video, chunk, summary


def expand(store: mx.MetadataStore, chunk: FeatureClass, children: int) -> mx.Counts:
    increment = store.resolve_update(chunk)
    parents = pl.concat(list(increment.batches()), how="diagonal")
    numbers = pl.DataFrame({"n": list(range(children))}, schema={"n": pl.Int64})
    store.write(chunk, parents.join(numbers, how="cross"), processed=parents)
    return increment.counts


def test_an_expansion_processed_in_production_is_processed_in_the_branch(project, place, prod, at):
    video, chunk, summary = chunked(project)
    at(prod).process(video, project.samples(a="1", b="1"))
    expand(prod, chunk, 3)
    at(prod).process(summary)
    dev = place.over(prod)
    assert at(dev).counts(chunk) == mx.Counts()
    assert at(dev).counts(summary) == mx.Counts()


def test_a_parent_without_children_in_production_does_not_come_back(project, place, prod, at):
    video, chunk, _ = chunked(project)
    at(prod).process(video, project.samples(a="1"))
    expand(prod, chunk, 0)
    assert at(place.over(prod)).counts(chunk) == mx.Counts()


def test_expanding_again_replaces_productions_children(project, place, prod, at):
    video, chunk, summary = chunked(project)
    at(prod).process(video, project.samples(a="1", b="1"))
    expand(prod, chunk, 3)
    at(prod).process(summary)
    video, chunk, summary = chunked(project, "2")
    dev = place.over(prod)
    assert expand(dev, chunk, 2) == mx.Counts(stale=2)
    commit = dev.history(chunk).last

    assert (commit.rows, commit.superseded, commit.deleted) == (4, 0, 2)
    assert sorted(dev.read(chunk).to_polars().select("id", "n").rows()) == [
        ("a", 0), ("a", 1), ("b", 0), ("b", 1),
    ]  # fmt: skip
    assert at(dev).counts(chunk) == mx.Counts()
    assert at(dev).process(summary) == mx.Counts(stale=2)
    assert prod.count(chunk) == 6


def test_deleting_children_of_production_brings_their_parent_back(project, place, prod, at):
    video, chunk, _ = chunked(project)
    at(prod).process(video, project.samples(a="1", b="1"))
    expand(prod, chunk, 2)
    for hard, name in ((False, "soft"), (True, "hard")):
        dev = place.over(prod, name=name)
        assert dev.delete(chunk, filters="id = 'a'", hard=hard).deleted == 2
        assert at(dev).counts(chunk) == mx.Counts(new=1)
        assert dev.count(chunk) == 2


def test_a_member_added_in_the_branch_makes_its_group_stale(project, place, prod, at):
    shot = project.feature("shot", ids=["id", "n"])
    dep = mx.FeatureDep(feature=shot, lineage=mx.aggregation(on=["id"]))
    movie = project.feature("movie", deps=[dep])

    def shots(*names: tuple[str, int]) -> pl.DataFrame:
        table = {"id": [name for name, _ in names], "n": [number for _, number in names]}
        return pl.DataFrame(
            {**table, "metaxy_provenance_by_field": [{"default": "1"}] * len(names)}
        )

    at(prod).process(shot, shots(("a", 1), ("a", 2), ("b", 1)))
    at(prod).process(movie)
    dev = place.over(prod)
    dev.write(shot, shots(("a", 3)))
    increment = dev.resolve_update(movie)
    assert increment.counts == mx.Counts(stale=1)
    assert increment.stale["id"].to_list() == ["a"]
