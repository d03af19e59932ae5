from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
import pytest
from obstore.store import LocalStore

from metaxy_core.errors import StoreLocked, WriteOvertaken
from metaxy_core.store.backends.heads.log import Heads
from metaxy_core.store.backends.heads.owners import has_died, this_process
from metaxy_core.store.backends.heads.turns import Turn
from metaxy_core.store.backends.lake.objects import FOLDER, HeadObjects
from metaxy_core.store.backends.lake.places import Place

WRITER = Path(__file__).with_name("head_writer.py")
_spec = importlib.util.spec_from_file_location("head_writer", WRITER)
head_writer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(head_writer)

Opened = Callable[..., Heads]


@pytest.fixture(params=["disk", "s3"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Opens the same log once more."""
    if request.param == "disk":
        place = Place.from_address(tmp_path / "store", None)
    else:
        place = Place.from_address(*request.getfixturevalue("bucket"))
    return lambda **options: Heads(
        HeadObjects(place.objects(writing=True)), place.address, **options
    )


@pytest.fixture
def heads(opened: Opened) -> Heads:
    """A log that is empty."""
    return opened()


def written(heads: Heads, version: int) -> None:
    with Turn(heads, 10) as turn:
        turn.commit({"video": {"version": version}})


def versions(heads: Heads) -> dict[str, int]:
    return {name: pin["version"] for name, pin in heads.newest().tables.items()}


def test_a_new_log_has_no_head(heads):
    assert heads.newest() is None


def test_a_change_is_seen_once_it_is_committed(opened, heads):
    with Turn(heads, 10) as turn:
        other = opened()
        assert not other.newest().tables
        turn.commit({"video": {"version": 3}})
    assert versions(other) == versions(opened()) == {"video": 3}


def test_a_change_that_fails_leaves_the_tables_and_nobody_waits(opened, heads):
    written(heads, 1)
    with pytest.raises(RuntimeError), Turn(heads, 10):
        raise RuntimeError
    started = time.monotonic()
    written(opened(), 2)
    assert time.monotonic() - started < 5
    assert versions(heads) == {"video": 2}


def test_a_change_leaves_two_heads(heads):
    written(heads, 1)
    assert heads.newest().number == 2


def test_who_does_not_wait_is_told_that_the_store_is_in_use(opened, heads):
    with Turn(heads, 10):
        with pytest.raises(StoreLocked, match="raise lock_timeout"):
            Turn(opened(), 0)
        with pytest.raises(StoreLocked, match="in use for 0.1 s"):
            Turn(opened(), 0.1)
    Turn(opened(), 0).commit({})


def test_who_waits_gets_the_turn_once_the_other_ends(opened, heads):
    with Turn(heads, 10) as turn, ThreadPoolExecutor() as threads:
        waiting = threads.submit(written, opened(), 2)
        time.sleep(0.3)
        assert not waiting.done()
        turn.commit({"video": {"version": 1}})
        waiting.result(10)
    assert versions(heads) == {"video": 2}


def test_a_turn_without_a_sign_of_life_is_taken_over_and_its_commit_refused(opened):
    late = Turn(opened(lease=0.2), 10)  # its signs of life never start
    time.sleep(0.3)
    written(opened(), 2)
    with pytest.raises(WriteOvertaken, match="Run it again"):
        late.commit({"video": {"version": 1}})
    assert versions(opened()) == {"video": 2}


def test_a_turn_is_taken_over_while_the_other_is_at_work(opened):
    late = Turn(opened(lease=0.2), 10)
    time.sleep(0.3)
    with Turn(opened(), 10) as turn:
        with pytest.raises(WriteOvertaken):
            late.extend()
        with pytest.raises(WriteOvertaken):
            late.commit({"video": {"version": 1}})
        turn.commit({"video": {"version": 2}})
    assert versions(opened()) == {"video": 2}


def test_signs_of_life_keep_a_long_turn(opened):
    with Turn(opened(lease=0.6), 10) as turn:
        time.sleep(1.5)
        with pytest.raises(StoreLocked):
            Turn(opened(), 0)
        turn.commit({"video": {"version": 1}})
    assert versions(opened()) == {"video": 1}


def test_old_heads_are_removed_and_the_log_goes_on(opened):
    heads, reader = opened(keep=6), opened()
    written(heads, 0)
    assert versions(reader) == {"video": 0}
    for version in range(1, 40):
        written(heads, version)
    heads.clean()
    assert len(heads._listed(from_last=False)) == 6
    assert versions(reader) == versions(opened()) == {"video": 39}


def test_a_commit_in_the_place_of_a_removed_head_is_refused(opened):
    late = Turn(opened(lease=0.2), 10)
    time.sleep(0.3)
    heads = opened(keep=6)
    for version in range(20):
        written(heads, version)
    heads.clean()
    with pytest.raises(WriteOvertaken):
        late.commit({"video": {"version": 100}})
    assert versions(opened()) == versions(heads) == {"video": 19}


def test_a_head_that_is_gone_when_it_is_read_is_looked_for_again(opened, monkeypatch):
    heads, reader = opened(keep=1), opened()
    written(heads, 1)
    before = reader._listed(from_last=False)
    written(heads, 2)
    heads.clean()
    listed = iter([before])
    as_is = Heads._listed
    monkeypatch.setattr(
        Heads, "_listed", lambda self, **which: next(listed, None) or as_is(self, **which)
    )
    assert versions(reader) == {"video": 2}


def test_a_commit_whose_answer_was_lost_counts(heads, monkeypatch):
    turn = Turn(heads, 10)
    put = obstore.put

    def twice(*args, **options):
        put(*args, **options)
        return put(*args, **options)

    monkeypatch.setattr(obstore, "put", twice)
    turn.commit({"video": {"version": 1}})
    assert versions(heads) == {"video": 1}


def test_a_change_whose_answers_were_lost_is_made_and_nobody_waits(opened, monkeypatch):
    put = obstore.put

    def lost(*args, **options):
        put(*args, **options)
        raise OSError("connection reset by peer")

    with monkeypatch.context() as lossy:
        lossy.setattr(obstore, "put", lost)
        written(opened(), 1)
    written(opened(), 2)
    assert versions(opened()) == {"video": 2}


def test_what_was_not_put_is_told(opened, monkeypatch):
    def refused(*_, **__):
        raise OSError("connection refused")

    with Turn(opened(), 10) as turn, monkeypatch.context() as closed:
        closed.setattr(obstore, "put", refused)
        with pytest.raises(OSError, match="refused"):
            turn.commit({"video": {"version": 1}})
    assert versions(opened()) == {}


def test_threads_take_turns(opened):
    with ThreadPoolExecutor(4) as threads:
        logs = [opened(lease=120.0) for _ in range(4)]  # longer than any pause of a busy machine
        for done in [threads.submit(head_writer.count, each, 10) for each in logs]:
            done.result(60)
    assert versions(opened()) == {"counter": 40}


def test_processes_take_turns(tmp_path):
    command = [sys.executable, str(WRITER), str(tmp_path), "15"]
    writers = [subprocess.Popen(command) for _ in range(4)]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    assert versions(Heads(HeadObjects(LocalStore(tmp_path)), "")) == {"counter": 60}


def test_nobody_waits_for_a_process_of_this_machine_that_was_killed(tmp_path):
    code = (
        "import sys; from obstore.store import LocalStore;"
        "from metaxy_core.store.backends.heads.log import Heads;"
        "from metaxy_core.store.backends.lake.objects import HeadObjects;"
        "Heads(HeadObjects(LocalStore(sys.argv[1])), '').begin(0); print('begun', flush=True);"
        "sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    writer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes)
    assert writer.stdout.readline() == b"begun\n"
    heads = Heads(HeadObjects(LocalStore(tmp_path)), "")
    with pytest.raises(StoreLocked):
        heads.begin(0)
    os.kill(writer.pid, signal.SIGKILL)
    try:
        assert heads.begin(2).number == 2  # though nobody has waited for it
    finally:
        writer.communicate()


def test_a_process_of_another_machine_is_not_known_to_have_died():
    assert not has_died(this_process())
    assert not has_died("elsewhere/pid[1]:1:1")
    assert not has_died("")


def test_what_else_stands_among_the_heads_is_left_alone(tmp_path):
    heads = Heads(HeadObjects(LocalStore(tmp_path)), "")
    written(heads, 1)
    (tmp_path / FOLDER / "README.json").write_text("what these are")
    assert versions(Heads(HeadObjects(LocalStore(tmp_path)), "")) == {"video": 1}


def test_signs_of_life_end_with_the_turn(heads):
    before = threading.active_count()
    written(heads, 1)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before
