"""One log of heads, each written once, says which versions of its tables a lake store is.

A head is an object that is put where none stands yet, so that of several writers one succeeds. A
writer puts a head that says that it has begun, changes tables, and puts one with their versions.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import obstore
from obstore.exceptions import AlreadyExistsError

from metaxy_core.errors import StoreLocked, StoreUnreachable, WriteOvertaken
from metaxy_core.store.backends.lake.owners import has_died, this_process

if TYPE_CHECKING:
    from obstore.store import ObjectStore

Pins = Mapping[str, Mapping[str, Any]]
"""What is known of each table, its version above all."""

FOLDER: Final = "metaxy/heads"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.25
_LOOKS: Final = 20
_CLEAN_EVERY: Final = 25


@dataclass(frozen=True)
class Head:
    """One entry of the log.

    Attributes:
        number: its place in the log.
        kind: whether a writer has begun, or has ended.
        tables: the tables of the store; while a writer is at work, those before its change.
        token: tells it from every other head.
        after: the token of the head before it.
        owner: the process that wrote it.
        until: when a writer that has begun is taken to be gone, in seconds of the epoch.
    """

    number: int
    kind: Literal["begin", "commit"]
    tables: Pins
    after: str
    owner: str
    until: float = 0.0
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def is_held(self) -> bool:
        """Whether a writer is at work that may still be alive."""
        return self.kind == "begin" and time.time() < self.until and not has_died(self.owner)


@dataclass(frozen=True)
class _Entry:
    """A head as it is listed."""

    number: int
    tag: str | None


class Heads:
    """The log of one store.

    Args:
        store: the folder or bucket of the store.
        address: where that is, for messages.
        lease: for how many seconds a writer holds the store without a sign of life.
        keep: how many heads are kept.
    """

    def __init__(
        self, store: ObjectStore, address: str, *, lease: float = 20.0, keep: int = 100
    ) -> None:
        self.lease = lease
        self._store = store
        self.address = address
        self._keep = keep
        self._last: tuple[_Entry, Head] | None = None

    def newest(self) -> Head | None:
        """The newest head; None where there is no store yet.

        Raises:
            StoreUnreachable: heads are removed faster than they can be read.
        """
        for _ in range(_LOOKS):
            listed = self._listed(from_last=True) or self._listed(from_last=False)
            if not listed:
                self._last = None
                return None
            if self._last is not None and self._last[0] == listed[-1]:
                return self._last[1]
            found = self._read(listed[-1].number)
            if found is not None:
                self._last = (listed[-1], found)
                return found
        raise StoreUnreachable(
            f"The store {self.address!r} changes faster than it can be read; try again."
        )

    def begin(self, patience: float) -> Head:
        """Put a head that says that this process is at work; wait for others as long as told.

        Raises:
            StoreLocked: others were at work all the time.
        """
        deadline = time.monotonic() + patience
        pause = _FIRST_PAUSE
        while True:
            head = self.newest()
            if head is None or not head.is_held:
                begun = self.put(self.following(head, "begin", head.tables if head else {}))
                if begun is not None:
                    return begun
            if time.monotonic() >= deadline:
                raise StoreLocked(
                    f"The store {self.address!r} was in use for {patience:g} s. Wait for the "
                    f"process that writes to it, or raise lock_timeout."
                )
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def following(self, head: Head | None, kind: Literal["begin", "commit"], tables: Pins) -> Head:
        """The head that this process would put after another."""
        number, token = (0, "") if head is None else (head.number, head.token)
        until = time.time() + self.lease if kind == "begin" else 0.0
        return Head(number + 1, kind, tables, token, this_process(), until)

    def commit(self, begun: Head, tables: Pins) -> Head:
        """Put the head that ends a change.

        Raises:
            WriteOvertaken: another writer has taken over.
        """
        made = self.put(self.following(begun, "commit", tables))
        if made is None or not self._is_in_line(made):
            raise WriteOvertaken.from_address(self.address)
        if made.number % _CLEAN_EVERY == 0:
            self.clean()
        return made

    def put(self, head: Head) -> Head | None:
        """Put a head, unless one of its number is there; None if so."""
        body = json.dumps(asdict(head)).encode()
        try:
            done = obstore.put(self._store, _path(head.number), body, mode="create")
        except AlreadyExistsError:
            there = self._read(head.number)  # an answer that got lost makes a client try again
            if there is None or there.token != head.token:
                return None
            self._last = None
        else:
            self._last = (_Entry(head.number, done["e_tag"]), head)
        return head

    def clean(self) -> None:
        """Remove all but the last heads, oldest first, so that no gap is ever left."""
        for entry in self._listed(from_last=False)[: -self._keep]:
            with suppress(FileNotFoundError):
                obstore.delete(self._store, _path(entry.number))

    # ------------------------------------------------------------------ details

    def _is_in_line(self, made: Head) -> bool:
        """Whether a head was put behind the last one, and not where old ones were removed."""
        for entry in self._listed_after(made.number):
            following = self._read(entry.number)
            if following is not None:
                return following.number == made.number + 1 and following.after == made.token
        return True

    def _listed(self, *, from_last: bool) -> list[_Entry]:
        """The heads from the last known one on, or all."""
        if not from_last:
            return self._listed_after(-1)
        return [] if self._last is None else self._listed_after(self._last[0].number - 1)

    def _listed_after(self, number: int) -> list[_Entry]:
        offset = _path(number) if number >= 0 else None
        found = obstore.list(self._store, FOLDER, offset=offset).collect()
        entries = [(_number(str(each["path"])), each["e_tag"]) for each in found]
        return sorted(
            (_Entry(number, tag) for number, tag in entries if number is not None),
            key=lambda entry: entry.number,
        )

    def _read(self, number: int) -> Head | None:
        """A head; None where it is gone."""
        try:
            found = obstore.get(self._store, _path(number)).bytes()
        except FileNotFoundError:
            return None
        return Head(**json.loads(bytes(found)))


def _path(number: int) -> str:
    return f"{FOLDER}/{number:020d}.json"


def _number(path: str) -> int | None:
    name = path.removeprefix(f"{FOLDER}/").removesuffix(".json")
    return int(name) if name.isdigit() else None
