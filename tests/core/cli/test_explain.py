"""`metaxy explain` and `metaxy lineage`."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import metaxy_core as mx

SCENES = """
import metaxy_core as mx

class Video(mx.Feature, spec=mx.FeatureSpec(
    key="video", id_columns=["id"], fields=[mx.FieldSpec(key="media", version_from=["etag"])],
)):
    id: int
    etag: str

class Scene(mx.Feature, spec=mx.FeatureSpec(
    key="scene", id_columns=["id", "name"],
    deps=[mx.FeatureDep(feature=Video, columns=[], lineage=mx.expansion())], fields=["media"],
)):
    id: int
    name: str
"""


def samples(audio: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "sample_uid": ["v1"],
            "frames": [1],
            "duration": [1.0],
            "size": [1],
            "metaxy_provenance_by_field": [{"audio": audio, "frames": "f"}],
        }
    )


@pytest.fixture
def processed(workspace) -> Any:
    """A video whose sound changed after its crop was computed."""
    workspace.fill(changed_sound)
    return workspace


def changed_sound(store: mx.MetadataStore, features: dict[str, Any]) -> None:
    video, crop = features["Video"], features["Crop"]
    store.write(video, samples("a1"), materialization_id="run-1")
    store.write(crop, store.resolve_update(crop).new, materialization_id="run-2")
    store.write(video, samples("a2"), materialization_id="run-3")


@pytest.fixture
def scenes(workspace) -> Any:
    """Scenes of the video 7, whose ids are a number and a name."""
    workspace.write("features.py", SCENES)
    workspace.fill(a_scene)
    return workspace


def a_scene(store: mx.MetadataStore, features: dict[str, Any]) -> None:
    store.write(features["Video"], pl.DataFrame({"id": [7], "etag": ["1"]}))
    parents = store.resolve_update(features["Scene"]).new
    store.write(features["Scene"], parents.with_columns(name=pl.lit("a=b")))


def told(workspace, *arguments: str) -> dict[str, Any]:
    result = workspace.run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


# --------------------------------------------------------------------------- explain


def test_explain_says_what_changed_when_and_by_which_run(processed):
    found = told(processed, "explain", "example/crop", "v1")
    audio, frames = found["fields"]
    assert (found["status"], audio["changed"], frames["changed"]) == ("stale", True, False)
    assert [read["now_origin"]["materialization_id"] for read in audio["reads"]] == ["run-3"]
    assert [above["feature"] for above in found["upstream"]] == ["example/video"]


def test_explain_is_a_tree_for_people(processed):
    result = processed.run("explain", "example/crop", "v1")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "example/crop sample_uid=v1: stale"
    assert lines[1].startswith("├── stored by commit 2 at 20")
    assert lines[1].endswith(" UTC by run-2")
    assert lines[2].startswith("├── audio: changed ")
    assert lines[3].startswith("│   └── example/video.audio changed from ")
    assert lines[3].endswith(" UTC by run-3")


def test_an_id_may_be_given_by_column(processed):
    by_name = told(processed, "explain", "example/crop", "sample_uid=v1")
    assert by_name == told(processed, "explain", "example/crop", "v1")


def test_explain_compares_with_the_code_at_hand(processed):
    processed.write_features(audio=2)
    assert told(processed, "explain", "example/crop", "v1")["status"] == "blocked"


def test_a_record_that_is_neither_stored_nor_called_for_ends_with_1(processed):
    result = processed.run("explain", "example/crop", "v9")
    assert result.exit_code == 1
    assert result.stdout.startswith("example/crop sample_uid=v9: unknown\n")
    assert "no such record of 'example/crop'" in result.stderr


def test_ids_are_read_as_the_stored_types(scenes):
    found = told(scenes, "explain", "video", "7")
    assert (found["id"], found["status"]) == ({"id": 7}, "stored")


@pytest.mark.parametrize("record", [("7", "a=b"), ("name=a=b", "id=7"), ("id=7",), ("7",)])
def test_a_child_or_its_parent_may_be_named(scenes, record):
    found = told(scenes, "explain", "scene", *record)
    assert (found["id"], found["status"]) == ({"id": 7}, "up to date")


@pytest.mark.parametrize("command", ["explain", "lineage"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("video", "seven"), "'seven' is no 'id' of 'video', which is int64"),
        (("video", "7", "8"), "identified by (id)"),
        (("scene", "id=7", "x"), "give COLUMN=VALUE for each of id, name"),
        (("scene", "id=7", "id=8"), "or one twice"),
        (("vidio", "7"), "did you mean 'video'?"),
    ],
)
def test_what_names_no_record_is_refused_in_one_line(scenes, command, arguments, said):
    result = scenes.run(command, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["explain", "lineage"])
def test_help_shows_an_example(workspace, command):
    result = workspace.run(command, "--help")
    assert result.exit_code == 0
    assert f"metaxy {command} example/crop v1" in result.stdout


# --------------------------------------------------------------------------- lineage


def test_lineage_gives_the_versions_that_were_read(processed):
    found = told(processed, "lineage", "example/crop", "v1")
    (above,) = found["upstream"]
    assert (found["commit"], found["exact"]) == (2, True)
    assert (above["feature"], above["commit"], above["materialization_id"]) == (
        "example/video",
        1,
        "run-1",
    )


def test_lineage_is_a_tree_for_people(processed):
    result = processed.run("lineage", "example/crop", "v1")
    lines = result.stdout.splitlines()
    assert lines[0] == "example/crop sample_uid=v1"
    assert lines[4] == "└── example/video sample_uid=v1"
    assert lines[5].startswith("    ├── commit 1 at 20")


def test_lineage_of_a_record_that_is_not_stored_ends_with_1(processed):
    result = processed.run("lineage", "example/crop", "v9")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no record sample_uid=v9 of 'example/crop'" in result.stderr
