"""Every Python block of the README and the documentation runs, page by page, as a reader would."""

from __future__ import annotations

import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import metaxy_core as mx

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^(?P<indent>[ ]*)```python\b[^\n]*\n(?P<code>.*?)^(?P=indent)```[ ]*$",
    re.DOTALL | re.MULTILINE,
)
OUTPUT = "#> "


@dataclass(frozen=True)
class Example:
    """One block, and the line of the page on which its code begins."""

    code: str
    line: int

    @property
    def promised(self) -> list[str]:
        """What the block says it prints, in comments that begin with ``#>``."""
        lines = (line.strip() for line in self.code.splitlines())
        return [line.removeprefix(OUTPUT) for line in lines if line.startswith(OUTPUT)]


def examples(page: str) -> list[Example]:
    return [
        Example(textwrap.dedent(found["code"]), page.count("\n", 0, found.start("code")) + 1)
        for found in BLOCK.finditer(page)
    ]


def run(example: Example, page: Path, namespace: dict[str, object]) -> None:
    """Run a block so that a traceback points at its line of the page."""
    shifted = "\n" * (example.line - 1) + example.code
    exec(compile(shifted, str(page), "exec", dont_inherit=True), namespace)


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES]
)
def test_the_examples_of_a_page_run(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = ModuleType("docs_example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    with mx.FeatureGraph().use():
        for example in examples(page.read_text("utf-8")):
            run(example, page, vars(module))
            printed = capsys.readouterr().out.splitlines()
            if example.promised:
                assert printed == example.promised, f"{page.name}, line {example.line}"


def test_blocks_are_found_with_their_line() -> None:
    page = "# Title\n\n```python\na = 1\n```\n\n- item\n\n    ```python\n    b = 2\n    ```\n"
    assert examples(page) == [Example("a = 1\n", 4), Example("b = 2\n", 10)]


def test_blocks_of_other_languages_are_left_alone() -> None:
    assert examples("```text\nno code\n```\n```toml\na = 1\n```\n") == []
