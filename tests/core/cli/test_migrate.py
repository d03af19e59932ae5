"""`metaxy migrate`."""

from __future__ import annotations

import json
import runpy
from typing import Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.cli import asking

FEATURES = """
import metaxy_core as mx

class Video(mx.Feature, spec=mx.FeatureSpec(
    key="example/video", id_columns=["id"],
    fields=[mx.FieldSpec(key="sound", version_from=["etag"])],
)):
    id: str
    etag: str

class Text(mx.Feature, spec=mx.FeatureSpec(
    key="example/text", id_columns=["id"],
    deps=[mx.FeatureDep(feature=Video, columns=[])],
    fields=[mx.FieldSpec(key="words")],
)):
    id: str
"""
RENAMED = ("--field", "example/video.audio=sound")


@pytest.fixture
def refactored(workspace) -> Any:
    """Two videos and their texts are stored; then the field `sound` is renamed to `audio`."""
    workspace.write("features.py", FEATURES)
    workspace.fill(two_videos_and_their_texts)
    workspace.write("features.py", FEATURES.replace("sound", "audio"))
    return workspace


def two_videos_and_their_texts(store: mx.MetadataStore, features: dict[str, Any]) -> None:
    store.write(features["Video"], pl.DataFrame({"id": ["a", "b"], "etag": ["1", "1"]}))
    store.write(features["Text"], store.resolve_update(features["Text"]).new)


def migrate(workspace, *arguments: str) -> Any:
    result = workspace.run("migrate", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def counts(found: dict[str, Any]) -> dict[str, tuple[int, int, int, int | None]]:
    return {
        rebase["feature"]: tuple(rebase[k] for k in ("records", "left", "already", "commit"))
        for rebase in found["rebases"]
    }


def commits(workspace) -> int:
    with workspace.open_store() as store, mx.FeatureGraph().use():
        runpy.run_path(str(workspace.folder / "features.py"))
        return max(store.history(f"example/{name}").last.id for name in ("video", "text"))


def test_the_plan_counts_and_changes_nothing(refactored):
    found = migrate(refactored, "plan", *RENAMED)
    assert counts(found) == {
        "example/video": (2, 0, 0, None),
        "example/text": (2, 0, 0, None),
    }
    assert found["refused"] == {}
    assert commits(refactored) == 2


def test_apply_restamps_and_a_second_time_does_nothing(refactored):
    found = migrate(refactored, "apply", *RENAMED)
    assert counts(found) == {"example/video": (2, 0, 0, 3), "example/text": (2, 0, 0, 4)}
    assert migrate(refactored, "apply", *RENAMED)["rebases"] == []
    assert commits(refactored) == 4


def test_apply_asks_nothing_without_a_terminal_and_says_what_it_does(refactored):
    result = refactored.run("migrate", "apply", *RENAMED)
    assert result.exit_code == 0
    assert "4 record(s) of 2 feature(s) will be restamped" in result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "feature version restamp left already commit"
    assert lines[1].startswith("example/video ")
    assert lines[1].endswith(" 2 0 0 3")


@pytest.mark.parametrize(("answer", "last"), [("n\n", 2), ("y\n", 4)])
def test_apply_asks_on_a_terminal(refactored, monkeypatch, answer, last):
    monkeypatch.setattr(asking, "is_answered", lambda: True)
    result = refactored.run("migrate", "apply", *RENAMED, answer=answer)
    assert "Did their outputs stay the same?" in result.stderr
    assert result.exit_code == (1 if last == 2 else 0)
    assert commits(refactored) == last


def test_yes_is_an_answer(refactored, monkeypatch):
    monkeypatch.setattr(asking, "is_answered", lambda: True)
    assert "restamped" not in refactored.run("migrate", "apply", "--yes", *RENAMED).stderr
    assert commits(refactored) == 4


def test_one_feature_only(refactored):
    found = migrate(refactored, "apply", "--features", "example/video", *RENAMED)
    assert counts(found) == {"example/video": (2, 0, 0, 3)}


def test_what_cannot_be_carried_over_is_told_and_refused(refactored):
    reason = migrate(refactored, "plan")["refused"]["example/video"]
    assert "fields={'audio': 'sound'}" in reason
    assert reason in refactored.run("migrate", "plan").stdout
    result = refactored.run("migrate", "apply")
    assert result.exit_code == 1
    assert "cannot be rebased, so nothing was" in result.stderr
    assert commits(refactored) == 2


@pytest.mark.parametrize(("applied", "code"), [(False, 1), (True, 0)])
def test_the_exit_code_says_whether_something_is_to_do(refactored, applied, code):
    if applied:
        migrate(refactored, "apply", *RENAMED)
    assert refactored.run("migrate", "plan", *RENAMED).exit_code == 0
    assert refactored.run("migrate", "plan", "--exit-code", *RENAMED).exit_code == code


@pytest.mark.parametrize("option", ["audio=sound", "example/video.audio", "example/video.=sound"])
def test_a_field_of_another_form_is_refused(refactored, option):
    result = refactored.run("migrate", "plan", "--field", option)
    assert result.exit_code == 2
    assert "FEATURE.NEW=OLD" in result.stderr


def test_rebases_are_listed(refactored):
    assert "Nothing was rebased yet." in refactored.run("migrate", "list").stdout
    migrate(refactored, "apply", *RENAMED)
    video, text = migrate(refactored, "list")
    assert (video["feature"], video["records"], video["commit"]) == ("example/video", 2, 3)
    assert (video["fields"], text["fields"]) == ({"audio": "sound"}, {})
    assert "audio was sound" in refactored.run("migrate", "list").stdout


def test_code_that_did_not_move_needs_no_migration(refactored):
    refactored.write("features.py", FEATURES)
    assert "No definition moved" in refactored.run("migrate", "plan").stdout
    assert "No definition moved" in refactored.run("migrate", "apply").stdout
