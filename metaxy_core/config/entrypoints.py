"""Entrypoints are the modules that define features; importing them registers these."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from metaxy_core.errors import EntrypointFailed, MetaxyError


def import_entrypoints(entrypoints: Sequence[str], root: Path, named_by: str) -> None:
    """Import modules and .py files that define features.

    Args:
        entrypoints: module names, or .py files relative to ``root``.
        root: a folder that is put on ``sys.path``.
        named_by: who names them, for messages.

    Raises:
        EntrypointFailed: one of them cannot be imported.
        DefinitionError: a feature in them contradicts the graph.
    """
    put_on_path(root)
    for entrypoint in entrypoints:
        try:
            if is_file(entrypoint):
                _import_file((root / entrypoint).resolve())
            else:
                importlib.import_module(entrypoint)
        except MetaxyError:
            raise
        except Exception as error:
            raise EntrypointFailed(
                f"Entrypoint {entrypoint!r} (from {named_by}) cannot be imported: "
                f"{type(error).__name__}: {error}{_line_of(error)}. Correct it, or its name."
            ) from error


def is_file(entrypoint: str) -> bool:
    """Whether an entrypoint is a file and not a module."""
    return entrypoint.endswith(".py") or "/" in entrypoint or os.sep in entrypoint


def put_on_path(folder: Path) -> None:
    """Let modules in a folder be imported."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _import_file(file: Path) -> None:
    """Import a file under the name by which other modules import it, as a script's folder does."""
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {str(file)!r}")
    base = file.parent
    while (base / "__init__.py").is_file():
        base = base.parent
    put_on_path(base)
    parts = file.relative_to(base).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    if _is_importable_as(name, file):
        importlib.import_module(name)
    else:
        _import_alone(file)


def _is_importable_as(name: str, file: Path) -> bool:
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    if name in sys.modules:
        found = getattr(sys.modules[name], "__file__", None)
    else:
        spec = importlib.util.find_spec(name)
        found = None if spec is None else spec.origin
    return found is not None and Path(found).resolve() == file


def _import_alone(file: Path) -> None:
    """Import a file whose own name is taken by another module."""
    name = f"metaxy_entrypoint_{hashlib.sha256(bytes(file)).hexdigest()[:12]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{str(file)!r} is no Python file")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _line_of(error: Exception) -> str:
    """The line of the user's code that raised an error, where there is one."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = (__file__, importlib.__file__)
    own = [f for f in frames if f.filename not in ours and not f.filename.startswith("<frozen")]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
