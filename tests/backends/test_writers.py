"""Processes that write to one store at once, and processes that are killed while they do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from random import Random

import polars as pl
import pytest

import metaxy_core as mx

from .conftest import EVERY, Store

WRITER = Path(__file__).with_name("pair_writer.py")
SHORTER_THAN_A_LEASE = 15  # that of a process that is known to be dead is not waited for
KILLS = 20
pytestmark = pytest.mark.slow


@pytest.fixture(
    params=[kind.param(repeats=False) for kind in EVERY if "processes" in kind.capabilities]
)
def kind(request: pytest.FixtureRequest) -> Store:
    """Each kind of store that several processes may write to."""
    return request.param


@pytest.fixture(autouse=True)
def features(graph: mx.FeatureGraph) -> dict[str, type[mx.Feature]]:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    class Label(mx.Feature, spec=mx.FeatureSpec(key="label", id_columns=["id"])):
        pass

    class Crop(mx.Feature, spec=mx.FeatureSpec(key="crop", id_columns=["id"], deps=[Video])):
        pass

    return {"video": Video, "label": Label, "crop": Crop}


@pytest.fixture(autouse=True)
def _server(kind: Store, tmp_path: Path) -> None:
    """A server that a store needs is there before the processes, which find it then."""
    kind.opened_at(tmp_path).close()


def started(kind: Store, folder: Path, name: str, writes: int) -> subprocess.Popen[str]:
    """A writer that is ready to begin."""
    command = [sys.executable, str(WRITER), kind.name, str(folder), name, str(writes)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes)


def begin(writers: list[subprocess.Popen[str]]) -> None:
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()


def ids(store: mx.MetadataStore, feature: str) -> set[str]:
    return set(store.read(feature).to_polars()["id"])


def written(store: mx.MetadataStore) -> set[str]:
    """The writes that the store has; each is whole, and there once."""
    found = defaultdict(list)
    for feature in ("video", "label"):
        rows = store.read(feature, history=True).to_polars()
        for commit, identity in rows.select("metaxy_commit", "id").iter_rows():
            found[commit].append((feature, identity))
    whole = set()
    for commit, records in found.items():
        name = records[0][1].rpartition("-")[0]
        three = [f"{name}-{number}" for number in range(3)]
        expected = [(feature, each) for feature in ("label", "video") for each in three]
        assert sorted(records) == expected, f"commit {commit}"
        assert name not in whole
        whole.add(name)
    commits = {each.id: each.rows for each in store.commits("video")}
    assert commits == dict.fromkeys(found, 3)
    return whole


def look(store: mx.MetadataStore) -> int:
    """What a reader sees while others write: whole commits, and no record that is missed."""
    histories = store.histories("video", "label").values()
    assert len({history.commits for history in histories}) == 1
    before = store.read("video").to_polars()
    assert all(size == 3 for size in before.group_by("metaxy_commit").len()["len"])
    missing = set(store.resolve_update("crop").new["id"])
    assert set(before["id"]) <= missing | ids(store, "crop")
    return before.height


def check(store: mx.MetadataStore) -> None:
    """What was computed has one row for each record, and the rest can be computed."""
    for feature in ("video", "label", "crop"):
        if store.history(feature).commits:
            assert store.integrity(feature)
    increment = store.resolve_update("crop")
    if increment.counts.new:
        store.write("crop", increment.new)
    assert store.resolve_update("crop").counts == mx.Counts(0, 0, 0, 0)
    videos = store.read("video").to_polars()["id"].to_list()
    crops = store.read("crop").to_polars()["id"].to_list()
    assert sorted(crops) == sorted(videos)
    assert len(set(videos)) == len(videos)


def test_a_write_that_is_killed_is_whole_or_absent(kind, tmp_path):
    random, said = Random(KILLS), set()
    kills, longest = (4, 8.0) if kind.emulated else (KILLS, 1.5)
    writer = started(kind, tmp_path, "w0", 1000)
    for number in range(kills):
        begin([writer])
        following = started(kind, tmp_path, f"w{number + 1}", 1000)
        time.sleep(random.uniform(0.05, longest) + 0.5 * (number == 0))
        writer.kill()
        said |= set(writer.communicate()[0].split())
        with kind.opened_at(tmp_path, lock_timeout=SHORTER_THAN_A_LEASE) as store:
            found = written(store)
            assert said <= found, "a write that was said to be made is gone"
            assert len(found - said) <= number + 1, "a write was made twice"
            frame = {"id": [f"x{number}"], "metaxy_provenance_by_field": [{"default": "a"}]}
            store.write("label", pl.DataFrame(frame))
            store.delete("label", pl.DataFrame({"id": [f"x{number}"]}), hard=True)
        writer = following
    writer.kill()
    writer.communicate()
    with kind.opened_at(tmp_path) as store:
        check(store)


@pytest.mark.parametrize("writes", [50])
def test_processes_lose_nothing_and_write_nothing_twice(kind, tmp_path, writes):
    writes = 2 if kind.emulated else writes
    writers = [started(kind, tmp_path, f"w{number}", writes) for number in range(4)]
    begin(writers)
    seen = []
    with kind.opened_at(tmp_path, lock_timeout=120) as store:
        while any(writer.poll() is None for writer in writers):
            seen.append(look(store))
    said = [writer.communicate(timeout=300)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    assert seen == sorted(seen)
    with kind.opened_at(tmp_path) as store:
        assert written(store) == {each for one in said for each in one}
        assert len(written(store)) == 4 * writes
        check(store)
