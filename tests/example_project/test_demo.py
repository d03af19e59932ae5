"""The demo plans its last run, and ends where the run did anything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import metaxy_core as mx
from example_project.demo import FEATURES as ALL_FEATURES
from example_project.demo import Row, check_plan, planned
from example_project.features import Video
from example_project.settings import Settings
from metaxy_core.graph.changes import declared_changes, with_changes

# Those of whole clips: the demo's last change concerns no still.
FEATURES = ALL_FEATURES[:4]
CLIPS = pl.DataFrame(
    {
        "clip_id": ["a", "b", "c"],
        "path": ["a.mp4", "b.mp4", "c.mp4"],
        "audio_hash": ["1", "2", None],
        "frames_hash": ["1", "2", "3"],
        "duration": [1.0, 1.0, 1.0],
        "has_audio": [True, True, False],
        "seconds": [0.1, 0.1, 0.1],
    }
)
RESULTS = {
    "crop": {"path": "x.mp4", "width": 1, "height": 1},
    "face_detection": {"faces": 1},
    "speech_to_text": {"transcript": "word"},
}
CHANGE = "example/video.audio"


def run(store: mx.MetadataStore, step: int) -> list[Row]:
    """What the four assets do, without the media."""
    rows = []
    for feature in FEATURES:
        key = f"example/{feature}"
        increment = store.resolve_update(key, CLIPS if feature == "video" else None)
        for frame in increment.batches():
            added = {name: pl.lit(value) for name, value in RESULTS.get(feature, {}).items()}
            store.write(key, frame.with_columns(**added, seconds=pl.lit(0.1)))
        counts, records = increment.counts, store.count(key)
        done = counts.to_process
        orphaned, blocked = counts.orphaned, counts.blocked
        figures = (records, counts.new, counts.stale, orphaned, blocked, done, records - done)
        rows.append(Row(step, feature, "whole", *figures, seconds_spared=0.0))
    return rows


@pytest.fixture
def here(tmp_path: Path):
    """The demo's place after the first run."""
    here = Settings(home=tmp_path)
    with Video.graph.use(), mx.DuckDBMetadataStore(here.database) as store:
        run(store, 1)
        yield here


def test_the_last_run_does_what_was_planned(here: Settings, capsys) -> None:
    plan = planned(here, CHANGE)
    said = " ".join(capsys.readouterr().out.split())
    # At least: nobody took stills of these clips yet, and how many each has is not known.
    assert "Recomputes at least 11 of 14 records for 13.5 GPU s" in said
    graph = with_changes(Video.graph, declared_changes(Video.graph, [CHANGE]))
    with graph.use(), mx.DuckDBMetadataStore(here.database) as store:
        found = run(store, 4)
    assert [(row.feature, row.stale) for row in found] == [
        ("video", 3),
        ("crop", 3),
        ("face_detection", 0),
        ("speech_to_text", 2),
    ]
    check_plan(plan, found)


def test_a_run_that_does_anything_else_ends_the_demo(here: Settings) -> None:
    plan = planned(here, CHANGE)
    row = Row(4, "face_detection", "whole", 3, 0, 0, 0, 0, 0, 3, 0.0)
    check_plan(plan, [row])
    with pytest.raises(SystemExit, match="Planned for 'face_detection'"):
        check_plan(plan, [replace(row, stale=1, spared=2)])
