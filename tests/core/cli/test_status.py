"""`metaxy status`."""

from __future__ import annotations

import json
import runpy
from typing import Any

import polars as pl
import pytest

import metaxy_core as mx

SAMPLES = pl.DataFrame(
    {
        "sample_uid": ["v1", "v2", "v3"],
        "frames": [1, 2, 3],
        "duration": [1.0, 2.0, 3.0],
        "size": [1, 2, 3],
        "metaxy_provenance_by_field": [{"audio": f"a{i}", "frames": f"f{i}"} for i in range(3)],
    }
)


@pytest.fixture
def processed(workspace) -> Any:
    """Three videos are stored, and the crops of two of them."""
    workspace.fill(videos_and_two_crops)
    return workspace


def videos_and_two_crops(store: mx.MetadataStore, features: dict[str, Any]) -> None:
    videos = store.resolve_update(features["Video"], SAMPLES).new
    store.write(features["Video"], videos, materialization_id="run-1")
    crops = store.resolve_update(features["Crop"]).new.sort("sample_uid")
    store.write(features["Crop"], crops.head(2))


def status(workspace, *arguments: str) -> dict[str, Any]:
    result = workspace.run("status", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return {found.pop("feature"): found for found in json.loads(result.stdout)}


def todo(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(found[kind] for kind in ("records", "new", "stale", "orphaned", "blocked"))


def test_status_counts_what_is_stored_and_what_is_to_do(processed):
    found = status(processed)
    assert todo(found["example/crop"]) == (2, 1, 0, 0, 0)
    assert todo(found["example/face_detection"]) == (0, 2, 0, 0, 0)
    assert todo(found["overview/stt"]) == (0, 3, 0, 0, 0)


def test_status_tells_how_far_a_feature_is_and_what_fails(processed):
    with processed.open_store() as store, mx.FeatureGraph().use():
        runpy.run_path(str(processed.folder / "features.py"))
        store.record_failure("overview/stt", ["v1"], "no sound")
    found = status(processed)["example/crop"]
    assert (found["expected"], found["up_to_date"], found["failing"]) == (3, 2, 0)
    assert status(processed)["overview/stt"]["failing"] == 1
    assert "3 new, 1 failing" in processed.run("status", "overview/stt").stdout


def test_what_is_new_or_stale_of_a_root_its_samples_tell(processed):
    video = status(processed)["example/video"]
    assert video["needs_samples"]
    assert todo(video) == (3, None, None, None, None)


def test_status_shows_the_last_commit(processed):
    with processed.open_store() as store, mx.FeatureGraph().use():
        runpy.run_path(str(processed.folder / "features.py"))
        last = store.history("example/video").last
    assert status(processed)["example/video"]["last_commit"] == {
        "id": last.id,
        "operation": "write",
        "rows": 3,
        "created_at": last.created_at.isoformat(),
        "materialization_id": "run-1",
    }


def test_a_feature_that_was_never_written_has_no_commit(processed):
    assert status(processed)["overview/stt"]["last_commit"] is None


def test_a_bump_upstream_blocks_what_reads_the_field(processed):
    processed.write_features(audio=2)
    found = status(processed)
    assert todo(found["example/crop"]) == (2, 0, 0, 0, 3)
    assert todo(found["overview/stt"]) == (0, 0, 0, 0, 3)
    assert todo(found["example/face_detection"]) == (0, 2, 0, 0, 0)


def test_status_of_some_features_only(processed):
    assert list(status(processed, "overview/stt", "example/crop")) == [
        "example/crop",
        "overview/stt",
    ]


def test_status_of_an_unknown_feature_names_the_nearest(processed):
    result = processed.run("status", "example/corp")
    assert result.exit_code == 1
    assert "did you mean 'example/crop'?" in result.stderr


def test_status_is_a_table_for_people(processed):
    result = processed.run("status", "example/video", "example/crop", "overview/stt")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "feature records done to do last commit (UTC)"
    assert lines[1].startswith("example/video 3 needs samples 1 at 20")
    assert lines[1].endswith(" by run-1")
    assert lines[2].startswith("example/crop 2 66 % 1 new 2 at 20")
    assert lines[3] == "overview/stt 0 0 % 3 new never written"


def test_a_feature_without_work_has_nothing_to_do(processed):
    result = processed.run("status", "example/crop", "-e", "features.py")
    assert "1 new" in result.stdout
    with mx.FeatureGraph().use(), processed.open_store() as store:
        crop = runpy.run_path(str(processed.folder / "features.py"))["Crop"]
        store.write(crop, store.resolve_update(crop).new)
    assert "nothing" in processed.run("status", "example/crop").stdout


def test_progress_is_no_result(processed):
    result = processed.run("status", "--json")
    assert len(json.loads(result.stdout)) == 4


def test_status_before_anything_was_written(workspace):
    found = status(workspace)
    assert {key: todo(feature) for key, feature in found.items()} == {
        "example/video": (0, None, None, None, None),
        "example/crop": (0, 0, 0, 0, 0),
        "overview/stt": (0, 0, 0, 0, 0),
        "example/face_detection": (0, 0, 0, 0, 0),
    }
