"""A folder with the README's features and a store, and the command to run there."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import metaxy_core as mx
from metaxy_core.cli.app import app

SOURCE = Path(__file__).parents[1] / "readme_features.py.txt"
CONFIG = 'entrypoints = ["features.py"]\n\n[stores.default]\npath = "metadata.duckdb"\n'

Fill = Callable[[mx.MetadataStore, dict[str, Any]], None]
_filled: dict[Fill, bytes] = {}


class Workspace:
    """A project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    def write_features(self, name: str = "features.py", *, audio: int = 1) -> Path:
        """Write the README's features, with a code version for Video.audio."""
        source = SOURCE.read_text("utf-8")
        return self.write(name, source.replace("code_version=1", f"code_version={audio}", 1))

    def run(self, *arguments: str, answer: str | None = None) -> Any:
        """The command in this process; the modules it imports are forgotten afterwards."""
        path, modules = list(sys.path), set(sys.modules)
        try:
            return CliRunner().invoke(app, arguments, input=answer)
        finally:
            sys.path[:] = path
            for name in set(sys.modules) - modules:
                if str(getattr(sys.modules[name], "__file__", "")).startswith(str(self.folder)):
                    del sys.modules[name]

    def run_process(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """The command as a user starts it."""
        return subprocess.run(
            [Path(sys.executable).parent / "metaxy", *arguments],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def fill(self, fill: Fill) -> None:
        """Write to the empty store with the features at hand, or copy what a test before got so."""
        file = self.folder / "metadata.duckdb"
        if fill not in _filled:
            with mx.FeatureGraph().use(), self.open_store() as store:
                fill(store, runpy.run_path(str(self.folder / "features.py")))
            _filled[fill] = file.read_bytes()
        file.write_bytes(_filled[fill])

    def count(self, feature: str) -> int:
        """How many records of a feature are stored."""
        with mx.FeatureGraph().use(), self.open_store() as store:
            runpy.run_path(str(self.folder / "features.py"))
            return store.count(feature)

    def open_store(self) -> mx.MetadataStore:
        """The project's store."""
        return mx.DuckDBMetadataStore(self.folder / "metadata.duckdb")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The README's project, with the current folder in it and no METAXY_* variables."""
    for name in [name for name in os.environ if name.startswith("METAXY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    project = Workspace(tmp_path)
    project.write("metaxy.toml", CONFIG)
    project.write_features()
    with mx.FeatureGraph().use():
        yield project


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    """Five videos are stored, the id of one with a code for terminals, and their crops."""
    workspace.fill(videos_and_crops)
    return workspace


def videos_and_crops(store: mx.MetadataStore, features: dict[str, Any]) -> None:
    ids = ["v0", "v1", "v2", "v3", "v\x1b[31m4"]
    samples = pl.DataFrame(
        {
            "sample_uid": ids,
            "frames": range(5),
            "duration": [float(number) for number in range(5)],
            "size": range(5),
            "metaxy_provenance_by_field": [{"audio": f"a{i}", "frames": f"f{i}"} for i in ids],
        }
    )
    video, crop = features["Video"], features["Crop"]
    store.write(video, store.resolve_update(video, samples).new, materialization_id="run-1")
    store.write(crop, store.resolve_update(crop).new)
