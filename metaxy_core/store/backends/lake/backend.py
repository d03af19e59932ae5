"""A store whose tables stand in a lake format, and whose queries are computed in DuckDB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import duckdb
import pyarrow as pa
from obstore.exceptions import BaseError

from metaxy_core.errors import ReadOnlyStore, StoreUnreachable, ValueOutOfRange
from metaxy_core.store.backends.addresses import checked_timeout
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.duckdb_memory import DuckDBMemory
from metaxy_core.store.backends.duckdb_session import CATALOG
from metaxy_core.store.backends.duckdb_settings import first_line
from metaxy_core.store.backends.lake.formats import Format
from metaxy_core.store.backends.lake.heads import Heads
from metaxy_core.store.backends.lake.places import Place
from metaxy_core.store.backends.lake.session import LakeSession, LakeTables
from metaxy_core.store.backends.lake.turns import Turn


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
        with self.turn, self._explained():
            heads = self._opened(writing=False)
            head = None if heads is None else heads.newest()
            with self._session({} if head is None else head.tables) as session:
                yield session

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[LakeSession]:
        """Change tables one by one, and pin their new versions together."""
        self.check_writable()
        with self.turn, self._explained():
            heads = self._opened(writing=True)
            with Turn(heads, self._lock_timeout if wait else 0.0) as turn:
                with self._session(turn.tables) as session:
                    yield session
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
        session = LakeSession(self, self.connection, self._tables, pins, self.address)
        try:
            with self._busy():
                yield session
        except BaseException:
            for table in session.kept:
                self.drop(table)
            raise

    def _opened(self, *, writing: bool) -> Heads | None:
        """The log of the store; None where there is no store yet.

        Raises:
            StoreUnreachable: there is no folder to read, or to make one in.
        """
        if self._place.is_absent():
            self._check_folder()
            if not writing:
                return None
        if self._heads is None or self._tables is None:
            objects = self._place.objects(writing=writing)
            self._heads = Heads(objects, self.address)
            self._tables = LakeTables(self._format, objects, self.connection)
        return self._heads

    def _check_folder(self) -> None:
        path = self._place.path
        if path is not None and (self._read_only or not path.parent.is_dir()):
            missing = path if path.parent.is_dir() else path.parent
            raise StoreUnreachable(
                f"The store {self.address!r} cannot be opened; there is no folder "
                f"{str(missing)!r}. Make it, or give another path."
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What a library refuses becomes an error of the store, in which no secret stands."""
        try:
            yield
        except duckdb.DataError as error:
            raise ValueOutOfRange.from_reason(first_line(error)) from error
        except (BaseError, OSError, duckdb.IOException, pa.ArrowException) as error:
            raise self._refusal(error) from None
        except self._format.failures as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> StoreUnreachable | ReadOnlyStore:
        reason = self._without_secrets((str(error).splitlines() or [type(error).__name__])[0])
        if isinstance(error, PermissionError) or "ermission denied" in reason:
            return ReadOnlyStore(
                f"{self.address!r} cannot be written; open the store with read_only=True, or "
                f"allow it to be written. {reason}"
            )
        return StoreUnreachable(
            f"The store {self.address!r} cannot be read or written; check its address, "
            f"storage_options and permissions. {reason}"
        )

    def _without_secrets(self, text: str) -> str:
        values = sorted({*self._place.options.values()} - {""}, key=len, reverse=True)
        pattern = "|".join(re.escape(value) for value in values)
        return re.sub(pattern, "...", text) if pattern else text
