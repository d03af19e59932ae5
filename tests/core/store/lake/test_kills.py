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
from tests.core.store.lake.kinds import CLICKHOUSE, KINDS, opened

FOLDER = Path(__file__).parent
SHORTER_THAN_THE_LEASE = 15  # that of a process that is known to be dead is not waited for
KILLS = 20
WRITES = 12
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def features(graph: mx.FeatureGraph) -> dict[str, type[mx.Feature]]:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    class Label(mx.Feature, spec=mx.FeatureSpec(key="label", id_columns=["id"])):
        pass

    class Crop(mx.Feature, spec=mx.FeatureSpec(key="crop", id_columns=["id"], deps=[Video])):
        pass

    return {"video": Video, "label": Label, "crop": Crop}


def started(kind: str, path: Path, name: str, writes: int) -> subprocess.Popen[str]:
    """A writer that is ready to begin; a server that its store needs is there before."""
    opened(kind, path).close()
    command = [sys.executable, str(FOLDER / "lake_writer.py"), kind, str(path), name, str(writes)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes)


def begin(writers: list[subprocess.Popen[str]]) -> None:
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()


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


@pytest.mark.parametrize("kind", [*KINDS, CLICKHOUSE])
def test_a_write_that_is_killed_is_whole_or_absent(kind, tmp_path):
    path, random, said = tmp_path / "store", Random(KILLS), set()
    writer = started(kind, path, "w0", 1000)
    for number in range(KILLS):
        begin([writer])
        following = started(kind, path, f"w{number + 1}", 1000)
        time.sleep(random.uniform(0.05, 1.5) + 0.5 * (number == 0))
        writer.kill()
        said |= set(writer.communicate()[0].split())
        with opened(kind, path, lock_timeout=SHORTER_THAN_THE_LEASE) as store:
            found = written(store)
            assert said <= found, "a write that was said to be made is gone"
            assert len(found - said) <= number + 1, "a write was made twice"
            frame = {"id": ["x"], "metaxy_provenance_by_field": [{"default": str(number)}]}
            store.write("label", pl.DataFrame(frame).with_columns(id=pl.lit(f"x{number}")))
            store.delete("label", pl.DataFrame({"id": [f"x{number}"]}), hard=True)
        writer = following
    writer.kill()
    writer.communicate()
    with opened(kind, path) as store:
        check(store)


@pytest.mark.parametrize("kind", [*KINDS, CLICKHOUSE])
def test_processes_lose_nothing_and_write_nothing_twice(kind, tmp_path):
    path = tmp_path / "store"
    writers = [started(kind, path, f"w{number}", WRITES) for number in range(4)]
    begin(writers)
    said = [writer.communicate(timeout=300)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    with opened(kind, path) as store:
        assert written(store) == {each for one in said for each in one}
        assert len(written(store)) == 4 * WRITES
        check(store)
