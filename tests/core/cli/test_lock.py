"""`metaxy lock`, and what the other commands make of external features."""

from __future__ import annotations

import json
from typing import Any

import pytest

TALKS = """
import metaxy_core as mx

class Scene(mx.Feature, spec=mx.FeatureSpec(key="talks/scene", deps=["example/video"])):
    sample_uid: str
"""
CONFIG = """
project = "talks"
entrypoints = ["talks.py"]

[stores.default]
path = "metadata.duckdb"

[externals]
readme = ["example/video"]
"""


@pytest.fixture
def talks(workspace) -> Any:
    """`readme` is pushed; `talks` reads its videos."""
    workspace.write(
        "readme.toml",
        CONFIG.partition("[externals]")[0]
        .replace("talks", "readme")
        .replace("readme.py", "features.py"),
    )
    assert workspace.run("push", "--config", "readme.toml").exit_code == 0
    workspace.write("metaxy.toml", CONFIG)
    workspace.write("talks.py", TALKS)
    return workspace


def bump(workspace) -> None:
    workspace.write_features(audio=2)
    assert workspace.run("push", "--config", "readme.toml").exit_code == 0


def test_lock_writes_what_was_pushed(talks):
    result = talks.run("lock")
    file = talks.folder / "metaxy.lock"
    assert (result.exit_code, result.stdout) == (0, f"Wrote {file}:\n  example/video was added\n")
    assert list(json.loads(file.read_text())["features"]) == ["example/video"]
    assert talks.run("lock").stdout == f"{file} is up to date.\n"


def test_lock_check_tells_whether_it_is_up_to_date(talks):
    assert talks.run("lock", "--check").exit_code == 1
    talks.run("lock")
    assert talks.run("lock", "--check").exit_code == 0
    bump(talks)
    result = talks.run("lock", "--check")
    assert result.exit_code == 1
    assert "is out of date:\n  example/video moved from " in result.stdout


@pytest.mark.parametrize("command", [["list"], ["status"], ["graph", "diff"], ["history"]])
def test_a_missing_lock_ends_every_command_that_needs_it(talks, command):
    result = talks.run(*command)
    assert result.exit_code == 1
    assert "run `metaxy lock`" in result.stderr


def test_a_lock_that_is_out_of_date_ends_every_command_on_the_store(talks):
    talks.run("lock")
    bump(talks)
    for command in ("status", "push", "history"):
        result = talks.run(command)
        assert result.exit_code == 1
        assert "is out of date: example/video moved from " in result.stderr
    assert talks.run("list").exit_code == 0


def test_external_features_are_listed_and_left_to_their_project(talks):
    talks.run("lock")
    lines = [line.split() for line in talks.run("list").stdout.splitlines()[1:]]
    assert [line[0] for line in lines] == ["example/video", "talks/scene"]
    assert lines[0][-2:] == ["project", "readme"]
    assert lines[1][-1].endswith(":Scene")
    video, scene = json.loads(talks.run("status", "--json").stdout)
    assert (video["external"], video["needs_samples"], video["new"]) == ("readme", False, None)
    assert (scene["external"], scene["new"]) == (None, 0)
    assert "left to project readme" in talks.run("status", "project:readme").stdout


def test_push_and_diff_know_external_features_as_such(talks):
    talks.run("lock")
    assert "of project talks, version" in talks.run("push").stdout
    bump(talks)
    talks.run("lock")
    result = talks.run("graph", "diff", "--format", "json")
    changes = {f["key"]: f["change"] for f in json.loads(result.stdout)["features"]}
    assert changes == {"example/video": "changed", "talks/scene": "changed"}


def test_a_project_that_pushed_nothing_is_told_to(workspace):
    workspace.write("metaxy.toml", CONFIG)
    result = workspace.run("lock")
    assert result.exit_code == 1
    assert "run `metaxy push` in 'readme'" in result.stderr


def test_a_push_of_another_projects_feature_is_refused(talks):
    talks.write("metaxy.toml", CONFIG.partition("[externals]")[0])
    talks.write("talks.py", (talks.folder / "features.py").read_text())
    result = talks.run("push")
    assert result.exit_code == 1
    assert "belongs to project 'readme'" in result.stderr


def test_lock_tells_programs_what_moved(talks):
    first = json.loads(talks.run("lock", "--json").stdout)
    assert (first["up_to_date"], first["written"]) == (False, True)
    assert json.loads(talks.run("lock", "--check", "--json").stdout)["up_to_date"]
