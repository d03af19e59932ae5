"""Runs of one asset at the same time take disjoint records, whatever becomes of them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_core import errors
from metaxy_dagster import run_claims
from metaxy_dagster.errors import InvalidOptions

FOLDER = Path(__file__).parent


def transcript(features: SimpleNamespace, work: Callable[[], None], **options: Any) -> Any:
    """An asset that does something else before it does its work."""

    @mxd.metaxify(features.Transcript, **options)
    def transcript(increment: mx.Increment) -> pl.DataFrame:
        work()
        return increment.new.with_columns(text=pl.lit("hello"))

    return transcript


def claims(lab: Any, features: SimpleNamespace) -> list[tuple[str, int, bool]]:
    """Who holds how many transcripts, and whether it still holds them."""
    with lab.store.open() as store:
        return [(each.owner, each.records, each.live) for each in store.claims(features.Transcript)]


def test_a_run_holds_its_records_while_it_works_and_none_afterwards(lab):
    features = lab.features()
    seen: list[Any] = []

    def look() -> None:
        seen.extend(claims(lab, features))

    result = lab.run(lab.video(features), transcript(features, look))

    assert seen == [(f"{result.run_id} example/transcript", 2, True)]
    assert claims(lab, features) == []


def test_another_run_at_the_same_time_is_told_what_it_does_not_get(lab):
    features = lab.features()
    lab.run(lab.video(features))
    inner: list[Any] = []

    def run_again() -> None:
        result = lab.run(lab.transcript(features))
        (event,) = result.get_asset_materialization_events()
        inner.append(event.materialization.metadata)

    outer = lab.run(transcript(features, run_again, limit=1))

    told = {name: inner[0][f"metaxy/{name}"].value for name in ("new", "processed", "claimed")}
    assert told == {"new": 1, "processed": 1, "claimed": 1}
    assert "metaxy/spared" not in inner[0]
    assert lab.processed == [["b"]]
    assert lab.commits(features.Transcript) == [["b"], ["a"]]
    assert outer.success


def test_a_run_that_fails_gives_back_what_it_held(lab):
    features = lab.features()
    lab.run(lab.video(features))

    def fail() -> None:
        raise ValueError

    failed = lab.run(transcript(features, fail), raise_on_error=False)

    assert not failed.success
    assert claims(lab, features) == []
    lab.run(lab.transcript(features))
    assert lab.processed == [["a", "b"]]


def test_a_claim_outlasts_its_time_while_the_work_goes_on(lab):
    features = lab.features()
    seen: list[Any] = []

    def take_long() -> None:
        time.sleep(2)
        seen.extend(claims(lab, features))

    lab.run(lab.video(features), transcript(features, take_long, claim_seconds=1))

    assert [(records, live) for _, records, live in seen] == [(2, True)]


@pytest.mark.parametrize(
    "error", [RuntimeError("broken"), errors.StoreLocked("The store is held.")]
)
def test_a_claim_that_could_not_be_extended_is_extended_later(lab, monkeypatch, error):
    features = lab.features()
    seen: list[Any] = []
    extend, left = mx.DuckDBMetadataStore.extend_claim, [error]

    def fail_once(self, *arguments):
        if left:
            raise left.pop()
        return extend(self, *arguments)

    def take_long() -> None:
        time.sleep(2)
        seen.extend(claims(lab, features))

    monkeypatch.setattr(mx.DuckDBMetadataStore, "extend_claim", fail_once)
    result = lab.run(lab.video(features), transcript(features, take_long, claim_seconds=1))

    assert [(records, live) for _, records, live in seen] == [(2, True)]
    told = [each.user_message for each in lab.instance.all_logs(result.run_id)]
    (warning,) = [each for each in told if "is extended at the next attempt." in each]
    assert error.args[0] in warning


def test_the_end_of_a_step_does_not_wait_forever_for_its_claim(lab, monkeypatch):
    """The attempt waits for something that the thread holds which ends the step."""
    monkeypatch.setattr(run_claims, "_PATIENCE", 0.1)
    release, reached = threading.Event(), threading.Event()

    def hang(self, *arguments):
        reached.set()
        release.wait(60)

    monkeypatch.setattr(mx.DuckDBMetadataStore, "extend_claim", hang)
    features = lab.features()
    work = transcript(features, lambda: reached.wait(60), claim_seconds=1)

    assert lab.run(lab.video(features), work).success
    assert not release.is_set()
    release.set()


@pytest.mark.parametrize("claim_seconds", [600, None])
def test_what_changes_upstream_while_it_is_computed_is_computed_again(lab, claim_seconds):
    """The run that the change starts does not get the record, or its work is written over."""
    features = lab.features()
    video = lab.video(features)
    lab.run(video)

    @mxd.metaxify(features.Transcript, claim_seconds=claim_seconds)
    def slow(increment: mx.Increment) -> pl.DataFrame:
        rows = pl.concat(list(increment.batches()))
        lab.processed.append(sorted(rows["video_id"]))
        if len(lab.processed) == 1:
            lab.samples["a"] = ("2", "1")
            lab.run(video)
            lab.run(lab.transcript(features, claim_seconds=claim_seconds))
        return lab.transcribed(rows)

    result = lab.run(slow)

    with lab.store.open() as store:
        assert store.resolve_update(features.Transcript).counts == mx.Counts()
    assert (lab.processed[0], lab.processed[-1]) == (["a", "b"], ["a"])
    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 2, "stale": 1, "processed": 3}


def test_what_was_left_out_is_not_computed_again_since_another_record_changed(lab):
    features = lab.features()
    video = lab.video(features)
    lab.run(video)

    @mxd.metaxify(features.Transcript)
    def picky(increment: mx.Increment) -> pl.DataFrame:
        rows = pl.concat(list(increment.batches()))
        lab.processed.append(sorted(rows["video_id"]))
        if len(lab.processed) == 1:
            lab.samples["a"] = ("2", "1")
            lab.run(video)
        return lab.transcribed(rows.filter(pl.col("video_id") == "a"))

    lab.run(picky)

    assert lab.processed == [["a", "b"], ["a"]]


def test_an_asset_may_claim_nothing(lab):
    features = lab.features()
    seen: list[Any] = []

    def look() -> None:
        seen.extend(claims(lab, features))

    lab.run(lab.video(features), transcript(features, look, claim_seconds=None))

    assert seen == []
    assert len(lab.records(features.Transcript)) == 2


def test_what_a_run_held_that_dagster_knows_to_be_over_is_free_at_once(lab):
    features = lab.features()
    before = lab.run(lab.video(features))
    with lab.store.open() as store:
        store.resolve_update(features.Transcript, claim=mx.Claim(f"{before.run_id} gone"))

    lab.run(lab.transcript(features))

    assert lab.processed == [["a", "b"]]


def test_what_nobody_knows_to_be_over_stays_with_its_owner(lab):
    features = lab.features()
    lab.run(lab.video(features))
    with lab.store.open() as store:
        store.resolve_update(features.Transcript, claim=mx.Claim("a script"))

    lab.run(lab.transcript(features))

    assert lab.processed == []
    assert claims(lab, features) == [("a script", 2, True)]


@pytest.mark.parametrize("seconds", [0, -1, True, "long", float("nan"), 1e12])
def test_seconds_that_are_none_are_refused(lab, seconds):
    with pytest.raises(InvalidOptions, match=r"'example/transcript' has claim_seconds=.*a year"):
        lab.transcript(lab.features(), claim_seconds=seconds)


# ------------------------------------------------------------------ processes


class Shared:
    """Sixteen pages in one file, and processes that compute their texts."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        from chunked_project import write_pages

        self.folder = folder
        self.instance = instance
        write_pages(str(folder / "shared.duckdb"), 16)

    def process(self, runs: int) -> subprocess.Popen[str]:
        """A process that materializes the texts some times, once it is told to begin."""
        path = os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])])
        return subprocess.Popen(
            [sys.executable, str(FOLDER / "claimed_project.py"), str(runs)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def asked(self) -> list[int]:
        """The pages whose text was computed, as often as it was."""
        return sorted(map(int, (self.folder / "asked.txt").read_text().split()))

    def run(self) -> dict[str, int]:
        """A run in this process."""
        from claimed_project import run

        return run(self.instance)


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    monkeypatch.setenv("METAXY_TEST_DATABASE", str(tmp_path / "shared.duckdb"))
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("chunked_project", "claimed_project"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield Shared(tmp_path, instance)


@pytest.mark.slow
def test_processes_that_run_one_asset_at_once_compute_every_record_once(shared):
    processes = [shared.process(runs=2) for _ in range(2)]
    for each in processes:
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        each.stdin.write("\n")
        each.stdin.flush()

    assert [each.wait() for each in processes] == [0, 0]

    assert shared.asked() == list(range(16))


@pytest.mark.slow
def test_what_a_killed_run_held_is_left_alone_until_it_is_known_to_be_over(shared):
    (shared.folder / "deadly").touch()
    killed = shared.process(runs=1)
    killed.communicate("\n")
    assert killed.returncode == -signal.SIGKILL
    assert shared.asked() == [0, 1]
    (shared.folder / "deadly").unlink()

    runs = [shared.run() for _ in range(3)]

    assert [told["processed"] for told in runs] == [4, 4, 4]
    assert runs[-1]["claimed"] == 2
    assert shared.asked() == [0, 1, *range(4, 16)]

    (run,) = [each for each in shared.instance.get_runs() if not each.is_finished]
    shared.instance.report_run_failed(run)

    assert shared.run() == {"processed": 2}
    assert shared.asked() == list(range(16))
