"""Work planned in batches: each record in one, found by every process, forgotten when done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidWrite, MissingColumn, ReadOnlyStore, UnknownBatch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Project

FeatureClass = type[mx.Feature]


def ids(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"id": list(names)}, schema={"id": pl.String})


def content(project: Project, feature: Any, plan: str = "night") -> dict[str, list[str]]:
    return {
        batch.key: project.store.planned_ids(feature, plan, batch.key)["id"].to_list()
        for batch in project.store.batches(feature, plan)
    }


def test_records_are_divided_in_the_order_of_their_ids(
    project: Project, video: FeatureClass
) -> None:
    made = project.store.plan_batches(video, "night", ids("c", "a", "b"), size=2, note="why")

    assert content(project, video) == {"0000": ["a", "b"], "0001": ["c"]}
    assert [(batch.plan, batch.records, batch.note) for batch in made] == [
        ("night", 2, "why"),
        ("night", 1, "why"),
    ]
    assert project.store.batches(video, "night") == made


def test_a_record_that_a_batch_of_the_plan_holds_is_not_planned_again(
    project: Project, video: FeatureClass
) -> None:
    project.store.plan_batches(video, "night", ids("a", "b"), size=2)

    assert project.store.plan_batches(video, "night", ids("a"), size=2, prefix="x") == ()
    project.store.plan_batches(video, "night", ids("b", "c"), size=2, prefix="x-")
    project.store.plan_batches(video, "day", ids("a"), size=2)

    assert content(project, video) == {"0000": ["a", "b"], "x-0000": ["c"]}
    assert content(project, video, "day") == {"0000": ["a"]}


def test_no_more_batches_than_asked_for_are_made(project: Project, video: FeatureClass) -> None:
    project.store.plan_batches(video, "night", ids(*"abcde"), size=2, most=2)

    assert content(project, video) == {"0000": ["a", "b"], "0001": ["c", "d"]}


def test_a_forgotten_batch_is_gone_and_its_records_may_be_planned_again(
    project: Project, video: FeatureClass
) -> None:
    project.store.plan_batches(video, "night", ids("a", "b"), size=1)
    project.store.plan_batches(video, "day", ids("a", "b"), size=1)

    assert project.store.forget_batches(video, "night", ["0000", "nothing"]) == 1
    assert content(project, video) == {"0001": ["b"]}
    assert len(project.store.plan_batches(video, "night", ids("a", "b"), size=5, prefix="x")) == 1
    assert project.store.forget_batches(video, "night") == 2
    assert project.store.forget_batches(video, "night") == 0
    assert content(project, video, "day") == {"0000": ["a"], "0001": ["b"]}


def test_the_ids_of_all_batches_come_with_their_batch(
    project: Project, video: FeatureClass
) -> None:
    project.store.plan_batches(video, "night", ids("a", "b"), size=1)

    rows = project.store.planned_ids(video, "night").to_dicts()

    assert rows == [{"metaxy_batch": "0000", "id": "a"}, {"metaxy_batch": "0001", "id": "b"}]


def test_a_batch_is_the_part_of_an_increment(project: Project, video: FeatureClass) -> None:
    text = project.feature("text", deps=[video])
    project.store.write(video, project.samples(a="1", b="1", c="1"))
    project.store.plan_batches(text, "night", project.store.resolve_update(text).ids, size=2)

    planned = project.store.planned_ids(text, "night", "0001")

    assert project.store.resolve_update(text, among=planned).new["id"].to_list() == ["c"]


def test_the_parents_of_an_expansion_are_planned(project: Project, video: FeatureClass) -> None:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion(on=["id"]))
    scenes = project.feature("scenes", ids=["id", "scene"], deps=[dep])
    project.store.write(video, project.samples(a="1", b="1"))

    project.store.plan_batches(scenes, "night", project.store.resolve_update(scenes).ids, size=9)

    assert content(project, scenes) == {"0000": ["a", "b"]}


def test_plans_change_no_record_and_no_history(project: Project, video: FeatureClass) -> None:
    project.store.write(video, project.samples(a="1"))
    before = project.state()

    project.store.plan_batches(video, "night", ids("a"), size=1)

    assert project.state() == before


def test_two_that_plan_at_once_plan_no_record_twice(
    tmp_path: Path, graph: mx.FeatureGraph, video: FeatureClass
) -> None:
    path = tmp_path / "shared.duckdb"

    def plan(prefix: str) -> int:
        with graph.use(), mx.DuckDBMetadataStore(path) as store:
            made = store.plan_batches(video, "night", ids(*"abcdef"), size=2, prefix=prefix)
            return sum(batch.records for batch in made)

    with ThreadPoolExecutor(4) as pool:
        planned = list(pool.map(plan, "wxyz"))

    assert sorted(planned) == [0, 0, 0, 6]


def test_a_store_without_plans_has_no_batches(project: Project, video: FeatureClass) -> None:
    assert project.store.batches(video, "night") == ()
    assert project.store.planned_ids(video, "night").height == 0
    assert project.store.forget_batches(video, "night") == 0
    assert project.store.plan_batches(video, "night", ids(), size=1) == ()


def test_a_batch_that_is_not_there_is_named_with_those_that_are(
    project: Project, video: FeatureClass
) -> None:
    project.store.plan_batches(video, "night", ids("a"), size=1)

    with project.refuses(UnknownBatch, "'night' of 'video' has no batch '7'", "0000"):
        project.store.planned_ids(video, "night", "7")


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"size": 0}, InvalidWrite, "size is 0"),
        ({"size": None}, InvalidWrite, "size is None"),
        ({"most": 0}, InvalidWrite, "most is 0"),
        ({"plan": ""}, InvalidWrite, "plan is ''"),
        ({"prefix": None}, InvalidWrite, "prefix is None"),
        ({"ids": pl.DataFrame({"name": ["a"]})}, MissingColumn, "'id'"),
    ],
)
def test_what_is_no_plan_is_refused(
    project: Project,
    video: FeatureClass,
    changed: dict[str, Any],
    error: type[mx.MetaxyError],
    said: str,
) -> None:
    arguments: dict[str, Any] = {"plan": "night", "ids": ids("a"), "size": 1, **changed}

    with project.refuses(error, said):
        project.store.plan_batches(video, **arguments)

    assert project.store.batches(video, "night") == ()


def test_a_store_for_reading_plans_nothing(
    tmp_path: Path, graph: mx.FeatureGraph, video: FeatureClass
) -> None:
    path = tmp_path / "store.duckdb"
    with mx.DuckDBMetadataStore(path) as store:
        store.plan_batches(video, "night", ids("a"), size=1)

    with graph.use(), mx.DuckDBMetadataStore(path, read_only=True) as store:
        assert len(store.batches(video, "night")) == 1
        with pytest.raises(ReadOnlyStore):
            store.plan_batches(video, "night", ids("b"), size=1)


def test_a_development_store_plans_for_itself(
    tmp_path: Path, project: Project, video: FeatureClass
) -> None:
    text = project.feature("text", deps=[video])
    with (
        mx.DuckDBMetadataStore(tmp_path / "prod.duckdb") as prod,
        mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", fallback=prod) as dev,
    ):
        prod.write(video, project.samples(a="1", b="1", c="1"))
        prod.plan_batches(text, "night", ids("a"), size=1)

        dev.plan_batches(text, "night", dev.resolve_update(text).ids, size=2)
        planned = dev.planned_ids(text, "night", "0001")

        assert [batch.records for batch in dev.batches(text, "night")] == [2, 1]
        assert dev.resolve_update(text, among=planned).new["id"].to_list() == ["c"]
        assert len(prod.batches(text, "night")) == 1


def test_an_increment_that_needs_no_look_has_no_ids(project: Project, video: FeatureClass) -> None:
    text = project.feature("text", deps=[video])
    project.store.write(video, project.samples(a="1"))
    project.store.write(text, project.store.resolve_update(text).new)
    project.store.resolve_update(text)

    settled = project.store.resolve_update(text)

    assert settled.ids.schema == {"id": pl.String}
    assert settled.ids.height == 0
