"""Texts that stand in files, and are compared with what a test finds.

``METAXY_WRITE_STATEMENTS=1`` writes the files anew.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

WRITE: Final = "METAXY_WRITE_STATEMENTS"


def check(found: Mapping[str, str], kind: str) -> None:
    """Compare texts, by name, with the files of a kind."""
    folder = files(kind)
    if os.environ.get(WRITE):
        folder.mkdir(exist_ok=True)
        for name, text in found.items():
            (folder / f"{name}.{kind}").write_text(text, "utf-8")
    stored = {file.stem: file.read_text("utf-8") for file in folder.iterdir()}
    assert found == stored, f"review, and write them anew with {WRITE}=1"


def files(kind: str) -> Path:
    """The folder of the files of a kind, each of which is named after it."""
    return Path(__file__).with_name(kind)
