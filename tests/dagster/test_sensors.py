"""A sensor sees every change once, whatever happens to its cursor, the daemon or the store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import dagster as dg
import duckdb
import polars as pl
import pytest

import metaxy_dagster as mxd
from metaxy_core import errors
from metaxy_core.store.backends.duckdb_session import DuckDBTables
from metaxy_core.store.tables import COMMITS

HOLDING = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


class Daemon:
    """What the daemon does with a sensor: it keeps the cursor, and knows the run keys it saw."""

    def __init__(self, lab: Any, sensor: dg.SensorDefinition) -> None:
        self.lab = lab
        self.sensor = sensor
        self.cursor: str | None = None
        self.keys: list[str] = []

    def evaluate(self) -> Any:
        """One tick whose outcome is lost, as when the daemon is killed right after it."""
        context = dg.build_sensor_context(
            instance=self.lab.instance,
            cursor=self.cursor,
            resources={"metaxy_store": self.lab.store},
        )
        return self.sensor.evaluate_tick(context)

    def tick(self) -> int:
        """One tick; how many runs are launched."""
        data = self.evaluate()
        self.cursor = data.cursor
        new = [each.run_key for each in data.run_requests if each.run_key not in self.keys]
        self.keys.extend(new)
        return len(new)

    def skipped(self) -> str:
        """The reason why a tick asks for nothing; it leaves the cursor alone."""
        data = self.evaluate()
        assert not data.run_requests
        assert data.cursor == self.cursor
        return data.skip_message


@pytest.fixture
def write(lab: Any, media: SimpleNamespace) -> Callable[..., None]:
    """Commits clips outside Dagster, under the versions of their audio."""

    def commit(**audio: str) -> None:
        with lab.store.open() as store:
            store.write(media.Video, lab.clips({name: (v, "1") for name, v in audio.items()}))

    return commit


@pytest.fixture
def transcribe(lab: Any, media: SimpleNamespace) -> Callable[[], None]:
    """Does what a run of the transcripts' asset does to the store."""

    def run() -> None:
        with lab.store.open() as store:
            new = store.resolve_update(media.Transcript).new
            store.write(media.Transcript, lab.transcribed(new))

    return run


@pytest.fixture
def daemon(lab: Any, media: SimpleNamespace) -> Daemon:
    """A daemon with a sensor that keeps transcripts up to date."""
    return Daemon(lab, mxd.upstream_change_sensor(of=media.Transcript))


# ------------------------------------------------------------------ what fires


def test_commits_upstream_request_one_run(daemon: Daemon, write: Callable[..., None]) -> None:
    write(a="1", b="1")
    write(c="1")
    (request,) = daemon.evaluate().run_requests
    assert request.tags["metaxy/changed_features"] == "example/video"
    assert request.tags["metaxy/changed_records"] == "3"
    assert daemon.tick() == 1
    assert daemon.tick() == 0
    write(a="2")
    assert daemon.tick() == 1


def test_the_first_tick_over_a_store_with_commits_requests_a_run(
    daemon: Daemon, write: Callable[..., None]
) -> None:
    write(a="1")
    assert daemon.tick() == 1


def test_without_a_change_nothing_is_requested_and_the_cursor_stays(
    daemon: Daemon, write: Callable[..., None]
) -> None:
    write(a="1")
    daemon.tick()
    assert daemon.skipped() == "No new commit of example/video since commit 1."


def test_a_deletion_is_a_change(
    lab: Any, media: SimpleNamespace, daemon: Daemon, write: Callable[..., None]
) -> None:
    write(a="1", b="1")
    daemon.tick()
    for hard in (False, True):
        with lab.store.open() as store:
            store.delete(media.Video, filters=f"video_id = '{'b' if hard else 'a'}'", hard=hard)
        assert daemon.tick() == 1


def test_what_the_runs_write_themselves_is_no_change(
    daemon: Daemon, write: Callable[..., None], transcribe: Callable[[], None]
) -> None:
    write(a="1")
    assert daemon.tick() == 1
    transcribe()
    assert daemon.tick() == 0


def test_a_commit_of_another_feature_is_no_change(
    lab: Any,
    media: SimpleNamespace,
    write: Callable[..., None],
    transcribe: Callable[[], None],
) -> None:
    daemon = Daemon(lab, mxd.upstream_change_sensor(media.Transcript, target="example/report"))
    write(a="1")
    assert daemon.skipped() == "There is no commit of example/transcript yet."
    transcribe()
    assert daemon.tick() == 1


def test_compaction_is_no_change_and_a_rebase_is_one(
    lab: Any, media: SimpleNamespace, daemon: Daemon, write: Callable[..., None]
) -> None:
    """Records may have waited for a rebase of what they read."""
    write(a="1")
    write(a="2")
    daemon.tick()
    with lab.store.open() as store:
        assert store.compact(media.Video) is not None
    assert daemon.tick() == 0
    later = lab.features(audio="2")
    daemon.sensor = mxd.upstream_change_sensor(of=later.Transcript)
    assert daemon.tick() == 0
    with lab.store.open() as store:
        assert store.resolve_update(later.Transcript).counts.blocked == 1
        store.rebase(later.Video, samples=lab.clips({"a": ("2", "1")}))
        assert store.resolve_update(later.Transcript).counts.new == 1
    assert daemon.tick() == 1


# ------------------------------------------------------------------ thresholds


def test_changes_add_up_until_there_are_enough(
    lab: Any, media: SimpleNamespace, write: Callable[..., None]
) -> None:
    daemon = Daemon(lab, mxd.upstream_change_sensor(of=media.Transcript, minimum_records=4))
    write(a="1", b="1", c="1")
    assert daemon.skipped() == ("3 of 4 records changed since the last request, in example/video.")
    write(c="2")
    assert daemon.tick() == 1
    write(a="2", b="2", c="3")
    assert daemon.tick() == 0
    write(d="1")
    assert daemon.tick() == 1


def test_options_reach_dagster(lab: Any, media: SimpleNamespace) -> None:
    sensor = mxd.upstream_change_sensor(
        of=media.Transcript,
        name="transcribe",
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Transcribes.",
    )
    assert (sensor.name, sensor.minimum_interval_seconds) == ("transcribe", 300)
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.description == "Transcribes."


def test_runs_have_the_tags_they_are_given(
    lab: Any, media: SimpleNamespace, write: Callable[..., None]
) -> None:
    sensor = mxd.upstream_change_sensor(of=media.Transcript, run_tags={"team": "speech"})
    write(a="1")
    (request,) = Daemon(lab, sensor).evaluate().run_requests
    assert request.tags.items() >= {("team", "speech"), ("metaxy/changed_records", "1")}


def test_each_partition_of_what_is_run_has_a_run_of_its_own(
    lab: Any, write: Callable[..., None], media: SimpleNamespace
) -> None:
    buckets = dg.StaticPartitionsDefinition(["0", "1"])

    @dg.asset(partitions_def=buckets)
    def bucketed() -> None: ...

    sensor = mxd.upstream_change_sensor(
        media.Video, target=bucketed, partition_keys=buckets.get_partition_keys()
    )
    resources = {"metaxy_store": lab.store}
    definitions = dg.Definitions(assets=[bucketed], sensors=[sensor], resources=resources)
    write(a="1")
    context = dg.build_sensor_context(
        instance=lab.instance, definitions=definitions, resources=resources
    )
    first, second = sensor.evaluate_tick(context).run_requests
    assert (first.partition_key, second.partition_key) == ("0", "1")
    assert first.run_key.removesuffix("-0") == second.run_key.removesuffix("-1")


@pytest.mark.parametrize("options", [{"buckets": 2}, {"batch_size": 2}])
def test_a_sensor_that_has_nothing_to_run_without_partitions_says_so(
    lab: Any, write: Callable[..., None], media: SimpleNamespace, options: dict[str, int]
) -> None:
    assets = [lab.video(media), lab.transcript(media, **options)]
    sensor = mxd.upstream_change_sensor(of=media.Transcript)
    resources = {"metaxy_store": lab.store}
    definitions = dg.Definitions(assets=assets, sensors=[sensor], resources=lab.resources)
    write(a="1")
    context = dg.build_sensor_context(
        instance=lab.instance, definitions=definitions, resources=resources
    )
    with pytest.raises(mxd.AssetError, match=r"'example/transcript' that can be .* partition_keys"):
        sensor.evaluate_tick(context)


# ------------------------------------------------------------------ nothing missed, nothing twice


def test_a_tick_that_is_repeated_asks_for_the_run_it_asked_for(
    daemon: Daemon, write: Callable[..., None]
) -> None:
    """The daemon died after it launched the run and before it kept the cursor."""
    write(a="1")
    first, again = daemon.evaluate(), daemon.evaluate()
    assert first.run_requests == again.run_requests
    assert first.cursor == again.cursor


def test_a_lost_cursor_launches_no_run_again(daemon: Daemon, write: Callable[..., None]) -> None:
    write(a="1")
    daemon.tick()
    write(b="1")
    assert daemon.tick() == 1
    daemon.cursor = None
    assert daemon.tick() == 0
    write(c="1")
    assert daemon.tick() == 1


def test_a_cursor_of_something_else_is_like_none(
    daemon: Daemon, write: Callable[..., None]
) -> None:
    write(a="1")
    for cursor in ("", "17", "{", '{"example/video": 3}', '{"example/video": {"newest": "x"}}'):
        daemon.cursor = cursor
        assert len(daemon.evaluate().run_requests) == 1


def test_a_commit_that_arrives_late_under_a_smaller_id_is_a_change(
    lab: Any, media: SimpleNamespace, daemon: Daemon, write: Callable[..., None]
) -> None:
    write(a="1")
    write(b="1")
    with lab.store.open() as store:
        *_, late = store.commits(media.Video)
        staged = store.backend.stage("taken", pl.DataFrame({"metaxy_commit": [1]}).to_arrow())
        with store.backend.transaction() as transaction:
            transaction.remove(COMMITS, staged, ["metaxy_commit"])
    daemon.tick()
    with lab.store.open() as store, store.backend.transaction() as transaction:
        store._parts.catalog.add(transaction, late)
    assert daemon.tick() == 1
    assert daemon.tick() == 0


def test_a_feature_that_is_watched_from_now_on_counts_from_the_beginning(
    media: SimpleNamespace,
    daemon: Daemon,
    write: Callable[..., None],
    transcribe: Callable[[], None],
) -> None:
    write(a="1")
    transcribe()
    daemon.tick()
    every = [media.Video, media.Transcript]
    daemon.sensor = mxd.upstream_change_sensor(every, target="example/report")
    (request,) = daemon.evaluate().run_requests
    assert request.tags["metaxy/changed_features"] == "example/transcript"
    assert daemon.tick() == 1
    daemon.sensor = mxd.upstream_change_sensor(media.Transcript, target="example/report")
    assert daemon.tick() == 0


# ------------------------------------------------------------------ the store


def test_a_store_that_does_not_exist_yet_is_waited_for(
    lab: Any, daemon: Daemon, write: Callable[..., None]
) -> None:
    assert daemon.skipped() == "There is no commit of example/video yet."
    assert not list(lab.folder.iterdir())
    write(a="1")
    assert daemon.tick() == 1


def test_a_store_that_is_locked_makes_a_tick_skip_at_once(
    lab: Any, media: SimpleNamespace, daemon: Daemon, write: Callable[..., None]
) -> None:
    write(a="1")
    daemon.tick()
    write(a="2")
    daemon.sensor = mxd.upstream_change_sensor(of=media.Transcript, lock_timeout=0.05)
    with held(lab.store.database):
        assert "was in use for 0.05 s" in daemon.skipped()
        assert "nothing is missed" in daemon.skipped()
    assert daemon.tick() == 1


def test_a_store_that_is_away_makes_a_tick_skip(
    lab: Any, daemon: Daemon, write: Callable[..., None]
) -> None:
    write(a="1")
    daemon.tick()
    write(a="2")
    folder, away = lab.folder, lab.folder.with_name("away")
    folder.rename(away)
    try:
        assert "cannot be opened" in daemon.skipped()
    finally:
        away.rename(folder)
    assert daemon.tick() == 1


def test_a_file_that_vanished_leaves_the_cursor_alone(
    lab: Any, daemon: Daemon, write: Callable[..., None]
) -> None:
    write(a="1")
    daemon.tick()
    file = lab.folder / "store.duckdb"
    file.rename(lab.folder / "away")
    assert daemon.skipped() == "There is no commit of example/video yet."
    (lab.folder / "away").rename(file)
    assert daemon.tick() == 0


def test_a_new_store_in_its_place_is_a_change(
    lab: Any, media: SimpleNamespace, write: Callable[..., None]
) -> None:
    """It has as many commits under the same ids, and the threshold is of no matter then."""
    daemon = Daemon(lab, mxd.upstream_change_sensor(of=media.Transcript, minimum_records=2))
    write(a="1", b="1")
    daemon.tick()
    (lab.folder / "store.duckdb").unlink()
    write(a="1")
    assert daemon.tick() == 1
    assert daemon.tick() == 0


def test_a_store_that_is_put_back_is_run_for_again(
    lab: Any, daemon: Daemon, write: Callable[..., None]
) -> None:
    """What the run for these commits wrote may be gone with the rest."""
    write(a="1")
    daemon.tick()
    shutil.copyfile(lab.folder / "store.duckdb", lab.folder / "backup")
    write(b="1")
    daemon.tick()
    shutil.copyfile(lab.folder / "backup", lab.folder / "store.duckdb")
    assert daemon.tick() == 1
    assert daemon.tick() == 0


def test_what_is_no_store_fails_the_tick(lab: Any, daemon: Daemon) -> None:
    (lab.folder / "store.duckdb").write_text("no database, and long enough to be looked at" * 50)
    with pytest.raises(errors.NotAStore, match="no DuckDB database"):
        daemon.evaluate()


def test_a_tick_is_one_query_on_the_catalog_and_touches_no_data_table(
    lab: Any,
    daemon: Daemon,
    write: Callable[..., None],
    transcribe: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(a="1")
    transcribe()
    daemon.tick()
    with duckdb.connect(lab.store.database) as connection:
        for table in ("example__video", "example__transcript", "metaxy__definitions"):
            connection.execute(f"DROP TABLE {table}")
    asked: list[str] = []
    fetch = DuckDBTables.fetch

    def noted(tables: DuckDBTables, sql: str) -> Any:
        asked.append(sql)
        return fetch(tables, sql)

    monkeypatch.setattr(DuckDBTables, "fetch", noted)
    assert daemon.tick() == 0
    queries = [sql for sql in asked if "LIMIT 0" not in sql and "metaxy__store" not in sql]
    assert len(queries) == 1
    assert COMMITS in queries[0]


@contextmanager
def held(database: str) -> Iterator[None]:
    """Another process has the file open for writing."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"held\n"
        yield
    finally:
        process.communicate()
