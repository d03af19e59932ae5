"""Store objects of one process share a database in memory by its name."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidFallback, InvalidSetting, StoreLocked, StoreUnreachable

NAME = ":memory:shared"


@pytest.fixture
def video() -> type[mx.Feature]:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    return Video


@pytest.fixture
def copy(video: type[mx.Feature]) -> type[mx.Feature]:
    class Copy(mx.Feature, spec=mx.FeatureSpec(key="copy", id_columns=["id"], deps=[video])):
        pass

    return Copy


def frame(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"id": ids, "metaxy_provenance_by_field": [{"default": "a"}] * len(ids)})


def store(name: str = NAME, **options) -> mx.DuckDBMetadataStore:
    return mx.DuckDBMetadataStore(name, **{"settings": {"threads": 1}, **options})


def test_who_gives_the_same_name_sees_the_same_records(video, copy):
    with store() as one, store() as two:
        one.write(video, frame("v1", "v2"))
        increment = two.resolve_update(copy)
        assert increment.counts == mx.Counts(new=2)
        other = one.resolve_update(copy)
        two.write(copy, increment.new)
        assert sorted(other.new["id"].to_list()) == ["v1", "v2"]
        assert one.count(copy) == 2


def test_it_lives_until_the_last_one_is_closed(video):
    with store() as one:
        with store() as two:
            two.write(video, frame("v1"))
        assert one.count(video) == 1
    with store() as again:
        assert again.count(video) == 0


def test_other_names_and_none_are_other_databases(video):
    with store() as one, store(":memory:other") as other, store(":memory:") as private:
        one.write(video, frame("v1"))
        assert (other.count(video), private.count(video)) == (0, 0)


def test_an_increment_outlives_other_stores_of_the_name(video, copy):
    with store() as one:
        one.write(video, frame("v1"))
        increment = one.resolve_update(copy)
        with store() as two:
            assert two.resolve_update(copy).counts == mx.Counts(new=1)
        assert [part["id"].to_list() for part in increment.batches(1)] == [["v1"]]


def test_other_settings_are_refused_while_it_is_open():
    with store(), pytest.raises(InvalidSetting, match="same ones, or another name"):
        store(settings={"threads": 2})
    with store(settings={"threads": 2}):
        pass


def test_it_is_no_fallback_of_itself():
    with store() as below, pytest.raises(InvalidFallback):
        store(fallback=below)


@pytest.mark.parametrize("name", [":memory: ", ":memory:a ", ":memory:\0"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(StoreUnreachable, match="no proper name"):
        store(name)


def test_one_writes_at_a_time(video):
    with store(lock_timeout=0.0) as one, store(lock_timeout=0.0) as two:
        with (
            one.backend.transaction(),
            pytest.raises(StoreLocked, match="another store of this process"),
        ):
            two.write(video, frame("v1"))
        two.write(video, frame("v1"))
        assert one.count(video) == 1


@pytest.mark.parametrize("threads", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_threads_lose_nothing_and_write_nothing_twice(video, copy, threads):
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            with store() as own:
                for number in range(5):
                    own.write(video, frame(f"{name}{number}"))
                    own.resolve_update(copy).counts  # noqa: B018 - computed beside other writers
        except BaseException as error:
            failures.append(error)
            raise

    with store() as kept:
        started = [threading.Thread(target=work, args=(f"t{n}-",)) for n in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        assert failures == []
        assert kept.count(video) == 5 * threads
        commits = [commit.id for commit in kept.commits(video)]
        assert sorted(commits) == list(range(1, 5 * threads + 1))
        assert kept.resolve_update(copy).counts == mx.Counts(new=5 * threads)


def test_threads_read_over_a_file(video, copy, tmp_path):
    with mx.DuckDBMetadataStore(tmp_path / "below.duckdb") as below:
        below.write(video, frame("v1", "v2"))

    def work(number: int) -> int:
        file = mx.DuckDBMetadataStore(tmp_path / "below.duckdb")
        with file, store(fallback=file) as own:
            return sum(own.resolve_update(copy).counts.new for _ in range(number))

    with store(), ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, [5] * 4)) == [10] * 4
