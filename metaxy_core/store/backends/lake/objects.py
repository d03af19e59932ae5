"""Heads as objects of a folder or bucket, each put only where none stands yet."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import AlreadyExistsError

from metaxy_core.store.backends.heads.storage import Entry

if TYPE_CHECKING:
    from obstore.store import ObjectStore

FOLDER: Final = "metaxy/heads"


class HeadObjects:
    """The heads of a lake store.

    Args:
        objects: the folder or bucket of the store.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def put(self, number: int, text: str) -> Entry | None:
        """Write a head down, unless one of its number is there."""
        try:
            done = obstore.put(self._objects, _path(number), text.encode(), mode="create")
        except AlreadyExistsError:
            return None
        return Entry(number, done["e_tag"])

    def get(self, number: int) -> str | None:
        """A head; None where it is gone."""
        try:
            found = obstore.get(self._objects, _path(number)).bytes()
        except FileNotFoundError:
            return None
        return bytes(found).decode()

    def after(self, number: int) -> list[Entry]:
        """The heads beyond a number."""
        offset = _path(number) if number >= 0 else None
        found = obstore.list(self._objects, FOLDER, offset=offset).collect()
        entries = [(_number(str(each["path"])), each["e_tag"]) for each in found]
        return [Entry(number, tag) for number, tag in entries if number is not None]

    def delete(self, number: int) -> None:
        """Remove a head."""
        with suppress(FileNotFoundError):
            obstore.delete(self._objects, _path(number))


def _path(number: int) -> str:
    return f"{FOLDER}/{number:020d}.json"


def _number(path: str) -> int | None:
    name = path.removeprefix(f"{FOLDER}/").removesuffix(".json")
    return int(name) if name.isdigit() else None
