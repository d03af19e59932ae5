"""Each side of a comparison is loaded by a Python of its own, so that their names do not meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaxy_core.cli.project import Source
from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import EntrypointFailed, MetaxyError
from metaxy_core.graph.graph import FeatureGraph

if TYPE_CHECKING:
    from metaxy_core.config import Config


def load_isolated(source: Source, config: Config) -> FeatureGraph:
    """The features that a source defines, without importing it here.

    Args:
        source: where they are defined.
        config: the configuration of the project that they are compared for.

    Raises:
        LockMissing: the project has external features, but they were never locked.
        EntrypointFailed: it cannot be imported, or its features contradict each other.
    """
    request = json.dumps(
        {
            "entrypoints": source.entrypoints,
            "root": str(source.root),
            "named_by": source.named_by,
            "path": str(config.root),
            "project": config.project,
            "externals": [_dumped(item) for item in config.read_lock().definitions],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "definitions.json"
        command = [sys.executable, "-P", "-m", __name__, request, str(answer)]
        done = subprocess.run(command, check=False)  # noqa: S603 - our own module
        if not answer.is_file():
            raise EntrypointFailed(
                f"Importing {', '.join(source.entrypoints)} ended Python with exit code "
                f"{done.returncode}; import it by hand to see why."
            )
        found = json.loads(answer.read_text("utf-8"))
    if "error" in found:
        raise EntrypointFailed(found["error"])
    definitions = (FeatureDefinition.model_validate(item) for item in found["definitions"])
    return FeatureGraph(definitions, project=config.project)


def _definitions(request: dict[str, Any]) -> dict[str, Any]:
    from metaxy_core.config import import_entrypoints, put_on_path

    put_on_path(Path(request["path"]))
    try:
        externals = map(FeatureDefinition.model_validate, request["externals"])
        with FeatureGraph(externals, project=request["project"]).use() as graph:
            import_entrypoints(request["entrypoints"], Path(request["root"]), request["named_by"])
        return {"definitions": [_dumped(item) for item in graph]}
    except MetaxyError as error:
        return {"error": str(error)}


def _dumped(definition: FeatureDefinition) -> dict[str, Any]:
    # Free metadata belongs to no version, and need not be JSON.
    return definition.model_dump(mode="json", exclude={"spec": {"metadata"}})


def _answer() -> None:
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what modules print is no answer
    request, answer = sys.argv[1:]
    Path(answer).write_text(json.dumps(_definitions(json.loads(request))), "utf-8")


if __name__ == "__main__":
    _answer()
