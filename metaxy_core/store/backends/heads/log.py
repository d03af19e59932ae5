"""One log of heads, each written once, says which versions of its tables a store is.

A head is put where none stands yet, so that of several writers one succeeds. A writer puts a head
that says that it has begun, changes tables, and puts one with their versions.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from metaxy_core.errors import StoreLocked, StoreUnreachable, WriteOvertaken
from metaxy_core.store.backends.heads.owners import has_died, this_process
from metaxy_core.store.backends.heads.storage import Entry, HeadStorage

Pins = Mapping[str, Mapping[str, Any]]
"""What is known of each table, its version above all."""

Begun = Callable[[int, Pins], Pins]
"""The tables that a writer begins with, from the number of its head and the tables before it."""

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


class Heads:
    """The log of one store.

    Args:
        storage: where the heads are.
        address: where the store is, for messages.
        lease: for how many seconds a writer holds the store without a sign of life.
        keep: how many heads are kept.
        begun: given where the number of a writer's first head names what it writes. No number is
            begun with twice then, whatever heads were removed in the meantime.
    """

    def __init__(
        self,
        storage: HeadStorage,
        address: str,
        *,
        lease: float = 20.0,
        keep: int = 100,
        begun: Begun | None = None,
    ) -> None:
        self.lease = lease
        self._storage = storage
        self.address = address
        self._keep = keep
        self._begun = begun
        self._last: tuple[Entry, Head] | None = None

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
                begun = self._put_beginning(head)
                if begun is not None:
                    return begun
            if time.monotonic() >= deadline:
                raise StoreLocked(
                    f"The store {self.address!r} was in use for {patience:g} s. Wait for the "
                    f"process that writes to it, or raise lock_timeout."
                )
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _put_beginning(self, head: Head | None) -> Head | None:
        tables = {} if head is None else head.tables
        if self._begun is None:
            return self.put(self.following(head, "begin", tables))
        number = 1 if head is None else head.number + 1
        begun = self.put(self.following(head, "begin", self._begun(number, tables)))
        return begun if begun is not None and self._is_in_line(begun) else None

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
        try:
            done = self._storage.put(head.number, json.dumps(asdict(head)))
        except Exception:
            if not self._is_there(head):
                raise
            done = None
        if done is None and not self._is_there(head):
            return None
        self._last = None if done is None else (done, head)
        return head

    def clean(self) -> None:
        """Remove all but the last heads, oldest first, so that no gap is ever left."""
        for entry in self._listed(from_last=False)[: -self._keep]:
            self._storage.delete(entry.number)

    # ------------------------------------------------------------------ details

    def _is_there(self, head: Head) -> bool:
        """Whether a head was put, and only the answer got lost; a client may have tried again."""
        with suppress(Exception):
            there = self._read(head.number)
            return there is not None and there.token == head.token
        return False

    def _is_in_line(self, made: Head) -> bool:
        """Whether a head was put behind the last one, and not where old ones were removed."""
        for entry in self._listed_after(made.number):
            following = self._read(entry.number)
            if following is not None:
                return following.number == made.number + 1 and following.after == made.token
        return True

    def _listed(self, *, from_last: bool) -> list[Entry]:
        """The heads from the last known one on, or all."""
        if not from_last:
            return self._listed_after(-1)
        return [] if self._last is None else self._listed_after(self._last[0].number - 1)

    def _listed_after(self, number: int) -> list[Entry]:
        return sorted(self._storage.after(number), key=lambda entry: entry.number)

    def _read(self, number: int) -> Head | None:
        """A head; None where it is gone."""
        found = self._storage.get(number)
        return None if found is None else Head(**json.loads(found))
