"""`among=`: the increment of some records only, given by their ids or as a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidSpec, InvalidWrite, MissingColumn, NullId, WrongColumnType
from metaxy_core.store.settling import LIMITS

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]
NAMES = [f"v{number}" for number in range(40)]


@pytest.fixture
def text(project: Project, video: FeatureClass) -> FeatureClass:
    return project.feature("text", deps=[video])


def film(project: Project, *names: str, version: str = "a", **columns: str) -> None:
    added = [pl.lit(value).alias(name) for name, value in columns.items()]
    frame = project.samples(**dict.fromkeys(names, version)).with_columns(added)
    project.store.write("video", frame)


def ids(*names: str, column: str = "id") -> pl.DataFrame:
    return pl.DataFrame({column: list(names)})


def found(project: Project, feature: Any, among: Any, **options: Any) -> dict[str, list[Any]]:
    """The ids of each kind that an increment of some records holds."""
    increment = project.store.resolve_update(feature, among=among, **options)
    kinds = {"new": increment.new, "stale": increment.stale, "orphaned": increment.orphaned}
    return {kind: sorted(rows[:, 0].to_list()) for kind, rows in kinds.items() if rows.height}


def by_bucket(project: Project, feature: Any, of: int, **options: Any) -> list[dict[str, Any]]:
    return [found(project, feature, mx.Bucket(n, of=of), **options) for n in range(of)]


def together(parts: list[dict[str, Any]]) -> dict[str, list[Any]]:
    kinds = {kind for part in parts for kind in part}
    return {kind: sorted(id_ for part in parts for id_ in part.get(kind, [])) for kind in kinds}


# --------------------------------------------------------------------------- ids


def test_only_the_given_records_are_new_stale_or_orphaned(
    project: Project, text: FeatureClass
) -> None:
    film(project, "a", "b", "c", "d")
    project.process(text)
    film(project, "a", "b", version="b")
    film(project, "e", "f")
    project.store.delete("video", ids("c", "d"))

    assert found(project, text, ids("a", "c", "e", "nowhere")) == {
        "new": ["e"], "stale": ["a"], "orphaned": ["c"],
    }  # fmt: skip


def test_their_rows_are_the_same_as_in_the_whole_increment(
    project: Project, text: FeatureClass
) -> None:
    film(project, "a", "b")
    whole = project.store.resolve_update(text).new

    part = project.store.resolve_update(text, among=ids("b")).new

    assert part.to_dicts() == whole.filter(pl.col("id") == "b").to_dicts()


def test_no_ids_are_no_records(project: Project, text: FeatureClass) -> None:
    film(project, "a")

    assert found(project, text, ids().cast(pl.String)) == {}


def test_filters_force_and_limit_hold_within_the_given_records(
    project: Project, text: FeatureClass
) -> None:
    film(project, "a", "b", "c")
    assert found(project, text, ids("b", "c"), limit=1) == {"new": ["b"]}
    assert found(project, text, ids("a", "b"), filters="id > 'a'") == {"new": ["b"]}
    project.process(text)

    assert found(project, text, ids("b", "c"), stale_if="id < 'c'") == {"stale": ["b"]}


def test_what_is_found_of_some_records_settles_nothing_of_the_others(
    project: Project, text: FeatureClass
) -> None:
    film(project, "a", "b")
    assert found(project, text, ids("nowhere")) == {}

    assert found(project, text, None) == {"new": ["a", "b"]}


def test_the_parents_of_an_expansion_are_given(project: Project, video: FeatureClass) -> None:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion(on=["id"]))
    scenes = project.feature("scenes", ids=["id", "scene"], deps=[dep])
    film(project, "a", "b", "c")
    parents = project.store.resolve_update(scenes, among=ids("a", "b")).new
    project.store.write(scenes, parents.with_columns(scene=pl.lit(0)))
    film(project, "a", "c", version="b")

    assert found(project, scenes, ids("a", "b")) == {"stale": ["a"]}
    assert found(project, scenes, ids("b", "c")) == {"new": ["c"]}


def test_a_record_that_left_a_group_makes_it_stale(project: Project) -> None:
    player = project.feature("video", columns={"team": str})
    dep = mx.FeatureDep(feature=player, lineage=mx.aggregation(on=["team"]))
    team = project.feature("team", ids=["team"], deps=[dep])
    film(project, "p1", "p2", team="red")
    film(project, "p3", team="blue")
    project.process(team)
    film(project, "p2", team="blue")

    assert found(project, team, ids("red", column="team")) == {"stale": ["red"]}
    assert together(by_bucket(project, team, 3)) == {"stale": ["blue", "red"]}


@pytest.mark.slow
@pytest.mark.parametrize("few", [True, False])
def test_records_with_parts_of_ids_and_optional_deps_are_found_alike(
    project: Project, video: FeatureClass, monkeypatch: pytest.MonkeyPatch, *, few: bool
) -> None:
    monkeypatch.setattr(LIMITS, "rows", 0 if few else LIMITS.rows)
    monkeypatch.setattr(LIMITS, "share", 1.0)
    cut = project.feature("cut", ids=["id", "cut"])
    note = project.feature("note")
    optional = mx.FeatureDep(feature=note, optional=True)
    clip = project.feature("clip", ids=["id", "cut"], deps=[cut, video, optional])
    film(project, *NAMES)
    pairs = project.samples(**dict.fromkeys(NAMES, "a"))
    project.store.write(cut, pairs.with_columns(cut=pl.lit(1)))
    project.process(clip)
    project.store.resolve_update(clip)
    film(project, *NAMES[::3], version="b")
    project.store.write(note, project.samples(**dict.fromkeys(NAMES[::5], "n")))
    project.store.delete(cut, pairs.select("id", cut=pl.lit(1)).filter(pl.col("id") < "v2"))

    whole = found(project, clip, None)
    assert set(whole) == {"stale", "orphaned"}
    assert together(by_bucket(project, clip, 4)) == whole
    chosen = pairs.select("id", cut=pl.lit(1)).gather_every(2)
    kept = {kind: [id_ for id_ in rows if id_ in set(chosen["id"])] for kind, rows in whole.items()}
    assert found(project, clip, chosen) == kept


# --------------------------------------------------------------------------- buckets


def test_buckets_share_the_increment_out(project: Project, text: FeatureClass) -> None:
    film(project, *NAMES)

    parts = by_bucket(project, text, 4)

    assert together(parts) == {"new": sorted(NAMES)}
    assert all(part["new"] for part in parts)


def test_a_record_stays_in_its_bucket_in_every_release(
    project: Project, text: FeatureClass
) -> None:
    film(project, *NAMES[:12])

    buckets = [part.get("new", []) for part in by_bucket(project, text, 4)]

    assert buckets == [
        ["v10"],
        ["v11", "v9"],
        ["v0", "v1", "v4", "v6", "v7"],
        ["v2", "v3", "v5", "v8"],
    ]


def test_a_bucket_of_a_root_holds_its_samples_and_its_orphans(
    project: Project, video: FeatureClass
) -> None:
    project.process(video, project.samples(**dict.fromkeys(NAMES, "a")))
    samples = project.samples(**dict.fromkeys([*NAMES[10:], "new"], "b"))

    parts = by_bucket(project, video, 3, samples=samples)

    assert together(parts) == {
        "new": ["new"], "stale": sorted(NAMES[10:]), "orphaned": sorted(NAMES[:10]),
    }  # fmt: skip


def test_ids_of_several_columns_and_of_numbers_fall_into_buckets(project: Project) -> None:
    shot = project.feature("shot", ids=["film", "take"])
    frame = pl.DataFrame({"film": ["a"] * 20, "take": range(20)}).with_columns(
        metaxy_provenance_by_field=pl.struct(default=pl.lit("1"))
    )

    parts = [
        project.store.resolve_update(shot, frame, among=mx.Bucket(number, of=2)).new["take"]
        for number in range(2)
    ]

    assert sorted([*parts[0], *parts[1]]) == list(range(20))
    assert min(map(len, parts)) > 0


@pytest.mark.parametrize(("number", "of"), [(-1, 2), (2, 2), (0, 0), ("0", 2), (0, "2"), (True, 2)])
def test_a_bucket_that_is_none_is_refused(number: Any, of: Any) -> None:
    with pytest.raises(InvalidSpec, match=r"Bucket\("):
        mx.Bucket(number, of=of)


# --------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("among", "error", "said"),
    [
        ("a", InvalidWrite, "among"),
        (["a"], InvalidWrite, "a frame with ids, or an mx.Bucket"),
        (pl.DataFrame({"name": ["a"]}), MissingColumn, "'id'"),
        (pl.DataFrame({"id": ["a", None]}), NullId, "'id'"),
        (pl.DataFrame({"id": [1]}), WrongColumnType, "the ids given by among="),
    ],
)
def test_what_names_no_records_is_refused(
    project: Project, text: FeatureClass, among: Any, error: type[mx.MetaxyError], said: str
) -> None:
    film(project, "a")

    with project.refuses(error, "text" if error is not InvalidWrite else "among", said):
        project.store.resolve_update(text, among=among)


def test_the_ids_of_an_increment_come_without_its_columns(
    project: Project, text: FeatureClass
) -> None:
    film(project, "b", "a")
    project.process(text)
    film(project, "c")
    film(project, "b", version="b")

    assert project.store.resolve_update(text).ids.to_dicts() == [{"id": "b"}, {"id": "c"}]


# --------------------------------------------------------------------------- reading


def read_ids(project: Project, feature: Any, **options: Any) -> list[Any]:
    return sorted(project.store.read(feature, columns=["id"], **options).to_polars()["id"])


def test_some_records_are_read_by_their_ids_in_their_latest_state(
    project: Project, video: FeatureClass
) -> None:
    film(project, "a", "b", "c")
    film(project, "a", "c", version="b")
    project.store.delete(video, ids("c"))
    some = ids("a", "c", "z")

    records = project.store.read(video, among=some)
    assert records.count() == 1
    assert records.to_polars()["id"].to_list() == ["a"]
    assert [batch["id"].to_pylist() for batch in records.batches()] == [["a"]]
    assert read_ids(project, video, among=some, history=True) == ["a", "a", "c", "c"]
    assert read_ids(project, video, among=some, include_deleted=True) == ["a", "c"]
    assert read_ids(project, video, among=some, filters="id > 'a'", history=True) == ["c", "c"]
    assert read_ids(project, video) == ["a", "b"]


def test_every_record_is_read_in_one_bucket_which_is_that_of_its_increment(
    project: Project, text: FeatureClass
) -> None:
    film(project, *NAMES)
    buckets = [mx.Bucket(number, of=4) for number in range(4)]
    read = [read_ids(project, "video", among=bucket) for bucket in buckets]

    assert sorted(name for part in read for name in part) == sorted(NAMES)
    assert read == [found(project, text, bucket)["new"] for bucket in buckets]


def test_children_are_read_by_their_parents(project: Project, video: FeatureClass) -> None:
    part = project.feature(
        "part", ids=["id", "part"], deps=[mx.FeatureDep(feature=video, lineage=mx.expansion())]
    )
    film(project, "a", "b")
    increment = project.store.resolve_update(part)
    parts = pl.DataFrame({"part": ["1", "2"]})
    project.store.write(part, increment.new.join(parts, how="cross"))

    assert read_ids(project, part, among=ids("b")) == ["b", "b"]


def test_ids_of_another_type_are_refused(project: Project, video: FeatureClass) -> None:
    film(project, "a")
    with pytest.raises(WrongColumnType, match="among="):
        project.store.read(video, among=pl.DataFrame({"id": [1]})).to_polars()
    with pytest.raises(MissingColumn):
        project.store.read(video, among=ids("a", column="name"))
