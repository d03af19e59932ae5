"""Features of other projects: locked from a store, known without it, and never out of date."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.config.lock import read_lock
from metaxy_core.errors import (
    ConfigUnreadable,
    DuplicateFeature,
    ExternalFeature,
    InvalidSelection,
    InvalidSetting,
    LockMissing,
    LockOutOfDate,
    NotPushed,
    UnknownField,
)

LIBRARY = """
import metaxy_core as mx

class Raw(mx.Feature, spec=mx.FeatureSpec(
    key="library/raw", id_columns=["id"],
    fields=[mx.FieldSpec(key="audio", code_version={raw}), "frames"],
)):
    id: str

class Video(mx.Feature, spec=mx.FeatureSpec(
    key="library/video", id_columns=["id"], deps=[Raw], description={text!r},
    fields=[mx.FieldSpec(key="audio", code_version={video}), "frames"],
)):
    id: str
    path: str

class Other(mx.Feature, spec=mx.FeatureSpec(
    key="other/film", id_columns=["id"], fields=[mx.FieldSpec(key="x", code_version={other})],
)):
    id: str
"""
TALKS = """
import metaxy_core as mx

class Transcript(mx.Feature, spec=mx.FeatureSpec(
    key="talks/transcript", id_columns=["id"], deps=["library/video"],
    fields=[mx.FieldSpec(key="text", deps=[
        mx.FieldDep(feature="library/video", fields=["{field}"]),
    ])],
)):
    id: str
"""
CONFIG = """
project = "{project}"
entrypoints = ["{project}_features.py"]
stores.default.path = "../metadata.duckdb"
{more}
"""


class Projects:
    """Folders with projects that share one store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, project: str, code: str, **externals: list[str]) -> Path:
        """Write a project, and give its metaxy.toml."""
        folder = self.folder / project
        folder.mkdir(exist_ok=True)
        (folder / f"{project}_features.py").write_text(code)
        lines = [f"{name} = {json.dumps(terms)}" for name, terms in externals.items()]
        more = "\n".join(["[externals]", *lines]) if externals else ""
        file = folder / "metaxy.toml"
        file.write_text(CONFIG.format(project=project, more=more))
        return file

    def push(self, project: str) -> mx.FeatureGraph:
        """Run a project's code and push it, as `metaxy push` does."""
        sys.modules.pop(f"{project}_features", None)
        with mx.FeatureGraph().use() as graph:
            config = mx.init(self.folder / project / "metaxy.toml")
            with config.open_store() as store:
                store.push()
        return graph

    def push_library(
        self, *, raw: int = 1, video: int = 1, other: int = 1, text: str = "A video."
    ) -> mx.FeatureGraph:
        """Push the library's features with these code versions."""
        self.write("library", LIBRARY.format(raw=raw, video=video, other=other, text=text))
        return self.push("library")

    def talks(self, *terms: str, field: str = "audio") -> mx.Config:
        """The configuration of `talks`, which reads these features of the library."""
        code = TALKS.format(field=field)
        return mx.Config.load(self.write("talks", code, library=[*(terms or ["library/video"])]))


@pytest.fixture
def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Projects]:
    """No project yet; what is imported is forgotten afterwards."""
    for name in [name for name in os.environ if name.startswith("METAXY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with mx.FeatureGraph().use():
        yield Projects(tmp_path)
    for name in ("library_features", "talks_features", "archive_features"):
        sys.modules.pop(name, None)


def locked(config: mx.Config) -> dict[str, tuple[str, str]]:
    return {k: (f.project, f.version) for k, f in config.read_lock().features.items()}


# ------------------------------------------------------------------ locking


def test_a_lock_holds_the_features_and_everything_upstream(projects):
    library = projects.push_library()
    config = projects.talks("library/video")
    moved = config.update_lock()
    assert moved == ["library/raw was added", "library/video was added"]
    assert locked(config) == {
        key: ("library", library.versions[mx.FeatureKey(key)].feature)
        for key in ("library/raw", "library/video")
    }


@pytest.mark.parametrize("terms", [["library/*"], ["+library/video"], ["* !other/*"]])
def test_externals_are_selections(projects, terms):
    projects.push_library()
    config = projects.talks(*terms)
    config.update_lock()
    assert list(locked(config)) == ["library/raw", "library/video"]


def test_the_lock_file_is_readable_and_stable(projects):
    projects.push_library()
    config = projects.talks()
    config.update_lock()
    text = config.lock_file.read_text()
    content = json.loads(text)
    assert config.lock_file == projects.folder / "talks" / "metaxy.lock"
    assert content["externals"] == {"library": ["library/video"]}
    video = content["features"]["library/video"]
    assert list(video) == ["project", "via", "version", "hash", "snapshot", "definition"]
    assert video["definition"]["spec"]["key"] == "library/video"
    config.lock_file.unlink()
    config.update_lock()
    assert config.lock_file.read_text() == text


def test_a_lock_that_is_up_to_date_stays_as_it_is(projects):
    projects.push_library()
    config = projects.talks()
    config.update_lock()
    text = config.lock_file.read_text()
    projects.push_library(other=2)
    assert config.update_lock() == []
    assert config.lock_file.read_text() == text


def test_a_check_writes_nothing(projects):
    projects.push_library()
    config = projects.talks()
    assert len(config.update_lock(check=True)) == 2
    assert not config.lock_file.exists()


def test_a_lock_with_marks_of_a_merge_is_made_again(projects):
    projects.push_library()
    config = projects.talks()
    config.lock_file.write_text("<<<<<<< HEAD\n")
    assert len(config.update_lock()) == 2
    assert len(config.read_lock().features) == 2


def test_own_features_upstream_of_external_ones_are_not_locked(projects):
    projects.push_library()
    talks = projects.talks()
    talks.update_lock()
    projects.push("talks")
    archive = """
import metaxy_core as mx

class Shelf(mx.Feature, spec=mx.FeatureSpec(
    key="archive/shelf", id_columns=["id"], deps=["talks/transcript"],
)):
    id: str
"""
    file = projects.write("archive", archive, talks=["talks/transcript"])
    mx.Config.load(file).update_lock()
    assert {
        k: (f.project, f.via) for k, f in read_lock(file.parent / "metaxy.lock").features.items()
    } == {
        "library/raw": ("library", "talks"),
        "library/video": ("library", "talks"),
        "talks/transcript": ("talks", "talks"),
    }
    projects.push("archive")
    library = mx.Config.load(projects.write("library", "", archive=["archive/shelf"]))
    library.update_lock()
    assert list(locked(library)) == ["archive/shelf", "talks/transcript"]


# ------------------------------------------------------------------ locking that is refused


def test_a_project_that_never_pushed_is_told_to(projects):
    with pytest.raises(NotPushed, match="run `metaxy push` in 'library', then `metaxy lock` here"):
        projects.talks().update_lock()


def test_a_wrong_project_names_the_nearest(projects):
    projects.push_library()
    config = mx.Config.load(projects.write("talks", "", libary=["library/video"]))
    with pytest.raises(NotPushed, match="did you mean 'library'"):
        config.update_lock()


@pytest.mark.parametrize("term", ["library/vidoe", "libary/video*"])
def test_a_term_that_the_project_has_nothing_for_names_the_nearest(projects, term):
    projects.push_library()
    with pytest.raises(InvalidSelection) as caught:
        projects.talks("library/raw", term).update_lock()
    assert f"names {term!r} of project 'library'" in str(caught.value)
    assert "did you mean 'library/video'" in str(caught.value)


def test_a_project_is_not_external_to_itself(projects):
    config = mx.Config.load(projects.write("talks", "", talks=["a"]))
    with pytest.raises(InvalidSetting, match="'externals.talks' .* names the project itself"):
        config.update_lock()


@pytest.mark.parametrize("externals", ["library = 'a'", "library = [1]", "'' = ['a']", "x = {}"])
def test_externals_of_the_wrong_kind_are_refused(projects, externals):
    file = projects.folder / "metaxy.toml"
    file.write_text(f"[externals]\n{externals}")
    with pytest.raises(InvalidSetting, match="externals"):
        mx.Config.load(file)


# ------------------------------------------------------------------ using the lock


def test_external_features_are_known_without_a_store(projects):
    library = projects.push_library()
    projects.talks().update_lock()
    (projects.folder / "metadata.duckdb").unlink()
    graph = mx.FeatureGraph.active()
    mx.init(projects.folder / "talks" / "metaxy.toml")
    key = mx.FeatureKey("library/video")
    assert (graph[key].project, graph[key].external) == ("library", True)
    assert graph.versions[key] == library.versions[key]
    assert (graph.project, [str(d.key) for d in graph.own]) == ("talks", ["talks/transcript"])


def test_code_is_checked_against_external_features(projects):
    projects.push_library()
    projects.talks(field="odio").update_lock()
    with pytest.raises(UnknownField, match="'library/video', which has no such field"):
        mx.init(projects.folder / "talks" / "metaxy.toml")


def test_code_may_not_define_an_external_feature(projects):
    projects.push_library()
    projects.talks().update_lock()
    code = LIBRARY.format(raw=1, video=1, other=1, text="")
    (projects.folder / "talks" / "talks_features.py").write_text(code)
    with pytest.raises(DuplicateFeature, match="by project 'library' and by project 'talks'"):
        mx.init(projects.folder / "talks" / "metaxy.toml")


def test_init_may_be_called_again(projects):
    projects.push_library()
    projects.talks().update_lock()
    for _ in range(2):
        mx.init(projects.folder / "talks" / "metaxy.toml")
    assert len(mx.FeatureGraph.active()) == 3


def test_features_that_were_imported_before_init_get_the_project(projects):
    file = projects.write("library", LIBRARY.format(raw=1, video=1, other=1, text=""))
    sys.path.insert(0, str(file.parent))
    __import__("library_features")
    assert mx.FeatureGraph.active()["library/raw"].project == ""
    mx.init(file)
    assert mx.FeatureGraph.active()["library/raw"].project == "library"


def test_records_of_external_features_reach_own_ones(projects):
    with projects.push_library().use():
        samples = pl.DataFrame(
            {"id": ["v1"], "metaxy_provenance_by_field": [{"audio": "a", "frames": "f"}]}
        )
        with mx.Config.load(projects.folder / "library" / "metaxy.toml").open_store() as store:
            store.write("library/raw", samples)
            raw = store.resolve_update("library/video").new
            store.write("library/video", raw.with_columns(path=pl.lit("v1.mp4")))
    projects.talks().update_lock()
    config = mx.init(projects.folder / "talks" / "metaxy.toml")
    with config.open_store() as store:
        increment = store.resolve_update("talks/transcript")
        assert increment.new["path"].to_list() == ["v1.mp4"]
        with pytest.raises(ExternalFeature, match="belongs to project 'library'"):
            store.write("library/video", increment.new)


# ------------------------------------------------------------------ out of date


def test_a_store_opens_while_the_lock_is_up_to_date(projects):
    projects.push_library()
    config = projects.talks()
    config.update_lock()
    with config.open_store() as store:
        assert store.snapshots("talks") == ()


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        ({"video": 2}, ["library/video moved from "]),
        ({"raw": 2}, ["library/raw moved from ", "library/video moved from "]),
        ({"text": "Another text."}, ["library/video is defined differently"]),
    ],
)
def test_a_store_does_not_open_once_an_external_feature_moved(projects, moved, said):
    projects.push_library()
    config = projects.talks()
    config.update_lock()
    projects.push_library(**moved)
    with pytest.raises(LockOutOfDate) as caught:
        config.open_store()
    assert [words for words in said if words not in str(caught.value)] == []
    assert "Run `metaxy lock`" in str(caught.value)
    found = config.update_lock()
    assert [words[: len(expected)] for words, expected in zip(found, said, strict=True)] == said
    config.open_store().close()


def test_a_store_does_not_open_once_an_external_feature_is_gone(projects):
    projects.push_library()
    config = projects.talks("other/film")
    config.update_lock()
    projects.write("library", LIBRARY.format(raw=1, video=1, other=1, text="").split("class O")[0])
    projects.push("library")
    with pytest.raises(LockOutOfDate, match="other/film was removed"):
        config.open_store()


def test_what_nobody_reads_may_move(projects):
    projects.push_library()
    config = projects.talks()
    config.update_lock()
    projects.push_library(other=2)
    config.open_store().close()


def test_a_store_without_the_other_project_is_not_compared(projects):
    projects.push_library()
    config = projects.talks()
    config.update_lock()
    (projects.folder / "metadata.duckdb").unlink()
    with mx.DuckDBMetadataStore(projects.folder / "metadata.duckdb") as store:
        store.push(mx.FeatureGraph(project="talks"))
    config.open_store().close()


def test_a_missing_lock_names_the_command(projects):
    config = projects.talks()
    for call in (config.open_store, config.import_entrypoints):
        with pytest.raises(LockMissing, match="run `metaxy lock`"):
            call()


def test_a_lock_for_other_externals_is_out_of_date(projects):
    projects.push_library()
    projects.talks().update_lock()
    config = projects.talks("library/*")
    with pytest.raises(LockOutOfDate, match="it was made for other"):
        config.import_entrypoints()
    assert config.update_lock() == ["[externals] changed"]
    assert config.update_lock() == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1, "externals": {}, "features": {"a": {}}}'],
)
def test_a_lock_that_cannot_be_read_is_to_be_made_again(projects, text):
    config = projects.talks()
    config.lock_file.write_text(text)
    with pytest.raises(ConfigUnreadable, match="make it again with `metaxy lock`"):
        config.read_lock()
