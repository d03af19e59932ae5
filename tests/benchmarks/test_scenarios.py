"""Every piece of work that is measured gives what it should, at sizes that take no time."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import duckdb
import polars as pl
import pytest

import metaxy_core as mx
from benchmarks.engines.ours import Ours, features
from benchmarks.engines.sql import HandWritten, comparison
from benchmarks.full import SETTLED, forget
from benchmarks.graphs import graph
from benchmarks.measuring import is_able
from benchmarks.samples import samples
from benchmarks.scenarios import DATACHAIN, OURS, REFERENCE, SQL, SUITES, Scenario, suites

RECORDS = 1_000
SMALL = [
    each
    for each in suites(SUITES, [RECORDS])
    if each.rewrites < 20 and each.graph.partition("-")[2] in {"", "4"}
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("samples")


def prepared(scenario: Scenario, data: Path, folder: Path) -> Path:
    path = folder / "store.duckdb"
    if scenario.work != "write":
        Ours().prepare(scenario.base, data, path)
        Ours().change(scenario, data, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SMALL, ids=str)
def test_the_work_gives_the_expected_records(
    scenario: Scenario, data: Path, tmp_path: Path
) -> None:
    path, ours = prepared(scenario, data, tmp_path), Ours()
    ours.load(scenario, data)
    with ExitStack() as closing:
        assert ours.run(scenario, path, closing) == scenario.expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simple", "wide"])
@pytest.mark.parametrize(("stored", "changed"), [(False, 0), (True, 100), (True, 0)])
def test_hand_written_sql_finds_the_same_records_and_versions(
    name: str, stored: bool, changed: int, data: Path, tmp_path: Path
) -> None:
    scenario = Scenario("resolve", name, RECORDS, stored=stored, changed=changed)
    path = prepared(scenario, data, tmp_path)
    fields = list(scenario.shape.leaf.fields)
    with duckdb.connect(str(path), read_only=True) as connection:
        found = pl.DataFrame(connection.execute(comparison(scenario)).to_arrow_table())
    with features(name).use(), mx.DuckDBMetadataStore(path) as store:
        increment = store.resolve_update("bench/leaf")
        frames = [increment.new, increment.stale.drop("metaxy_changed_fields")]
    ours = pl.concat(frames).unnest("metaxy_provenance_by_field").select("id", *fields)
    hexed = found.select(
        "id", *(pl.col(field).map_elements(lambda n: f"{n:016x}", pl.String) for field in fields)
    )
    assert hexed.sort("id").rows() == ours.sort("id").rows()


def test_the_limit_of_a_write_ingests_the_samples(data: Path, tmp_path: Path) -> None:
    scenario = Scenario("write", "simple", RECORDS, stored=False)
    by_hand, path = HandWritten(), tmp_path / "plain.duckdb"
    by_hand.load(scenario, data)
    with ExitStack() as closing:
        assert by_hand.run(scenario, path, closing) == RECORDS
    with duckdb.connect(str(path)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM bench__video").fetchall()
    assert rows == (RECORDS,)


def test_forgetting_leaves_a_store_that_compares_everything(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE TABLE {SETTLED} AS SELECT 1 AS metaxy_commit")
    assert forget(path)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute(f"SELECT count(*) FROM {SETTLED}").fetchall() == [(0,)]


def test_there_is_nothing_to_forget_where_nothing_was_remembered(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    assert not forget(tmp_path / "empty.duckdb")


def test_samples_of_another_generation_differ_in_the_first_field_only() -> None:
    simple = graph("simple")
    first, second = (
        samples(simple, simple.roots[0], 3, generation)
        .collect()
        .unnest("metaxy_provenance_by_field")
        for generation in (0, 1)
    )
    assert first.drop("audio").equals(second.drop("audio"))
    assert first["audio"].to_list() == ["field-0-0", "field-0-1", "field-0-2"]
    assert second["audio"].to_list() == ["field-1-0", "field-1-1", "field-1-2"]


def test_changed_records_of_an_aggregation_keep_their_groups() -> None:
    aggregation = graph("aggregation")
    root = aggregation.roots[0]
    whole = samples(aggregation, root, 1_000).collect()
    part = samples(aggregation, root, 20, 1, of=1_000).collect()
    assert part["speaker"].equals(whole["speaker"].head(20))
    assert part["speaker"].n_unique() == aggregation.touched(20, 1_000) == 10


def test_scenarios_of_one_base_stand_together() -> None:
    bases = [each.base for each in suites(SUITES, [1_000, 10_000])]
    changes = sum(left != right for left, right in pairwise(bases))
    assert changes + 1 == len(set(bases))


@pytest.mark.parametrize(
    ("engine", "scenario", "able"),
    [
        (OURS, Scenario("stream", "simple", 10**7, stored=False), True),
        (REFERENCE, Scenario("resolve", "wide", 10**6, changed=10**5), True),
        (REFERENCE, Scenario("resolve", "wide", 10**7, changed=10**6), False),
        (REFERENCE, Scenario("resolve", "aggregation", 10_000), False),
        (SQL, Scenario("resolve", "wide", 10**7, changed=10**6, full=True), True),
        (SQL, Scenario("resolve", "expansion", 10_000), False),
        (DATACHAIN, Scenario("resolve", "simple", 10_000, changed=10), True),
        (DATACHAIN, Scenario("resolve", "simple", 10_000, stored=False), False),
    ],
)
def test_an_engine_takes_part_where_it_does_the_same_work(
    engine: str, scenario: Scenario, able: bool
) -> None:
    assert is_able(engine, scenario) is able
