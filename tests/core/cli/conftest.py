"""A folder with the README's features and a store, and the command to run there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import metaxy_core as mx
from metaxy_core.cli.app import app

SOURCE = Path(__file__).parents[1] / "readme_features.py.txt"
CONFIG = 'entrypoints = ["features.py"]\n\n[stores.default]\npath = "metadata.duckdb"\n'


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
