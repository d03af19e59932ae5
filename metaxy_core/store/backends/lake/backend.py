"""A store whose tables stand in a lake format, and whose queries are computed in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from metaxy_core.errors import ReadOnlyStore, StoreUnreachable
from metaxy_core.store.backends.addresses import checked_timeout
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.duckdb_memory import DuckDBMemory
from metaxy_core.store.backends.duckdb_session import CATALOG
from metaxy_core.store.backends.heads.log import Heads
from metaxy_core.store.backends.heads.turns import Turn
from metaxy_core.store.backends.lake.formats import Format
from metaxy_core.store.backends.lake.objects import HeadObjects
from metaxy_core.store.backends.lake.places import Place
from metaxy_core.store.backends.lake.refusals import Refusals
from metaxy_core.store.backends.lake.session import LakeSession, LakeTables


class LakeBackend(DuckDBMemory):
    """Tables in a lake format.

    Args:
        place: the root of the store.
        format_: the format of its tables.
        read_only: refuse transactions.
        lock_timeout: seconds to wait for another writer before ``StoreLocked``.
        settings: DuckDB settings, such as ``{"memory_limit": "1GB", "threads": 2}``.
    """

    catalogs = (CATALOG,)

    def __init__(
        self,
        place: Place,
        format_: Format,
        *,
        read_only: bool,
        lock_timeout: float,
        settings: Mapping[str, str | int | float | bool],
    ) -> None:
        self._place = place
        self._format = format_
        self._refusals = Refusals(place, format_.failures)
        self._read_only = read_only
        self._lock_timeout = checked_timeout(lock_timeout)
        self._heads: Heads | None = None
        self._tables: LakeTables | None = None
        super().__init__(place.address, settings)
        self.connection.execute(f"ATTACH ':memory:' AS {CATALOG}")

    @property
    def kind(self) -> str:
        """Name of the table format."""
        return self._format.kind

    @property
    def capabilities(self) -> Capabilities:
        """What stores in the format can do."""
        return self._format.capabilities

    @contextmanager
    def snapshot(self) -> Iterator[LakeSession]:
        """The tables at the versions that the newest head pins."""
        with self.turn:
            with self._refusals.told():
                is_there = not self._place.is_absent()
                head = self._opened(writing=False).newest() if is_there else None
                if head is None:
                    self._check_folder()
            with self._session({} if head is None else head.tables) as session:
                yield session

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[LakeSession]:
        """Change tables one by one, and pin their new versions together."""
        self.check_writable()
        with self.turn:
            with self._refusals.told():
                self._check_folder()
                heads = self._opened(writing=True)
                turn = Turn(heads, self._lock_timeout if wait else 0.0)
            with turn:
                with self._session(turn.tables) as session:
                    yield session
                with self._refusals.told():
                    turn.commit(session.pins)

    def check_writable(self) -> None:
        """Refuse what changes a store that was opened for reading."""
        if self._read_only:
            raise ReadOnlyStore(
                f"The store {self.address!r} was opened with read_only=True; "
                f"open it without to write."
            )

    def close(self) -> None:
        """Forget what was opened; kept increments are gone."""
        with self.turn:
            if self._tables is not None:
                self._staged.update(self._tables.frames)
                self._tables = None
            self._format.close()
            super().close()

    # ------------------------------------------------------------------ details

    @contextmanager
    def _session(self, pins: Mapping[str, Mapping[str, object]]) -> Iterator[LakeSession]:
        self._drop_forgotten()
        session = LakeSession(self, self.connection, self._tables, pins, self._refusals)
        try:
            with self._busy():
                yield session
        except BaseException:
            for table in session.kept:
                self.drop(table)
            raise

    def _opened(self, *, writing: bool) -> Heads:
        """The log of the store."""
        if self._heads is None or self._tables is None:
            objects = self._place.objects(writing=writing)
            self._heads = Heads(HeadObjects(objects), self.address)
            self._tables = LakeTables(self._format, objects, self.connection)
        return self._heads

    def _check_folder(self) -> None:
        """Refuse a folder that is not there, unless it can be made.

        Raises:
            StoreUnreachable: there is no folder to read, or to make one in.
        """
        path = self._place.path
        if not self._place.is_absent() or path is None:
            return
        missing = path if path.parent.is_dir() else path.parent
        if self._read_only or missing != path:
            raise StoreUnreachable(
                f"The store {self.address!r} cannot be opened; there is no folder "
                f"{str(missing)!r}. Make it, or give another path."
            )
