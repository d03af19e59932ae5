"""`store.copy_from`: records move between stores with their history and their versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    CopyOvertaken,
    CopyRefused,
    FeatureOwned,
    InvalidWrite,
    ReadOnlyStore,
    UnknownFeature,
)
from metaxy_core.store import copy_source

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]
Opened = Callable[..., mx.MetadataStore]
NOTHING = mx.Counts()
pytestmark = pytest.mark.slow  # what every kind of store does is in tests/backends/test_copies.py


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Opens a store in a file; what ends in ``.sqlite`` is one of SQLite."""
    with ExitStack() as stack:

        def open_store(name: str, **options: Any) -> mx.MetadataStore:
            kind = mx.SQLiteMetadataStore if name.endswith(".sqlite") else mx.DuckDBMetadataStore
            return stack.enter_context(kind(tmp_path / name, **options))

        yield open_store


@pytest.fixture(params=["target.duckdb", pytest.param("target.sqlite", marks=pytest.mark.slow)])
def target(request: pytest.FixtureRequest, opened: Opened) -> mx.MetadataStore:
    return opened(request.param)


@pytest.fixture
def text(project: Project, video: FeatureClass) -> FeatureClass:
    """Three videos and their texts, one of them changed, another gone; then texts are stale."""
    text = project.feature("text", deps=[video], columns={"length": int | None})
    project.process(video, project.samples(a="1", b="1", c="1"))
    project.process(text, length=1)
    project.process(video, project.samples(a="2", b="1"))
    project.process(text, length=2)
    project.store.delete(text, filters="id = 'b'")
    project.process(video, project.samples(a="2", b="2"))
    return text


def state(store: mx.MetadataStore, *, history: bool = True) -> dict[str, Any]:
    """All rows of the active graph's features, but for the ids of commits."""
    return {
        str(definition.key): store.read(definition.key, history=history, include_deleted=True)
        .to_polars()
        .drop("metaxy_commit", strict=False)
        .sort(*definition.spec.id_columns, "metaxy_created_at")
        .to_dicts()
        for definition in mx.FeatureGraph.active()
    }


def commits(store: mx.MetadataStore, feature: FeatureClass) -> list[tuple[Any, ...]]:
    """What the catalog says of a feature, but for the ids of commits."""
    return [
        (
            each.operation,
            each.feature_version,
            each.rows,
            each.superseded,
            each.deleted,
            each.created_at,
            each.materialization_id,
            each.processed,
            each.checksum,
        )
        for each in store.commits(feature)
    ]


def tallies(copied: tuple[mx.CopiedFeature, ...]) -> dict[str, tuple[int, int, int]]:
    return {str(each.feature): (each.commits, each.rows, each.already) for each in copied}


def counts(store: mx.MetadataStore, *features: FeatureClass) -> list[mx.Counts]:
    return [store.resolve_update(feature).counts for feature in features]


class Interrupted(Exception):
    """Stands for a crash."""


# --------------------------------------------------------------------------- whole histories


def test_the_whole_history_comes_with_its_commits(
    project: Project, video: FeatureClass, text: FeatureClass, target: mx.MetadataStore
) -> None:
    copied = target.copy_from(project.store)
    assert tallies(copied) == {"video": (4, 6, 0), "text": (4, 6, 0)}
    assert state(target) == state(project.store)
    for feature in (video, text):
        assert commits(target, feature) == commits(project.store, feature)
    assert counts(target, text) == counts(project.store, text)


def test_there_and_back_through_another_kind_of_store(
    project: Project, text: FeatureClass, opened: Opened
) -> None:
    there, back = opened("there.sqlite"), opened("back.duckdb")
    there.copy_from(project.store)
    back.copy_from(there)
    assert state(back) == state(project.store)
    assert commits(back, text) == commits(project.store, text)


def test_columns_of_every_type_stay_as_they_are(
    project: Project, video: FeatureClass, target: mx.MetadataStore, opened: Opened
) -> None:
    clips = project.samples(a="1", b="2").with_columns(
        size=pl.Series([1, None], dtype=pl.Int16),
        score=pl.Series([0.5, float("inf")]),
        at=pl.Series([0, 1]).cast(pl.Datetime("us", "UTC")),
        day=pl.Series([0, 1]).cast(pl.Date),
        took=pl.Series([0, 1]).cast(pl.Duration("us")),
        data=pl.Series([b"\x00", None]),
        tags=pl.Series([["x", None], []], dtype=pl.List(pl.String)),
        box=pl.Series([{"x": 1, "y": None}, None], dtype=pl.Struct({"x": pl.Int64, "y": pl.Date})),
    )
    project.store.write(video, clips)
    target.copy_from(project.store)
    back = opened("back.duckdb")
    back.copy_from(target)
    expected = project.store.read(video).to_polars().sort("id")
    assert back.read(video).to_polars().sort("id").equals(expected)


def test_a_commit_of_several_features_stays_one(
    project: Project, video: FeatureClass, label: FeatureClass, target: mx.MetadataStore
) -> None:
    both = {video: project.samples(a="1"), label: project.labels(a="1")}
    project.store.write_all(both)
    told: list[mx.CopyProgress] = []
    target.copy_from(project.store, tell=told.append)
    assert told[-1].commits == 1
    assert target.commits(video)[0].id == target.commits(label)[0].id
    for feature in both:
        assert commits(target, feature) == commits(project.store, feature)


def test_many_batches_are_one_commit(
    project: Project,
    video: FeatureClass,
    target: mx.MetadataStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copy_source, "BATCH", 3)
    project.store.write(video, project.samples(**{f"v{i}": "1" for i in range(10)}))
    told: list[mx.CopyProgress] = []
    target.copy_from(project.store, [video], tell=told.append)
    assert len(told) > 3
    assert told[-1] == mx.CopyProgress(commits=1, of=1, rows=10)
    assert commits(target, video) == commits(project.store, video)
    assert state(target) == state(project.store)


def test_features_of_an_empty_store_and_no_features_are_nothing(
    project: Project, video: FeatureClass, target: mx.MetadataStore
) -> None:
    assert tallies(target.copy_from(project.store)) == {"video": (0, 0, 0)}
    assert target.copy_from(project.store, []) == ()
    assert target.commits(video) == ()


def test_an_empty_graph_is_refused_where_all_features_are_asked_for(
    project: Project, video: FeatureClass, target: mx.MetadataStore
) -> None:
    project.process(video, project.samples(a="1"))
    with mx.FeatureGraph().use(), pytest.raises(InvalidWrite, match="active graph.*is empty"):
        target.copy_from(project.store)


def test_definitions_and_rebases_come_too(
    project: Project, video: FeatureClass, target: mx.MetadataStore
) -> None:
    project.process(video, project.samples(a="1"))
    text = project.feature("text", deps=[video], fields=["sound"])
    project.process(text)
    text = project.feature("text", deps=[video], fields=["audio"])
    field_deps = {"audio": "sound"}
    assert project.store.rebase(text, fields=field_deps).records == 1

    target.copy_from(project.store)
    (there,), (here,) = project.store.migrations(), target.migrations()
    assert (here.feature, here.fields, here.applied_at) == (
        there.feature,
        there.fields,
        there.applied_at,
    )
    assert target.commits(text)[0].id == here.commit
    assert target.history(text).code_versions == project.store.history(text).code_versions
    assert counts(target, text) == [NOTHING]


# --------------------------------------------------------------------------- the latest rows


def test_only_the_latest_rows_come(
    project: Project, video: FeatureClass, text: FeatureClass, target: mx.MetadataStore
) -> None:
    copied = target.copy_from(project.store, history=False)
    assert tallies(copied)["video"] == (3, 3, 0)
    assert state(target, history=False) == state(project.store, history=False)
    assert target.read(video, history=True, include_deleted=True).count() == 3
    assert not target.history(text).superseding
    assert counts(target, text) == counts(project.store, text)
    assert tallies(target.copy_from(project.store, history=False))["video"] == (0, 0, 3)


def test_the_latest_rows_of_what_the_source_did_since_come_later(
    project: Project, video: FeatureClass, text: FeatureClass, target: mx.MetadataStore
) -> None:
    target.copy_from(project.store, history=False)
    project.process(text, length=5)
    project.process(video, project.samples(a="3", d="1"))
    project.store.delete(text, filters="id = 'a'")
    target.copy_from(project.store, history=False)
    assert state(target, history=False) == state(project.store, history=False)
    assert counts(target, text) == counts(project.store, text)


# --------------------------------------------------------------------------- going on


def test_a_second_call_copies_only_what_the_source_did_since(
    project: Project, video: FeatureClass, text: FeatureClass, target: mx.MetadataStore
) -> None:
    target.copy_from(project.store)
    assert tallies(target.copy_from(project.store)) == {"video": (0, 0, 4), "text": (0, 0, 4)}
    project.process(text, length=3)
    assert tallies(target.copy_from(project.store)) == {"video": (0, 0, 4), "text": (1, 1, 4)}
    assert state(target) == state(project.store)


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("inside", [True, False], ids=["inside a commit", "between commits"])
def test_an_interrupted_copy_goes_on(
    project: Project,
    video: FeatureClass,
    text: FeatureClass,
    target: mx.MetadataStore,
    history: bool,
    inside: bool,
) -> None:
    done = 0

    def tell(progress: mx.CopyProgress) -> None:
        nonlocal done
        if progress.commits == 2 and (not inside or progress.rows > done):
            raise Interrupted
        done = progress.rows

    with pytest.raises(Interrupted):
        target.copy_from(project.store, history=history, tell=tell)
    began = target.commits(video) + target.commits(text)
    assert len({commit.id for commit in began}) == 2

    project.process(text, length=3)
    project.process(video, project.samples(a="2", b="3"))
    copied = target.copy_from(project.store, history=history)
    assert sum(each.already for each in copied) == 2
    assert state(target, history=history) == state(project.store, history=history)
    if history:
        assert commits(target, text) == commits(project.store, text)
    assert counts(target, text) == counts(project.store, text)


@pytest.mark.parametrize("history", [True, False])
def test_what_the_source_erased_is_erased(
    project: Project,
    video: FeatureClass,
    text: FeatureClass,
    target: mx.MetadataStore,
    history: bool,
) -> None:
    target.copy_from(project.store, history=history)
    project.store.delete(video, filters="id = 'a'", hard=True)
    project.store.compact(text)
    project.process(video, project.samples(a="9", b="2"))
    target.copy_from(project.store, history=history)
    assert state(target, history=history) == state(project.store, history=history)
    assert counts(target, text) == counts(project.store, text)
    assert all(each.commits == 0 for each in target.copy_from(project.store, history=history))


def test_a_compacted_source_is_copied_as_it_is(
    project: Project, text: FeatureClass, target: mx.MetadataStore
) -> None:
    project.store.compact(text)
    target.copy_from(project.store)
    assert state(target) == state(project.store)
    assert commits(target, text) == commits(project.store, text)
    assert target.integrity(text)


def test_the_source_goes_on_while_it_is_copied(
    project: Project, video: FeatureClass, target: mx.MetadataStore
) -> None:
    project.process(video, project.samples(a="1", b="1"))
    is_first = True

    def tell(_: mx.CopyProgress) -> None:
        nonlocal is_first
        if is_first:
            is_first = False
            project.process(video, project.samples(a="2", b="1"))
            project.store.compact(video)

    target.copy_from(project.store, tell=tell)
    assert state(target) == state(project.store)
    assert commits(target, video) == commits(project.store, video)


# --------------------------------------------------------------------------- lineages


@pytest.mark.parametrize("history", [True, False])
def test_an_expansion_brings_its_parents(
    project: Project, video: FeatureClass, target: mx.MetadataStore, history: bool
) -> None:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion(on=["id"]))
    chunk = project.feature("chunk", ids=["id", "n"], deps=[dep])

    def cut(store: mx.MetadataStore, children: int) -> None:
        todo = store.resolve_update(chunk)
        rows = pl.concat([todo.new, todo.stale], how="diagonal_relaxed")
        made = rows.filter(pl.col("id") != "none").join(
            pl.DataFrame({"n": range(children)}), how="cross"
        )
        store.write(chunk, made, processed=rows)

    project.process(video, project.samples(a="1", b="1", none="1"))
    cut(project.store, 3)
    project.process(video, project.samples(a="2", b="1", none="1"))
    cut(project.store, 2)
    target.copy_from(project.store, history=history)
    assert state(target, history=history) == state(project.store, history=history)
    assert counts(target, chunk) == [NOTHING]

    project.process(video, project.samples(a="2", b="2"))
    target.copy_from(project.store, history=history)
    assert counts(target, chunk) == counts(project.store, chunk) != [NOTHING]


@pytest.mark.parametrize("history", [True, False])
def test_an_aggregation_stays_up_to_date(
    project: Project, target: mx.MetadataStore, history: bool
) -> None:
    part = project.feature("part", ids=["id", "n"])
    dep = mx.FeatureDep(feature=part, lineage=mx.aggregation(on=["id"]))
    whole = project.feature("whole", deps=[dep])
    samples = project.samples(a="1", b="2").join(pl.DataFrame({"n": [1, 2]}), how="cross")
    project.process(part, samples)
    project.process(whole)
    target.copy_from(project.store, history=history)
    assert state(target, history=history) == state(project.store, history=history)
    assert counts(target, whole) == [NOTHING]


# --------------------------------------------------------------------------- afterwards


@pytest.mark.parametrize("history", [True, False])
def test_the_target_is_settled_after_one_look(
    project: Project, video: FeatureClass, target: mx.MetadataStore, history: bool
) -> None:
    text = project.feature("text", deps=[video])
    project.process(video, project.samples(a="1", b="1"))
    project.process(text)
    target.copy_from(project.store, history=history)
    assert counts(target, text) == [NOTHING]
    assert target.is_settled(text)


def test_the_target_goes_on_where_the_source_stopped(
    project: Project, video: FeatureClass, text: FeatureClass, target: mx.MetadataStore
) -> None:
    target.copy_from(project.store)
    todo = target.resolve_update(text)
    for frame in todo.batches():
        target.write(text, frame.with_columns(length=9))
    assert counts(target, text) == [NOTHING]


def test_fallbacks_stay_where_they_are(
    project: Project, video: FeatureClass, opened: Opened
) -> None:
    below = opened("below.duckdb")
    below.write(video, project.samples(a="1", b="1"))
    branch = opened("branch.duckdb", fallback=below)
    branch.write(video, project.samples(a="2"))
    branch.delete(video, filters="id = 'b'")
    moved = opened("moved.duckdb", fallback=below)
    assert tallies(moved.copy_from(branch)) == {"video": (2, 2, 0)}
    assert state(moved, history=False) == state(branch, history=False)


# --------------------------------------------------------------------------- what is refused


@pytest.fixture
def other(project: Project, video: FeatureClass, opened: Opened) -> mx.MetadataStore:
    """A store with one video of its own."""
    store = opened("other.duckdb")
    store.write(video, project.samples(z="1"))
    return store


def test_other_records_are_never_joined(
    project: Project, video: FeatureClass, label: FeatureClass, other: mx.MetadataStore
) -> None:
    project.process(video, project.samples(a="1"))
    project.process(label, project.labels(a="1"))
    before = state(other)
    with pytest.raises(CopyRefused, match="has 1 commit\\(s\\) of 'video' of its own"):
        other.copy_from(project.store)
    assert state(other) == before
    assert tallies(other.copy_from(project.store, [label])) == {"label": (1, 1, 0)}


def test_a_target_that_was_written_to_is_refused(
    project: Project, video: FeatureClass, target: mx.MetadataStore
) -> None:
    project.process(video, project.samples(a="1"))
    target.copy_from(project.store)
    target.write(video, project.samples(b="1"))
    with pytest.raises(CopyRefused, match="beside the 1 that were copied"):
        target.copy_from(project.store)


def test_another_source_is_refused(
    project: Project, video: FeatureClass, target: mx.MetadataStore, other: mx.MetadataStore
) -> None:
    project.process(video, project.samples(a="1"))
    target.copy_from(project.store)
    with pytest.raises(CopyRefused, match="were copied from"):
        target.copy_from(other)


@pytest.mark.parametrize("history", [True, False])
def test_history_and_latest_rows_are_not_mixed(
    project: Project, video: FeatureClass, target: mx.MetadataStore, history: bool
) -> None:
    project.process(video, project.samples(a="1"))
    target.copy_from(project.store, history=history)
    with pytest.raises(CopyRefused, match="Go on with"):
        target.copy_from(project.store, history=not history)


def test_hash_algorithms_have_to_agree(
    project: Project, video: FeatureClass, opened: Opened
) -> None:
    source = opened("source.duckdb", hash="xxh64")
    source.write(video, project.samples(a="1"))
    with pytest.raises(CopyRefused, match="xxh64 versions, and .* has md5.*hash='xxh64'"):
        opened("md5.duckdb").copy_from(source)
    target = opened("xxh64.sqlite", hash="xxh64")
    target.copy_from(source)
    assert state(target) == state(source)


def test_a_store_is_not_copied_to_itself(video: FeatureClass, other: mx.MetadataStore) -> None:
    with pytest.raises(CopyRefused, match="to itself"):
        other.copy_from(other)
    with pytest.raises(CopyRefused, match="to itself"):
        other.copy_from(mx.DuckDBMetadataStore(other.address))


def test_a_store_is_itself_by_another_path_too(
    video: FeatureClass, other: mx.MetadataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.duckdb").symlink_to(other.address)
    for path in (Path(other.address).name, "link.duckdb"):
        with pytest.raises(CopyRefused, match="to itself"):
            other.copy_from(mx.DuckDBMetadataStore(path))


def test_a_writer_beside_a_copy_is_noticed(
    project: Project, video: FeatureClass, target: mx.MetadataStore
) -> None:
    project.process(video, project.samples(a="1"))
    project.process(video, project.samples(a="2"))

    def tell(progress: mx.CopyProgress) -> None:
        if progress.commits == 1 and len(target.commits(video)) == 1:
            target.write(video, project.samples(z="1"))

    with pytest.raises(CopyOvertaken, match="Somebody else changed 'video'"):
        target.copy_from(project.store, tell=tell)
    assert len(target.commits(video)) == 2


def test_another_projects_feature_is_refused(opened: Opened) -> None:
    def release(project: str, store: mx.MetadataStore) -> None:
        with mx.FeatureGraph(project=project).use():

            class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip", id_columns=["id"])):
                id: str

            store.push()
            if project == "films":
                frame = pl.DataFrame(
                    {"id": ["a"], "metaxy_provenance_by_field": [{"default": "1"}]}
                )
                store.write(Clip, frame)

    source, target = opened("source.duckdb"), opened("target.duckdb")
    release("films", source)
    release("talks", target)
    with mx.FeatureGraph(project="films").use():

        class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip", id_columns=["id"])):
            id: str

        with pytest.raises(FeatureOwned, match="talks"):
            target.copy_from(source)
        assert target.commits(Clip) == ()


def test_arguments_are_checked(
    project: Project, video: FeatureClass, other: mx.MetadataStore, tmp_path: Path
) -> None:
    with pytest.raises(InvalidWrite, match="source"):
        other.copy_from("metadata.duckdb")  # type: ignore[arg-type]
    with pytest.raises(InvalidWrite, match="features"):
        other.copy_from(project.store, "video")
    with pytest.raises(UnknownFeature, match="films"):
        other.copy_from(project.store, ["films"])
    with (
        mx.DuckDBMetadataStore(tmp_path / "other.duckdb", read_only=True) as closed,
        pytest.raises(ReadOnlyStore),
    ):
        closed.copy_from(project.store)
