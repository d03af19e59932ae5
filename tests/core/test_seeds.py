"""The code of the reference's README and slides runs as it stands there, imports apart."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import metaxy_core as mx

SEEDS = Path(__file__).parent / "seeds"
_BLOCK = re.compile(r"^```py[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(name: str) -> list[str]:
    """The Python blocks of a page."""
    return _BLOCK.findall((SEEDS / name).read_text())


def run(code: str, namespace: dict[str, Any]) -> None:
    exec(compile(code, "seed", "exec"), namespace)


def release(audio: int = 1) -> tuple[mx.FeatureGraph, dict[str, type[mx.Feature]]]:
    """The README's features in a graph of their own, with a code version of ``Video.audio``."""
    (code,) = blocks("readme.md")
    bumped = code.replace("code_version=1", f"code_version={audio}", 1)
    namespace: dict[str, Any] = {"__name__": "readme"}
    with mx.FeatureGraph().use() as graph:
        run(bumped, namespace)
    return graph, {str(definition.key): found(namespace, definition.key) for definition in graph}


def found(namespace: dict[str, Any], key: mx.FeatureKey) -> type[mx.Feature]:
    classes = [item for item in namespace.values() if isinstance(item, type)]
    return next(item for item in classes if hasattr(item, "spec") and item.spec.key == key)


def videos(**versions: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "sample_uid": list(versions),
            "frames": 250,
            "duration": 10.0,
            "size": 4096,
            "metaxy_provenance_by_field": [
                {"audio": audio, "frames": frames} for audio, frames in versions.values()
            ],
        }
    )


def heights(diff: mx.Increment) -> tuple[int, int, int]:
    return diff.added.height, diff.changed.height, diff.removed.height


# --------------------------------------------------------------------------- README


def test_the_readme_s_features_are_wired_as_its_diagram_shows() -> None:
    graph, features = release()
    wiring = {
        f"{key}.{field.key}": sorted(map(str, field.reads))
        for key in features
        for field in graph.plan(key).fields
    }
    assert wiring == {
        "example/video.audio": [],
        "example/video.frames": [],
        "example/crop.audio": ["example/video.audio"],
        "example/crop.frames": ["example/video.frames"],
        "example/face_detection.detections": ["example/crop.frames"],
        "overview/stt.transcription": ["example/video.audio"],
    }


def test_the_readme_s_video_is_a_root_with_three_columns() -> None:
    graph, features = release()
    video = graph["example/video"]
    assert video.spec.is_root
    assert video.spec.id_columns == ("sample_uid",)
    assert [(column.name, column.type) for column in video.columns] == [
        ("frames", "int"),
        ("duration", "float"),
        ("size", "int"),
    ]
    assert video.description == "Video metadata feature (root)."
    assert [field.code_version for field in video.spec.fields] == ["1", "1"]
    assert features["example/video"].spec is video.spec


def test_the_readme_s_bump_of_audio_moves_what_its_diff_shows_and_face_detection_stays() -> None:
    (before, _), (after, _) = release(audio=1), release(audio=2)
    moved = {
        str(key): sorted(
            str(field)
            for field, version in versions.fields.items()
            if after.versions[key].fields[field] != version
        )
        for key, versions in before.versions.features.items()
    }
    assert moved == {
        "example/video": ["audio"],
        "example/crop": ["audio"],
        "example/face_detection": [],
        "overview/stt": ["transcription"],
    }
    unchanged = [
        str(key) for key, versions in before.versions.features.items()
        if after.versions[key].feature == versions.feature
    ]  # fmt: skip
    assert unchanged == ["example/face_detection"]


def test_the_readme_s_pipeline_runs_on_a_store_and_recomputes_only_what_audio_reaches() -> None:
    samples = videos(v1=("a1", "f1"), v2=("a2", "f2"), v3=("a3", "f3"))
    _, features = release()
    below = [name for name in features if name != "example/video"]
    with mx.DuckDBMetadataStore(":memory:") as store:

        def work(features: dict[str, type[mx.Feature]], samples: pl.DataFrame) -> dict[str, Any]:
            done = {}
            for name in ("example/video", *below):
                given = samples if name == "example/video" else None
                diff = store.resolve_update(features[name], samples=given)
                done[name] = heights(diff)
                for rows in (diff.added, diff.changed):
                    store.write_metadata(features[name], rows)
                if diff.removed.height:
                    store.delete(features[name], diff.removed)
            return done

        assert work(features, samples) == dict.fromkeys(features, (3, 0, 0))
        assert work(features, samples) == dict.fromkeys(features, (0, 0, 0))

        _, bumped = release(audio=2)
        assert work(bumped, samples) == {
            "example/video": (0, 3, 0),
            "example/crop": (0, 3, 0),
            "example/face_detection": (0, 0, 0),
            "overview/stt": (0, 3, 0),
        }

        recut = videos(v1=("a1", "f1"), v2=("a2", "NEW"), v4=("a4", "f4"))
        assert work(bumped, recut) == {
            "example/video": (1, 1, 1),
            "example/crop": (1, 1, 1),
            "example/face_detection": (1, 1, 1),
            "overview/stt": (1, 0, 1),
        }


# --------------------------------------------------------------------------- slides


@pytest.fixture
def my_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graph: mx.FeatureGraph
) -> Iterator[Path]:
    """A project as the slides suppose it: ``my_project.features``, named in metaxy.toml."""
    (features,) = blocks("readme.md")
    (tmp_path / "my_project").mkdir()
    (tmp_path / "my_project" / "features.py").write_text(features)
    (tmp_path / "metaxy.toml").write_text('entrypoints = ["my_project.features"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "my_project"]:
        del sys.modules[name]


def test_the_slides_three_steps_run_and_the_next_run_skips_what_is_done(my_project: Path) -> None:
    jobs = []

    def run_face_detection(diff: mx.Increment) -> pl.DataFrame:
        jobs.append(heights(diff))
        return pl.concat([diff.added, diff.changed], how="diagonal").with_columns(faces=pl.lit(1))

    namespace: dict[str, Any] = {"run_face_detection": run_face_detection}
    definitions, resolve, record = blocks("slides.md")
    run(definitions, namespace)
    with mx.DuckDBMetadataStore("metadata.duckdb") as store:
        store.write_metadata("example/video", videos(v1=("a", "f"), v2=("a", "f")))
        store.write_metadata("example/crop", store.resolve_update("example/crop").added)

    for step in (resolve, record, record, resolve):
        run(step, namespace)

    assert jobs == [(2, 0, 0), (2, 0, 0)]
    assert (my_project / "metadata.duckdb").exists()
    with mx.DuckDBMetadataStore("metadata.duckdb", read_only=True) as store:
        stored = store.read("example/face_detection", columns=["sample_uid", "faces"]).to_polars()
    assert sorted(stored.rows()) == [("v1", 1), ("v2", 1)]


def test_the_slides_diff_brings_changed_samples_back(my_project: Path) -> None:
    jobs = []

    def run_face_detection(diff: mx.Increment) -> pl.DataFrame:
        jobs.append((sorted(diff.added["sample_uid"]), sorted(diff.changed["sample_uid"])))
        return pl.concat([diff.added, diff.changed], how="diagonal")

    namespace: dict[str, Any] = {"run_face_detection": run_face_detection}
    definitions, _, record = blocks("slides.md")
    run(definitions, namespace)
    for samples in (
        videos(v1=("a", "f"), v2=("a", "f")),
        videos(v1=("A", "f"), v2=("a", "F"), v3=("a", "f")),
    ):
        with mx.DuckDBMetadataStore("metadata.duckdb") as store:
            store.write_metadata("example/video", samples)
            for rows in (lambda diff: diff.added, lambda diff: diff.changed):
                store.write_metadata("example/crop", rows(store.resolve_update("example/crop")))
        run(record, namespace)

    assert jobs == [(["v1", "v2"], []), (["v3"], ["v2"])]


def test_the_slides_init_loads_what_metaxy_toml_names(
    my_project: Path, graph: mx.FeatureGraph
) -> None:
    assert len(graph) == 0
    mx.init()
    assert [str(definition.key) for definition in graph] == [
        "example/video",
        "example/crop",
        "overview/stt",
        "example/face_detection",
    ]
