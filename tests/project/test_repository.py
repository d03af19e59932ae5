"""Promises about the repository itself: small files, cheap imports, nothing of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("metaxy_core", "metaxy_dagster", "example_project")
LONGEST = 400

# Written in parts, so that this file does not find itself.
FOREIGN = {
    "a path of one machine": re.compile(r"(?<![\w.:/])/(?:work|root|home|Users)/" + r"\w"),
    "the address of a package registry": re.compile(
        r"pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org"
        r"|--(?:extra-)?index-" + "url|--find-" + "links"
    ),
}


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def tracked_files() -> list[Path]:
    """Files that are or would be committed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    files = (ROOT / name for name in listed.split("\0") if name)
    return [path for path in files if path.is_file() and path != Path(__file__)]


def lines_with(pattern: re.Pattern[str]) -> Iterator[str]:
    for path in tracked_files():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"


def imported_names(path: Path) -> Iterator[str]:
    """Dotted names that a module imports, with what it takes from each."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in modules()
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize("what", FOREIGN)
def test_no_file_holds(what: str) -> None:
    assert list(lines_with(FOREIGN[what])) == []


def test_only_public_modules_of_dagster_are_imported() -> None:
    private = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules()
        for name in imported_names(path)
        if name.split(".")[0].startswith("dagster")
        and any(part.startswith("_") and not part.startswith("__") for part in name.split("."))
    ]
    assert private == []


def test_importing_the_core_loads_no_data_library() -> None:
    heavy = ("dagster", "duckdb", "ibis", "narwhals", "numpy", "pandas", "polars", "pyarrow")
    code = f"import sys, metaxy_core; print(*sorted(set({heavy!r}) & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert loaded.split() == []
