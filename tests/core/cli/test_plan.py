"""`metaxy plan`."""

from __future__ import annotations

import json
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
    """Three videos, their crops and transcripts are stored; no face was detected yet."""
    workspace.fill(all_but_faces)
    return workspace


def all_but_faces(store: mx.MetadataStore, features: dict[str, Any]) -> None:
    store.write(features["Video"], store.resolve_update(features["Video"], SAMPLES).new)
    for name in ("Crop", "SpeechToText"):
        store.write(features[name], store.resolve_update(features[name]).new)


def planned(workspace, *arguments: str) -> dict[str, Any]:
    result = workspace.run("plan", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def recomputed(plan: dict[str, Any]) -> dict[str, int]:
    return {feature["feature"]: feature["recompute"] for feature in plan["features"]}


def test_a_change_is_planned(processed):
    plan = planned(processed, "--change", "example/video.audio")
    assert recomputed(plan) == {
        "example/video": 3,
        "example/crop": 3,
        "overview/stt": 3,
        "example/face_detection": 3,
    }
    assert (plan["total"]["recompute"], plan["total"]["table_level"]) == (12, 12)


def test_without_a_change_the_backlog_is_planned(processed):
    assert recomputed(planned(processed)) == {
        "example/video": 0,
        "example/crop": 0,
        "overview/stt": 0,
        "example/face_detection": 3,
    }


def test_what_the_code_changed_already_is_planned(processed):
    processed.write_features(audio=2)
    assert recomputed(planned(processed, "overview/stt")) == {"overview/stt": 3}


def test_several_changes_and_some_features(processed):
    plan = planned(
        processed, "overview/stt", "example/crop",
        "--change", "example/crop", "--change", "overview/stt.transcription",
    )  # fmt: skip
    assert recomputed(plan) == {"example/crop": 3, "overview/stt": 3}


def test_the_plan_is_a_table_for_people(processed):
    result = processed.run("plan", "--change", "overview/stt")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == (
        "feature records recompute changed fields orphaned spared by fields cost table level"
    )
    assert lines[3] == "overview/stt 3 3 transcription: 3 0 0 0 3"
    assert lines[-1] == (
        "Recomputes 6 of 12 records; a table-level run would recompute 6. Saves 0 records."
    )


def test_costs_are_shown_and_listed(processed):
    source = (processed.folder / "features.py").read_text("utf-8")
    key = 'key=FeatureKey(["overview", "stt"]),'
    costly = source.replace(key, f'{key} cost_per_record=1.5, cost_unit="GPU s",')
    processed.write("features.py", costly)
    assert "4.5 GPU s" in processed.run("plan", "--change", "overview/stt").stdout
    assert "1.5 GPU s" in processed.run("list").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["example/corp"], "did you mean 'example/crop'?"),
        (["--change", "example/corp.audio"], "did you mean 'example/crop'?"),
        (["--change", "example/crop.audoi"], "has no field 'audoi'; did you mean 'audio'?"),
        (["--change", "example/crop."], "is no FieldKey"),
    ],
)
def test_what_is_not_there_is_refused_and_the_nearest_is_named(processed, arguments, said):
    result = processed.run("plan", *arguments)
    assert result.exit_code == 1
    assert said in result.stderr


def test_a_plan_before_anything_was_written(workspace):
    assert planned(workspace)["total"]["records"] == 0
