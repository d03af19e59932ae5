"""A development store shows production's records below its own, and only ever writes its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidFallback, StoreUnreachable, WrongColumnType
from metaxy_core.store.layers import SHIFT

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]
WAYS = {  # whether the own store and the others are files: DuckDB joins files, copies what is not
    "file over files": (True, True),
    "memory over files": (False, True),
    "file over memory": (True, False),
    "memory over memory": (False, False),
}


class Place:
    """Where stores of a test are, all of one kind."""

    def __init__(self, folder: Path, way: str, stack: ExitStack) -> None:
        self._folder = folder
        self._own_is_file, self._others_are_files = WAYS[way]
        self._stack = stack

    def below(self, name: str, **options: Any) -> mx.MetadataStore:
        return self._opened(name, self._others_are_files, options)

    def over(self, *fallback: mx.MetadataStore, name: str = "dev", **options: Any) -> Any:
        return self._opened(name, self._own_is_file, {"fallback": fallback, **options})

    def _opened(self, name: str, is_file: bool, options: dict[str, Any]) -> mx.MetadataStore:
        path = self._folder / f"{name}.duckdb" if is_file else ":memory:"
        return self._stack.enter_context(mx.DuckDBMetadataStore(path, **options))


@pytest.fixture(params=list(WAYS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(tmp_path, request.param, stack)


@pytest.fixture
def prod(place: Place) -> mx.MetadataStore:
    return place.below("prod")


@pytest.fixture
def at(project: Project) -> Callable[[mx.MetadataStore], Project]:
    """The words of a project for any store."""
    return lambda store: type(project)(store)


def ids(store: mx.MetadataStore, feature: FeatureClass, **options: Any) -> list[str]:
    return sorted(store.read(feature, **options).to_polars()["id"])


def content(store: mx.MetadataStore, *features: FeatureClass) -> list[Any]:
    """Everything a store itself holds of some features."""
    read = [store.read(f, history=True, include_deleted=True).to_polars() for f in features]
    return [frame.sort("metaxy_commit", "id").to_dicts() for frame in read]


def four_videos(project: Project, store: mx.MetadataStore, at) -> FeatureClass:
    video = project.feature("video", columns={"path": str})
    samples = project.samples(a="1", b="1", c="1", d="1")
    at(store).process(video, samples, path="prod")
    return video


# ------------------------------------------------------------------ records


def test_a_store_that_writes_one_of_four_records_still_shows_the_other_three(
    project, place, prod, at
):
    video = four_videos(project, prod, at)
    before = content(prod, video)
    dev = place.over(prod)
    at(dev).process(video, project.samples(a="1", b="2", c="1", d="1"), path="dev")

    paths = dict(dev.read(video).to_polars().select("id", "path").iter_rows())
    assert paths == {"a": "prod", "b": "dev", "c": "prod", "d": "prod"}
    assert dev.count(video) == 4
    assert content(prod, video) == before


def test_a_soft_delete_of_one_of_three_records_hides_that_one(project, place, prod, at):
    video = project.feature("video")
    at(prod).process(video, project.samples(a="1", b="1", c="1"))
    dev = place.over(prod)
    commit = dev.delete(video, filters="id = 'b'")

    assert (commit.id, commit.rows, commit.superseded, commit.deleted) == (1, 1, 0, 1)
    assert ids(dev, video) == ["a", "c"]
    assert ids(dev, video, include_deleted=True) == ["a", "b", "c"]
    assert ids(prod, video) == ["a", "b", "c"]
    assert dev.delete(video, filters="id = 'b'") is None


def test_a_deleted_record_stays_hidden_when_production_writes_it_again(project, place, prod, at):
    video = project.feature("video")
    at(prod).process(video, project.samples(a="1", b="1"))
    dev = place.over(prod)
    dev.delete(video, filters="id = 'b'")
    at(prod).process(video, project.samples(a="1", b="2"))
    assert ids(dev, video) == ["a"]
    assert at(dev).process(video, project.samples(a="1", b="2")).new == 1
    assert ids(dev, video) == ["a", "b"]


def test_a_record_that_production_deleted_is_gone_unless_it_was_written_here(
    project, place, prod, at
):
    video = project.feature("video")
    at(prod).process(video, project.samples(a="1", b="1"))
    dev = place.over(prod)
    at(dev).process(video, project.samples(a="1", b="2"))
    prod.delete(video, filters="true")
    assert ids(dev, video) == ["b"]


def test_production_rewriting_its_own_record_shows_its_newest_row(project, place, prod, at):
    video = project.feature("video", columns={"path": str})
    for version in ("1", "2", "3"):
        at(prod).process(video, project.samples(a=version), path=version)
    dev = place.over(prod)
    at(dev).process(video, project.samples(a="3", z="1"), path="dev")
    assert dict(dev.read(video).to_polars().select("id", "path").iter_rows()) == {
        "a": "3", "z": "dev",
    }  # fmt: skip


def test_history_has_productions_rows_before_ones_own_under_negative_commits(
    project, place, prod, at
):
    video = project.feature("video")
    first = at(prod).process(video, project.samples(a="1"))
    prod_row = prod.read(video).to_polars().row(0, named=True)
    dev = place.over(prod)
    increment = dev.resolve_update(video, project.samples(a="2"))
    dev.write(video, increment.stale, materialization_id="branch")

    rows = dev.read(video, history=True).to_polars().sort("metaxy_commit")
    assert first.new == 1
    assert rows["metaxy_commit"].to_list() == [1 - SHIFT, 1]
    assert rows["metaxy_materialization_id"].to_list() == [None, "branch"]
    assert rows["metaxy_created_at"][0] == prod_row["metaxy_created_at"]
    assert rows["metaxy_feature_version"][0] == prod_row["metaxy_feature_version"]
    assert dev.read(video).to_polars()["metaxy_commit"].to_list() == [1]


def test_the_history_of_an_unwritten_branch_is_that_of_production(project, place, prod, at):
    video = four_videos(project, prod, at)
    dev = place.over(prod)
    last = dev.history(video).last
    assert (last.id, last.rows, last.operation) == (1 - SHIFT, 4, "write")
    assert dev.delete(video, filters="id = 'a'").id == 1
    assert dev.history(video).last.id == 1


def test_a_column_that_only_one_of_the_stores_has_is_null_in_the_others_rows(
    project, place, prod, at
):
    video = four_videos(project, prod, at)
    video = project.feature("video", columns={"path": (str | None, None), "size": (int | None, 0)})
    dev = place.over(prod)
    at(dev).process(video, project.samples(a="1", b="1", c="1", d="1", e="1"), path="x", size=7)
    rows = dev.read(video).to_polars().sort("id").select("id", "path", "size").rows()
    assert rows[0] == ("a", "prod", None)
    assert rows[-1] == ("e", "x", 7)


def test_ids_of_another_type_are_refused_with_both_stores(project, place, prod, at):
    clip = project.feature("clip", ids=["n"])
    versions = {"metaxy_provenance_by_field": [{"default": "1"}]}
    prod.write(clip, pl.DataFrame({"n": [1], **versions}))
    dev = place.over(prod)
    with at(dev).refuses(WrongColumnType, "'n'", "int64"):
        dev.write(clip, pl.DataFrame({"n": ["1"], **versions}))
    alone = place.over(name="alone")
    alone.write(clip, pl.DataFrame({"n": ["1"], **versions}))
    over = place.over(alone, prod, name="over")
    with pytest.raises(WrongColumnType) as caught:
        over.read(clip).to_polars()
    assert "in the fallback" in str(caught.value)
    assert repr(prod.address) in str(caught.value)
    assert repr(alone.address) in str(caught.value)


def test_ids_of_another_width_are_one(project, place, prod):
    clip = project.feature("clip", ids=["n"])
    versions = {"metaxy_provenance_by_field": [{"default": "1"}] * 2}
    prod.write(clip, pl.DataFrame({"n": pl.Series([1, 2], dtype=pl.Int32), **versions}))
    with_wide = place.below("staging")
    with_wide.write(clip, pl.DataFrame({"n": pl.Series([2, 3], dtype=pl.Int64), **versions}))
    dev = place.over(with_wide, prod)
    assert sorted(dev.read(clip).to_polars()["n"]) == [1, 2, 3]


# ------------------------------------------------------------------ increments


def pipeline(project: Project, **codes: str) -> tuple[FeatureClass, FeatureClass, FeatureClass]:
    codes = {"video": "1", "faces": "1", "crops": "1", **codes}
    video = project.feature("video", fields={"default": codes["video"]})
    faces = project.feature("faces", fields={"default": codes["faces"]}, deps=[video])
    crops = project.feature("crops", fields={"default": codes["crops"]}, deps=[faces])
    return video, faces, crops


def processed(project: Project, at, store: mx.MetadataStore, **samples: str) -> None:
    video, faces, crops = pipeline(project)
    at(store).process(video, project.samples(**samples))
    at(store).process(faces)
    at(store).process(crops)


def test_a_fresh_branch_over_a_processed_production_has_nothing_to_do(project, place, prod, at):
    processed(project, at, prod, a="1", b="1")
    video, faces, crops = pipeline(project)
    dev = place.over(prod)
    assert at(dev).counts(video, project.samples(a="1", b="1")) == mx.Counts()
    assert at(dev).counts(faces) == mx.Counts()
    assert at(dev).counts(crops) == mx.Counts()


def test_a_bump_in_the_branch_recomputes_what_it_changes_and_what_reads_it(
    project, place, prod, at
):
    processed(project, at, prod, a="1", b="1")
    before = content(prod, *pipeline(project))
    video, faces, crops = pipeline(project, faces="2")
    dev = place.over(prod)
    assert at(dev).counts(video, project.samples(a="1", b="1")) == mx.Counts()
    assert at(dev).counts(crops) == mx.Counts(blocked=2)
    assert at(dev).process(faces) == mx.Counts(stale=2)
    assert at(dev).counts(faces) == mx.Counts()
    assert at(dev).process(crops) == mx.Counts(stale=2)
    assert at(dev).counts(crops) == mx.Counts()
    assert content(prod, video, faces, crops) == before


def test_code_is_outdated_per_record(project, place, prod, at):
    processed(project, at, prod, a="1", b="1")
    _, faces, crops = pipeline(project, faces="2")
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
    processed(project, at, prod, a="1")
    video, faces, crops = pipeline(project, crops="2")
    dev = place.over(prod)
    assert at(dev).process(crops) == mx.Counts(stale=1)
    old_video, old_faces, _ = pipeline(project)
    at(prod).process(old_video, project.samples(a="1", b="1"))
    at(prod).process(old_faces)
    video, faces, crops = pipeline(project, crops="2")
    assert at(dev).counts(video, project.samples(a="1", b="1")) == mx.Counts()
    assert at(dev).counts(faces) == mx.Counts()
    assert at(dev).counts(crops) == mx.Counts(new=1)


def test_what_the_branch_deletes_upstream_is_orphaned_downstream(project, place, prod, at):
    processed(project, at, prod, a="1", b="1")
    video, faces, crops = pipeline(project)
    dev = place.over(prod)
    assert at(dev).process(video, project.samples(a="1")) == mx.Counts(orphaned=1)
    assert at(dev).process(faces) == mx.Counts(orphaned=1)
    assert ids(dev, faces) == ["a"]
    assert ids(dev, crops) == ["a", "b"]
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
            video, faces, crops = pipeline(project, **codes)
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
    expansion = mx.FeatureDep(feature=video, lineage=mx.Lineage.expansion(on=["id"]))
    chunk = project.feature("chunk", ids=["id", "n"], fields={"default": code}, deps=[expansion])
    aggregation = mx.FeatureDep(feature=chunk, lineage=mx.Lineage.aggregation(on=["id"]))
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
    dep = mx.FeatureDep(feature=shot, lineage=mx.Lineage.aggregation(on=["id"]))
    movie = project.feature("movie", deps=[dep])

    def shots(*names: tuple[str, int]) -> pl.DataFrame:
        table = {"id": [name for name, _ in names], "n": [number for _, number in names]}
        return pl.DataFrame({**table, "metaxy_provenance_by_field": [{"default": "1"}] * len(names)})

    at(prod).process(shot, shots(("a", 1), ("a", 2), ("b", 1)))
    at(prod).process(movie)
    dev = place.over(prod)
    dev.write(shot, shots(("a", 3)))
    increment = dev.resolve_update(movie)
    assert increment.counts == mx.Counts(stale=1)
    assert increment.stale["id"].to_list() == ["a"]


# ------------------------------------------------------------------ hard deletes


def test_a_hard_delete_erases_own_rows_and_hides_what_production_still_has(
    project, place, prod, at
):
    video = four_videos(project, prod, at)
    dev = place.over(prod)
    at(dev).process(video, project.samples(a="2", b="1", c="1", d="1", e="1"), path="dev")
    commit = dev.delete(video, filters="id in ('a', 'b', 'e')", hard=True)

    # a: own row and production's; b: production's; e: own row
    assert (commit.operation, commit.rows, commit.superseded) == ("hard_delete", 4, 0)
    assert ids(dev, video) == ["c", "d"]
    assert ids(dev, video, include_deleted=True) == ["a", "b", "c", "d"]
    assert ids(prod, video) == ["a", "b", "c", "d"]


# ------------------------------------------------------------------ chains


def test_the_nearest_store_of_a_chain_wins(project, place, prod, at):
    video = project.feature("video", columns={"path": str})
    staging = place.below("staging", fallback=prod)
    dev = place.over(staging)
    at(prod).process(video, project.samples(a="1", b="1", c="1"), path="prod")
    at(staging).process(video, project.samples(a="1", b="2", c="2"), path="staging")
    at(dev).process(video, project.samples(a="1", b="2", c="3"), path="dev")

    assert [store.address for store in dev.fallbacks] == [staging.address, prod.address]
    assert dict(dev.read(video).to_polars().select("id", "path").iter_rows()) == {
        "a": "prod", "b": "staging", "c": "dev",
    }  # fmt: skip
    commits = dev.read(video, history=True).to_polars()["metaxy_commit"].unique().sort()
    assert commits.to_list() == [1 - 2 * SHIFT, 1 - SHIFT, 1]
    assert dict(staging.read(video).to_polars().select("id", "path").iter_rows()) == {
        "a": "prod", "b": "staging", "c": "staging",
    }  # fmt: skip


def test_an_empty_store_in_the_middle_of_a_chain_is_looked_through(project, place, prod, at):
    video = four_videos(project, prod, at)
    dev = place.over(place.below("staging"), prod)
    assert dev.count(video) == 4
    assert at(dev).counts(video, project.samples(a="1", b="1", c="1", d="1")) == mx.Counts()


def test_a_store_named_twice_on_the_way_counts_once(project, place, prod, at):
    video = four_videos(project, prod, at)
    staging = place.below("staging", fallback=prod)
    dev = place.over(staging, prod)
    assert dev.fallbacks == (staging, prod)
    assert dev.read(video, history=True).to_polars().height == 4


def test_nothing_anywhere_reads_as_nothing(project, place, prod, at):
    video, faces, _ = pipeline(project)
    dev = place.over(prod)
    assert dev.count(video) == 0
    assert dev.history(video).last is None
    assert at(dev).counts(faces) == mx.Counts()
    assert dev.delete(video, filters="true") is None
    assert at(dev).process(video, project.samples(a="1")) == mx.Counts(new=1)
    assert ids(dev, video) == ["a"]


# ------------------------------------------------------------------ definitions


def test_snapshots_are_the_stores_own_and_else_those_of_its_fallback(project, place, prod):
    video = project.feature("video")
    pushed = prod.push()
    dev = place.over(prod)
    assert dev.snapshots() == (pushed,)
    assert [str(each.key) for each in dev.recorded_graph()] == ["video"]
    project.feature("faces", deps=[video])
    own = dev.push()
    assert own.id == 1
    assert dev.snapshots() == (own,)
    assert sorted(str(each.key) for each in dev.recorded_graph()) == ["faces", "video"]
    assert prod.snapshots() == (pushed,)


def test_definitions_last_written_with_are_found_in_the_fallback(project, place, prod, at):
    processed(project, at, prod, a="1")
    recorded = place.over(prod).recorded_graph()
    assert recorded.versions["crops"] == mx.FeatureGraph.active().versions["crops"]


# ------------------------------------------------------------------ what a fallback is not


def test_a_file_that_is_a_fallback_keeps_every_byte(project, tmp_path, at):
    path = tmp_path / "prod.duckdb"
    with mx.DuckDBMetadataStore(path) as prod:
        processed(project, at, prod, a="1", b="1")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    video, faces, crops = pipeline(project, faces="2")
    with (
        mx.DuckDBMetadataStore(path, read_only=True) as prod,
        mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", fallback=prod) as dev,
    ):
        at(dev).process(video, project.samples(a="2", c="1"))
        at(dev).process(faces)
        at(dev).process(crops)
        dev.delete(faces, filters="id = 'a'")
        dev.delete(faces, filters="id = 'b'", hard=True)
        dev.push()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dev.duckdb", "prod.duckdb"]


def test_a_call_that_fails_leaves_both_stores_usable(project, place, prod, at):
    video = four_videos(project, prod, at)
    dev = place.over(prod)
    with at(dev).refuses(mx.MetaxyError):
        dev.write(video, pl.DataFrame({"id": ["z"], "path": [1.5]}))
    with at(dev).refuses(mx.MetaxyError):
        dev.delete(video, filters="nothing = 1")
    assert dev.count(video) == 4
    shown = dev.backend.fetch("SELECT view_name FROM duckdb_views() WHERE NOT internal").to_pylist()
    assert not [each for each in shown if "fallback" in each["view_name"]]
    assert prod.count(video) == 4


def test_a_fallback_that_is_closed_or_away_says_so(project, tmp_path):
    video = project.feature("video")
    away = mx.DuckDBMetadataStore(tmp_path / "prod.duckdb", read_only=True)
    with mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", fallback=away) as dev:
        with pytest.raises(StoreUnreachable, match=r"prod\.duckdb"):
            dev.count(video)
        with pytest.raises(StoreUnreachable, match=r"prod\.duckdb"):
            dev.write(video, project.samples(a="1"))
    not_yet = mx.DuckDBMetadataStore(tmp_path / "prod.duckdb")
    with mx.DuckDBMetadataStore(tmp_path / "dev2.duckdb", fallback=not_yet) as dev:
        assert dev.count(video) == 0
    assert not (tmp_path / "prod.duckdb").exists()


def test_a_table_of_somebody_else_in_a_fallback_is_left_alone(project, tmp_path):
    video = project.feature("video")
    path = tmp_path / "prod.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE video (id VARCHAR)")
    below = mx.DuckDBMetadataStore(path)
    with mx.DuckDBMetadataStore(":memory:", fallback=below) as dev:
        assert dev.count(video) == 0
        below.write(project.feature("other"), project.samples(a="1"))
        with pytest.raises(mx.MetaxyError, match="has a table 'video' that no store made"):
            dev.count(video)


@pytest.mark.parametrize("fallback", ["production", [1], {"a": 1}])
def test_what_is_no_store_is_no_fallback(fallback):
    with pytest.raises(InvalidFallback, match="is no store"):
        mx.DuckDBMetadataStore(":memory:", fallback=fallback)


def test_a_store_is_not_its_own_fallback(tmp_path):
    path = tmp_path / "a.duckdb"
    with pytest.raises(InvalidFallback, match=r"a\.duckdb"):
        mx.DuckDBMetadataStore(path, fallback=mx.DuckDBMetadataStore(path))
    twice = [mx.DuckDBMetadataStore(path), mx.DuckDBMetadataStore(tmp_path / "." / "a.duckdb")]
    with pytest.raises(InvalidFallback, match="one fallback twice"):
        mx.DuckDBMetadataStore(":memory:", fallback=twice)


def test_sql_compiled_for_one_set_of_stores_is_not_taken_for_another(project, tmp_path, at):
    """The same features over different layers, one after the other in one process."""
    with mx.DuckDBMetadataStore(tmp_path / "prod.duckdb") as prod:
        processed(project, at, prod, a="1", b="1")
        video, faces, _ = pipeline(project)
        for below in ((), (prod,), (mx.DuckDBMetadataStore(":memory:"),), (prod,), ()):
            with mx.DuckDBMetadataStore(":memory:", fallback=below) as dev:
                new = 0 if below == (prod,) else 2
                samples = project.samples(a="1", b="1")
                assert at(dev).process(video, samples) == mx.Counts(new=new)
                assert at(dev).process(faces) == mx.Counts(new=new)
                assert dev.count(faces) == 2
