"""A copy of a store's files, to be put back over what they are then."""

from __future__ import annotations

import shutil
from pathlib import Path


class Backup:
    """What stands in a folder now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copy = folder.with_name(f"{folder.name}-backup")
        shutil.copytree(folder, self._copy)

    def put_back(self) -> None:
        """Make the folder what it was."""
        for each in self._folder.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        shutil.copytree(self._copy, self._folder, dirs_exist_ok=True)
