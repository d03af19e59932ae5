"""A writer's turn: as long as it lasts, signs of life keep others from taking over."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from metaxy_core.errors import WriteOvertaken
from metaxy_core.store.backends.heads.log import Head, Heads, Pins


class Turn:
    """The time between a head that says that a writer has begun and the one that ends it.

    A turn that is left without ``commit`` ends with the tables as they were.

    Args:
        heads: the log.
        patience: how many seconds to wait for others.

    Attributes:
        number: of the head that says that it has begun.
        otherwise: the tables with which it ends without ``commit``.

    Raises:
        StoreLocked: others were at work all the time.
    """

    def __init__(self, heads: Heads, patience: float) -> None:
        self._heads = heads
        self._head = heads.begin(patience)
        self.number = self._head.number
        self.otherwise = self._head.tables
        self._is_over = False
        self._is_lost = False
        self._changing = threading.Lock()
        self._ended = threading.Event()
        self._signs = threading.Thread(target=self._give_signs, daemon=True)

    @property
    def tables(self) -> Pins:
        """The tables as the turn found them."""
        return self._head.tables

    def commit(self, tables: Pins) -> Head:
        """Make a change visible.

        Raises:
            WriteOvertaken: another writer has taken over; the change was not made.
        """
        with self._changing:
            self._is_over = True
            return self._heads.commit(self._head, tables)

    def extend(self) -> None:
        """Tell others that this writer is alive.

        Raises:
            WriteOvertaken: another writer has taken over.
        """
        with self._changing:
            if self._is_over:
                return
            longer = self._heads.put(self._heads.following(self._head, "begin", self.tables))
            self._is_lost = longer is None
            if longer is None:
                raise WriteOvertaken.from_address(self._heads.address)
            self._head = longer

    def __enter__(self) -> Self:
        self._signs.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if not self._is_over and not self._is_lost:
            with suppress(Exception):  # else others wait until the lease lapses
                self.commit(self.otherwise)

    def _give_signs(self) -> None:
        while not self._ended.wait(self._heads.lease / 3):
            try:
                self.extend()
            except WriteOvertaken:
                return
            except Exception:  # noqa: BLE001, S112 - the next sign may get through
                continue
