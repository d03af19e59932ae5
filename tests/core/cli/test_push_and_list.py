"""`metaxy push` and `metaxy list`."""

from __future__ import annotations


def test_push_records_the_graph(workspace):
    result = workspace.run("push")
    with workspace.open_store() as store:
        (snapshot,) = store.snapshots()
    assert result.exit_code == 0
    assert result.stdout == (
        f"Recorded snapshot 1, version {snapshot.version}, with 4 features, "
        f"in {workspace.folder / 'metadata.duckdb'}.\n"
    )


def test_push_says_when_there_is_nothing_to_record(workspace):
    workspace.run("push")
    assert workspace.run("push").stdout.startswith("Nothing changed since snapshot 1, ")


def test_push_records_what_was_bumped(workspace):
    workspace.run("push")
    workspace.write_features(audio=2)
    assert workspace.run("push").stdout.startswith("Recorded snapshot 2, ")


def test_push_takes_another_store(workspace):
    workspace.write("metaxy.toml", 'entrypoints=["features.py"]\n[stores.b]\npath="b.duckdb"')
    assert workspace.run("push", "--store", "b").exit_code == 0
    assert (workspace.folder / "b.duckdb").exists()


def test_list_shows_each_feature_with_its_fields_deps_and_place(workspace):
    result = workspace.run("list")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["feature", "version", "fields", "deps", "defined", "in"]
    without_versions = [[row[0], *row[2:]] for row in rows[1:]]
    assert without_versions == [
        ["example/video", "audio,", "frames", "features:Video"],
        ["example/crop", "audio,", "frames", "example/video", "features:Crop"],
        ["overview/stt", "transcription", "example/video", "features:SpeechToText"],
        ["example/face_detection", "detections", "example/crop", "features:FaceDetection"],
    ]


def test_list_needs_no_store(workspace):
    workspace.write("metaxy.toml", 'entrypoints=["features.py"]')
    assert workspace.run("list").exit_code == 0
