"""`metaxy graph render` and `metaxy graph diff`."""

from __future__ import annotations

import json
import re

import pytest

CHANGES = {
    "example/video": {"audio": "changed", "frames": "unchanged"},
    "example/crop": {"audio": "changed", "frames": "unchanged"},
    "overview/stt": {"transcription": "changed"},
    "example/face_detection": {"detections": "unchanged"},
}
ALL_UNCHANGED = {key: dict.fromkeys(fields, "unchanged") for key, fields in CHANGES.items()}


def changes(output: str) -> dict[str, dict[str, str]]:
    return {
        found["key"]: {field["key"]: field["change"] for field in found["fields"]}
        for found in json.loads(output)["features"]
    }


# ------------------------------------------------------------------ render


@pytest.mark.parametrize(
    ("layout", "beginning"),
    [
        ("mermaid", "---\ntitle: Feature Graph\n---\nflowchart TB\n"),
        ("dot", 'digraph "Feature Graph" {\n'),
        ("json", '{\n  "version": "'),
        ("terminal", "Feature graph "),
    ],
)
def test_render_prints_the_graph_in_each_format(workspace, layout, beginning):
    result = workspace.run("graph", "render", "--format", layout)
    assert result.exit_code == 0
    assert result.stdout.startswith(beginning)
    assert "example/face_detection" in result.stdout


def test_render_prints_a_tree_where_no_format_is_named(workspace):
    assert workspace.run("graph", "render").stdout.startswith("Feature graph ")


def test_render_knows_no_other_formats(workspace):
    result = workspace.run("graph", "render", "--format", "svg")
    assert result.exit_code == 2
    assert "mermaid" in result.stderr


def test_render_writes_to_a_file(workspace):
    result = workspace.run("graph", "render", "--format", "mermaid", "--output", "graph.mmd")
    assert (result.exit_code, result.stdout) == (0, "")
    written = (workspace.folder / "graph.mmd").read_text("utf-8")
    assert written == workspace.run("graph", "render", "--format", "mermaid").stdout


def test_render_says_where_it_cannot_write(workspace):
    result = workspace.run("graph", "render", "--output", "nowhere/graph.txt")
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


def test_what_a_pipe_gets_has_no_color_codes_and_is_not_wrapped(workspace, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    result = workspace.run("graph", "render")
    assert "\x1b" not in result.stdout
    assert "code 1 ← example/crop.frames\n" in result.stdout


# ------------------------------------------------------------------ diff of files


def test_diff_of_two_files_moves_only_what_reads_audio(workspace):
    workspace.write_features("old/features.py", audio=1)
    workspace.write_features("new/features.py", audio=2)
    arguments = ("old/features.py", "new/features.py", "--format", "json")
    result = workspace.run("graph", "diff", *arguments)
    assert result.exit_code == 0
    assert changes(result.stdout) == CHANGES


def test_diff_of_two_files_in_the_terminal(workspace):
    workspace.write_features("old.py", audio=1)
    workspace.write_features("new.py", audio=2)
    shown = workspace.run("graph", "diff", "old.py", "new.py").stdout
    assert re.sub(r"\b[0-9a-f]{8}\b", "V", shown).splitlines() == [
        "Feature graph V → V: 3 changed, 1 unchanged",
        "├── ~ example/video V → V",
        "│   ├── ~ audio V → V  code version 1 → 2",
        "│   └── • frames V",
        "├── ~ example/crop V → V",
        "│   ├── ~ audio V → V  example/video.audio changed",
        "│   └── • frames V",
        "├── ~ overview/stt V → V",
        "│   └── ~ transcription V → V  example/video.audio changed",
        "└── • example/face_detection V",
    ]


@pytest.mark.parametrize(
    ("layout", "beginning"),
    [("mermaid", "---\ntitle: Feature Graph Diff\n"), ("dot", 'digraph "Feature Graph Diff"')],
)
def test_diff_is_drawn_too(workspace, layout, beginning):
    result = workspace.run("graph", "diff", "features.py", "code", "--format", layout)
    assert result.stdout.startswith(beginning)


def test_diff_of_one_module_in_two_folders(workspace):
    """The two have one name and a neighbour of one name each."""
    for folder, audio in (("old", 1), ("new", 2)):
        workspace.write(f"{folder}/versions.py", f"AUDIO = {audio}")
        source = workspace.write_features(f"{folder}/features.py").read_text()
        bumped = source.replace("code_version=1", "code_version=AUDIO", 1)
        workspace.write(f"{folder}/features.py", f"from versions import AUDIO\n{bumped}")
    arguments = ("old/features.py", "new/features.py", "--format", "json")
    assert changes(workspace.run("graph", "diff", *arguments).stdout) == CHANGES


def test_diff_of_modules_by_name(workspace):
    workspace.write_features("clips/before.py", audio=1)
    workspace.write_features("clips/after.py", audio=2)
    result = workspace.run("graph", "diff", "clips.before", "clips.after", "--format", "json")
    assert changes(result.stdout) == CHANGES


def test_diff_with_the_code_of_another_entrypoint(workspace):
    other = str(workspace.write_features("other.py", audio=2))
    result = workspace.run("graph", "diff", "features.py", "code", "-e", other, "--format", "json")
    assert changes(result.stdout) == CHANGES


def test_what_a_module_prints_does_not_spoil_the_diff(workspace):
    source = workspace.write_features().read_text()
    workspace.write("features.py", f"import os\nprint('noise')\nos.system('echo noise')\n{source}")
    result = workspace.run_process("graph", "diff", "features.py", "--format", "json")
    assert changes(result.stdout) == ALL_UNCHANGED
    assert "noise" in result.stderr


def test_a_file_named_like_a_module_of_python_does_no_harm(workspace):
    workspace.write("json.py", "raise SystemExit('this is not json')")
    result = workspace.run("graph", "diff", "features.py", "--format", "json")
    assert changes(result.stdout) == ALL_UNCHANGED


def test_metadata_that_json_cannot_hold_is_refused(workspace):
    spec = "mx.FeatureSpec(key='a', metadata={'made_by': object()})"
    source = f"import metaxy_core as mx\nclass A(mx.Feature, spec={spec}): pass"
    workspace.write("features.py", source)
    result = workspace.run("graph", "diff", "features.py", "--format", "json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "FeatureSpec 'a': metadata" in result.stderr


def test_diff_names_a_module_that_cannot_be_imported(workspace):
    result = workspace.run("graph", "diff", "nowhere.features")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: Entrypoint 'nowhere.features' (from the command line) cannot be imported: "
        "ModuleNotFoundError: No module named 'nowhere'. Correct it, or its name.\n"
    )


def test_diff_tells_when_a_module_ends_python(workspace):
    workspace.write("broken.py", "import os; os._exit(3)")
    result = workspace.run("graph", "diff", "broken.py")
    assert result.exit_code == 1
    assert "Importing broken.py ended Python with exit code 3" in result.stderr


def test_diff_tells_when_features_contradict_each_other(workspace):
    spec = "mx.FeatureSpec(key='a', deps=['b'])"
    workspace.write(
        "broken.py", f"import metaxy_core as mx\nclass A(mx.Feature, spec={spec}): pass"
    )
    result = workspace.run("graph", "diff", "broken.py")
    assert result.exit_code == 1
    assert "Feature 'a' depends on 'b', which is not in the graph" in result.stderr


# ------------------------------------------------------------------ diff with the store


def test_diff_compares_the_recorded_graph_with_the_code(workspace):
    workspace.run("push")
    workspace.write_features(audio=2)
    result = workspace.run("graph", "diff", "--format", "json")
    assert changes(result.stdout) == CHANGES


def test_diff_compares_the_code_with_the_recorded_graph(workspace):
    workspace.run("push")
    workspace.write_features(audio=2)
    found = json.loads(workspace.run("graph", "diff", "code", "store", "-f", "json").stdout)
    (audio, _) = found["features"][0]["fields"]
    assert audio["reasons"] == ["code version 2 → 1"]


def test_diff_compares_two_recorded_graphs(workspace):
    workspace.run("push")
    workspace.write_features(audio=2)
    workspace.run("push")
    with workspace.open_store() as store:
        first, second = (f"store:{snapshot.version[:6]}" for snapshot in store.snapshots())
    result = workspace.run("graph", "diff", first, second, "--format", "json")
    assert changes(result.stdout) == CHANGES


def test_diff_after_a_push_finds_nothing(workspace):
    workspace.run("push")
    assert changes(workspace.run("graph", "diff", "-f", "json").stdout) == ALL_UNCHANGED


def test_diff_with_an_empty_store_tells_what_to_do(workspace):
    result = workspace.run("graph", "diff")
    assert result.exit_code == 0
    assert "4 added" in result.stdout
    assert "has no graph yet; `metaxy push` records the code's" in result.stderr


def test_diff_names_a_version_that_was_never_recorded(workspace):
    workspace.run("push")
    result = workspace.run("graph", "diff", "store:ffff")
    assert result.exit_code == 1
    assert "no snapshot 'ffff'" in result.stderr


# ------------------------------------------------------------------ exit codes


@pytest.mark.parametrize(("audio", "expected"), [(1, 0), (2, 1)])
def test_exit_code_tells_whether_the_two_differ(workspace, audio, expected):
    workspace.write_features("new.py", audio=audio)
    result = workspace.run("graph", "diff", "features.py", "new.py", "--exit-code")
    assert result.exit_code == expected
    assert result.stdout.startswith("Feature graph")


def test_a_difference_is_no_failure_otherwise(workspace):
    workspace.write_features("new.py", audio=2)
    assert workspace.run("graph", "diff", "features.py", "new.py").exit_code == 0
