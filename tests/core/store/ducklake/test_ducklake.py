"""A DuckLake is whole whatever happens to its writers, wherever its catalog is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import ReadOnlyStore, StoreLocked
from metaxy_core.store.backends.ducklake_session import storable
from tests.core.store.ducklake.kinds import KINDS, opened

WRITER = Path(__file__).with_name("writer.py")
KILLS = [2, pytest.param(8, marks=pytest.mark.slow)]
WRITES = [2, pytest.param(8, marks=pytest.mark.slow)]


@pytest.fixture(autouse=True)
def features(graph: mx.FeatureGraph) -> tuple[type[mx.Feature], ...]:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    class Label(mx.Feature, spec=mx.FeatureSpec(key="label", id_columns=["id"])):
        pass

    return Video, Label


def started(kind: str, folder: Path, name: str, writes: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), kind, str(folder), name, str(writes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def frame(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"id": ids, "metaxy_provenance_by_field": [{"default": "a"}] * len(ids)})


def written(store: mx.MetadataStore) -> set[str]:
    """The writes that the store has; each is whole, and there once."""
    found = [
        sorted(store.read(feature, history=True).to_polars().select("metaxy_commit", "id").rows())
        for feature in ("video", "label")
    ]
    assert found[0] == found[1]
    assert [commit for commit, _ in found[0]] == list(range(1, len(found[0]) + 1))
    ids = [identity for _, identity in found[0]]
    assert len(set(ids)) == len(ids)
    return set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_one_writer_at_a_time_and_readers_of_what_is_there(kind, tmp_path):
    with opened(kind, tmp_path) as one, opened(kind, tmp_path, lock_timeout=0.0) as two:
        assert two.count("video") == 0
        one.write("video", frame("a"))
        with one.backend.transaction(), pytest.raises(StoreLocked):
            two.write("video", frame("b"))
        two.write("video", frame("b"))
        assert [commit.id for commit in one.commits("video")] in ([1, 2], [2, 1])
        with opened(kind, tmp_path, read_only=True) as reader:
            assert reader.count("video") == 2
            with pytest.raises(ReadOnlyStore):
                reader.write("video", frame("c"))


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_write_that_is_killed_is_whole_or_absent(kind, kills, tmp_path):
    said: set[str] = set()
    for number in range(kills):
        with opened(kind, tmp_path) as store:
            store.history("video")
        writer = started(kind, tmp_path, f"w{number}-", 1_000)
        said |= {writer.stdout.readline().strip() for _ in range(number + 1)}
        writer.kill()
        said |= set(writer.communicate()[0].split())
        with opened(kind, tmp_path) as store:
            found = written(store)
            assert said <= found
            assert len(found - said) <= number + 1


@pytest.mark.parametrize("writes", WRITES)
@pytest.mark.parametrize("kind", KINDS)
def test_processes_lose_nothing_and_write_nothing_twice(kind, writes, tmp_path):
    with opened(kind, tmp_path) as store:  # so that the server, where there is one, is up
        store.history("video")
    writers = [started(kind, tmp_path, f"w{number}-", writes) for number in range(3)]
    said = [writer.communicate(timeout=300)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 3
    with opened(kind, tmp_path) as store:
        assert written(store) == {each for one in said for each in one}
        assert len(written(store)) == 3 * writes


def test_catalog_and_data_may_be_moved_together(tmp_path):
    with opened("sqlite", tmp_path / "old") as store:
        store.write("video", frame("a", "b"))
    shutil.move(tmp_path / "old", tmp_path / "new")
    with opened("sqlite", tmp_path / "new") as store:
        assert store.count("video") == 2


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("ENUM('a', 'it''s')[]", "VARCHAR[]"),
        ("INTEGER[2][]", "INTEGER[][]"),
        ("STRUCT(a TIME_NS, b BIT)", "STRUCT(a TIME, b VARCHAR)"),
        ("HUGEINT", "DECIMAL(38,0)"),
        ("MAP(VARCHAR, DOUBLE)", "MAP(VARCHAR, DOUBLE)"),
    ],
)
def test_a_type_that_there_is_not_has_a_substitute(kind, stored):
    assert storable(kind) == stored
