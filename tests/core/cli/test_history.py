"""`metaxy history`."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import metaxy_core as mx

SAMPLES = pl.DataFrame(
    {
        "sample_uid": ["v1"],
        "frames": [1],
        "duration": [1.0],
        "size": [1],
        "metaxy_provenance_by_field": [{"audio": "a", "frames": "f"}],
    }
)


def config(project: str) -> str:
    stores = '[stores.default]\npath = "metadata.duckdb"\n'
    return f'project = "{project}"\nentrypoints = ["features.py"]\n{stores}'


@pytest.fixture
def pushed(workspace) -> Any:
    """Two snapshots of `readme`, and one of `other` between them."""
    workspace.write("metaxy.toml", config("readme"))
    workspace.run("push")
    with mx.FeatureGraph(project="other").use(), workspace.open_store() as store:

        class Other(mx.Feature, spec=mx.FeatureSpec(key="other/film")):
            sample_uid: str

        store.push()
    workspace.write_features(audio=2)
    workspace.run("push")
    return workspace


def history(workspace, *arguments: str) -> list[dict[str, Any]]:
    result = workspace.run("history", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_history_tells_what_each_push_of_the_project_changed(pushed):
    newest, first = history(pushed)
    with pushed.open_store() as store:
        versions = [snapshot.version for snapshot in store.snapshots("readme")]
    assert [first.pop("version"), newest.pop("version")] == versions
    assert first.pop("recorded_at") < newest.pop("recorded_at")
    keys = ["example/crop", "example/face_detection", "example/video", "overview/stt"]
    nothing = {"added": [], "removed": [], "changed": [], "edited": []}
    about = {"project": "readme", "features": 4}
    assert first == {**about, **nothing, "number": 1, "added": keys}
    moved = ["example/crop", "example/video", "overview/stt"]
    assert newest == {**about, **nothing, "number": 3, "changed": moved}


def test_history_of_another_project_or_of_all(pushed):
    assert [found["number"] for found in history(pushed, "--project", "other")] == [2]
    assert [found["number"] for found in history(pushed, "--all")] == [3, 2, 1]
    assert [found["number"] for found in history(pushed, "--all", "--limit", "2")] == [3, 2]


def test_history_is_a_table_for_people(pushed):
    lines = [line.split() for line in pushed.run("history", "--all").stdout.splitlines()]
    assert lines[0] == ["number", "version", "time", "(UTC)", "project", "changes"]
    assert [[line[0], line[4]] for line in lines[1:]] == [
        ["3", "readme"],
        ["2", "other"],
        ["1", "readme"],
    ]
    assert lines[1][5:] == ["changed", "example/crop,", "example/video,", "overview/stt"]
    assert lines[2][5:] == ["added", "other/film"]


def test_history_of_an_unknown_project_names_the_nearest(pushed):
    result = pushed.run("history", "--project", "redame")
    assert result.exit_code == 1
    assert "no graph of project 'redame'; did you mean 'readme'?" in result.stderr


def test_history_before_the_first_push_says_how(workspace):
    with workspace.open_store() as store:
        store.push(mx.FeatureGraph(project="other"))
    result = workspace.run("history", "--json")
    assert (result.exit_code, result.stdout) == (0, "[]\n")
    assert "has no snapshot yet; `metaxy push` records one." in result.stderr


def test_history_needs_no_code(pushed):
    pushed.write("features.py", "raise RuntimeError")
    assert len(history(pushed)) == 2


# ------------------------------------------------------------------ commits


@pytest.fixture
def written(pushed) -> Any:
    """The video is written, written again and deleted."""
    with mx.FeatureGraph(project="readme").use() as graph:
        source = (pushed.folder / "features.py").read_text("utf-8")
        exec(source, {"__name__": "features"})
        assert "example/video" in graph
        with pushed.open_store() as store:
            store.write("example/video", SAMPLES, materialization_id="run-1")
            store.write("example/video", SAMPLES)
            store.delete("example/video", filters="sample_uid = 'v1'", materialization_id="run-2")
    return pushed


def test_history_of_a_feature_lists_its_commits(written):
    found = history(written, "example/video")
    columns = ("id", "operation", "rows", "superseded", "deleted", "materialization_id")
    assert [tuple(commit[name] for name in columns) for commit in found] == [
        (3, "delete", 1, 1, 1, "run-2"),
        (2, "write", 1, 1, 0, None),
        (1, "write", 1, 0, 0, "run-1"),
    ]
    assert {commit["feature"] for commit in found} == {"example/video"}


def test_commits_are_a_table_for_people(written):
    lines = written.run("history", "example/video", "-n", "1").stdout.splitlines()
    assert lines[0].split()[:5] == ["commit", "operation", "rows", "superseded", "deleted"]
    assert [line.split()[:5] for line in lines[1:]] == [["3", "delete", "1", "1", "1"]]
    assert lines[1].split()[-1] == "run-2"


def test_history_of_an_unknown_feature_names_the_nearest(written):
    result = written.run("history", "example/vidoe")
    assert result.exit_code == 1
    assert "did you mean 'example/video'?" in result.stderr


@pytest.mark.parametrize("options", [["--all"], ["--project", "other"]])
def test_commits_are_of_no_project(written, options):
    assert written.run("history", "example/video", *options).exit_code == 2


# ------------------------------------------------------------------ comparing snapshots


@pytest.mark.parametrize(("old", "new"), [("store:1", "store:3"), ("store:previous", "store")])
def test_diff_compares_snapshots_by_number_and_place(pushed, old, new):
    result = pushed.run("graph", "diff", old, new, "--format", "json")
    changed = [f["key"] for f in json.loads(result.stdout)["features"] if f["change"] == "changed"]
    assert changed == ["example/video", "example/crop", "overview/stt"]


def test_diff_knows_the_projects_own_snapshots_only(pushed):
    result = pushed.run("graph", "diff", "store:2", "store")
    assert result.exit_code == 1
    assert "no snapshot '2' of project 'readme'" in result.stderr


# ------------------------------------------------------------------ selections


def test_list_status_and_render_take_selections(workspace):
    listed = workspace.run("list", "+example/crop").stdout.splitlines()[1:]
    assert [line.split()[0] for line in listed] == ["example/video", "example/crop"]
    told = workspace.run("status", "--json", "example/crop+", "!*/face*").stdout
    assert [found["feature"] for found in json.loads(told)] == ["example/crop"]
    drawn = workspace.run("graph", "render", "-f", "json", "overview/*").stdout
    assert [found["key"] for found in json.loads(drawn)["features"]] == ["overview/stt"]


@pytest.mark.parametrize("layout", ["terminal", "mermaid", "dot"])
def test_render_leaves_out_what_is_not_selected(workspace, layout):
    drawn = workspace.run("graph", "render", "-f", layout, "1+example/face_detection").stdout
    assert "example/crop" in drawn
    assert "example/face_detection" in drawn
    assert "overview/stt" not in drawn
    assert "features:" not in drawn


@pytest.mark.parametrize("command", [["list"], ["status"], ["graph", "render"]])
def test_help_teaches_selections(workspace, command):
    told = " ".join(workspace.run(*command, "--help").stdout.split())
    for part in ("+a/b", "a/b+", "tag:gpu", "!term", "joined by commas"):
        assert part in told


def test_a_selection_that_matches_nothing_ends_the_command(workspace):
    result = workspace.run("list", "exmaple/*")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "No feature of the graph matches 'exmaple/*'" in result.stderr
