"""DuckLake as a store: Parquet files in a folder or bucket, and a database that lists them.

The DuckLake is attached for the length of one snapshot or one transaction, as a DuckDB file is.
Its transactions are whole or absent, and a snapshot sees one state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from metaxy_core.errors import NotAStore
from metaxy_core.errors.base import first_line
from metaxy_core.store.backends.addresses import MEMORY
from metaxy_core.store.backends.duckdb_attached import (
    AttachedBackend,
    execute_when_free,
    is_locked,
)
from metaxy_core.store.backends.duckdb_extensions import load_extension
from metaxy_core.store.backends.duckdb_session import CATALOG, literal
from metaxy_core.store.backends.ducklake_buckets import close_bucket, open_bucket
from metaxy_core.store.backends.ducklake_catalogs import ENGINE, Catalog, catalog_at
from metaxy_core.store.backends.ducklake_session import DuckLakeSession
from metaxy_core.store.backends.lake.places import Place
from metaxy_core.store.backends.refusals import is_full, locked, refusal
from metaxy_core.store.base import MetadataStore

SCHEMA: Final = "metaxy"
_MADE: Final = "metaxy_made"
_BUSY: Final = "database is locked"
_NO_LAKE: Final = ("creating a new DuckLake is explicitly disabled", "Schema with name")


class DuckLakeBackend(AttachedBackend):
    """A DuckLake.

    Args:
        catalog: what holds its catalog.
        place: the root of its data files.
        read_only: refuse transactions.
        lock_timeout: seconds to wait for another writer before ``StoreLocked``.
        settings: DuckDB settings, such as ``{"memory_limit": "1GB", "threads": 2}``.
    """

    kind = "ducklake"
    session = DuckLakeSession

    def __init__(
        self,
        catalog: Catalog,
        place: Place,
        *,
        read_only: bool,
        lock_timeout: float,
        settings: Mapping[str, str | int | float | bool],
    ) -> None:
        self.capabilities = catalog.capabilities
        self._catalog = catalog
        self._place = place
        self._check = _nothing
        super().__init__(
            catalog.address, read_only=read_only, lock_timeout=lock_timeout, settings=settings
        )
        try:
            for name in ("ducklake", *catalog.extensions):
                load_extension(self.connection, name)
            if place.path is None:
                open_bucket(self.connection, place)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; kept increments are gone."""
        with self.turn:
            if self._connection is not None and self._place.path is None and not self._is_busy:
                close_bucket(self._connection)
            super().close()

    @contextmanager
    def attached(self, *, read_only: bool, wait: bool = True) -> Iterator[None]:
        """Attach the DuckLake; a writer holds its turn meanwhile."""
        patience = self._lock_timeout if wait else 0.0
        if read_only:
            self._attach_to_read(patience)
            try:
                yield
            finally:
                self.connection.execute(f"DETACH {CATALOG}")
            return
        if self._catalog.is_absent():
            self._catalog.make(self._make)
        with self._catalog.turn(patience) as check:
            self._attach(
                self._catalog.source,
                CATALOG,
                patience=patience,
                making=self._catalog.is_made_by_writers,
            )
            self._check = check
            try:
                yield
            finally:
                self._check = _nothing
                self.connection.execute(f"DETACH {CATALOG}")

    def check_turn(self) -> None:
        """Refuse to commit where another writer may have begun."""
        self._check()

    def translated(self, error: duckdb.Error) -> Exception:
        """What DuckDB says in a transaction, in our words, or as it is."""
        if _BUSY in str(error):
            return locked(ENGINE, self.address, self._lock_timeout, self._said(error))
        is_refused = isinstance(error, (duckdb.IOException, duckdb.SerializationException))
        if is_refused or is_full(error):
            where = f"{self.address} with data in {self._place.address}"
            return refusal(ENGINE, where, self._said(error), read_only=False)
        return super().translated(error)

    # ------------------------------------------------------------------ details

    def _attach_to_read(self, patience: float) -> None:
        if not self._read_only and self._catalog.is_absent():
            self.connection.execute(f"ATTACH '{MEMORY}' AS {CATALOG}")
            return
        try:
            self._attach(self._catalog.source, CATALOG, patience=patience, read_only=True)
        except NotAStore:
            if self._read_only or not self._catalog.is_made_by_writers:
                raise
            self.connection.execute(f"ATTACH '{MEMORY}' AS {CATALOG}")

    def _make(self, source: str) -> None:
        self._attach(source, _MADE, patience=self._lock_timeout, making=True)
        self.connection.execute(f"DETACH {_MADE}")

    def _attach(
        self,
        source: str,
        name: str,
        *,
        patience: float,
        read_only: bool = False,
        making: bool = False,
    ) -> None:
        options = {
            "DATA_PATH": literal(f"{self._place.url.rstrip('/')}/"),
            "OVERRIDE_DATA_PATH": "true",
            "DATA_INLINING_ROW_LIMIT": "0",
            "CREATE_IF_NOT_EXISTS": str(making).lower(),
            **self._catalog.options,
        }
        told = ", ".join(f"{key} {value}" for key, value in options.items())
        told += ", READ_ONLY" if read_only else ""
        statement = f"ATTACH {literal(f'ducklake:{source}')} AS {name} ({told})"
        try:
            execute_when_free(self.connection, statement, patience)
        except duckdb.Error as error:
            said = self._said(error)
            if is_locked(error) or _BUSY in str(error):
                refused: Exception = locked(ENGINE, self.address, patience, said)
            elif any(sign in str(error) for sign in _NO_LAKE):
                refused = NotAStore(
                    f"{self.address!r} holds no {ENGINE} catalog; give that of a store, or a place "
                    f"where there is nothing yet, which the first write fills."
                )
            else:
                refused = self._catalog.refusal(said, read_only=read_only)
            raise refused from None  # what DuckDB says has the whole address

    def _said(self, error: Exception) -> Exception:
        """What DuckDB says, without a password."""
        return RuntimeError(first_line(RuntimeError(self._catalog.without_secret(str(error)))))


class DuckLakeMetadataStore(MetadataStore):
    """A store in a DuckLake.

    Writers take turns; of a catalog in SQLite or PostgreSQL, readers wait for nobody.

    Args:
        catalog: where the catalog is: the path of a DuckDB file; ``sqlite:`` and the path of an
            SQLite file; ``postgresql://user@host:5432/database``, or ``postgres:`` and a list such
            as ``host=... dbname=...``. A file is made on first use.
        data_path: the folder of the data files, or their URL in a bucket.
        schema: the schema of a catalog in PostgreSQL; several stores are several schemas.
        storage_options: how to reach the bucket, such as ``{"AWS_REGION": "eu-central-1"}``.
        read_only: refuse writes.
        lock_timeout: seconds to wait for another writer before ``StoreLocked``.
        settings: settings of DuckDB, which computes: ``{"memory_limit": "1GB"}``.
        fallback: a store, or several from the nearest on, whose records are seen below the own
            ones and never written; see ``MetadataStore``.
        hash: algorithm of the versions, ``md5`` or ``xxh64``; None takes what the store has, and
            md5 for a new one.
    """

    def __init__(
        self,
        catalog: str | Path,
        data_path: str | Path,
        *,
        schema: str = SCHEMA,
        storage_options: Mapping[str, str] | None = None,
        read_only: bool = False,
        lock_timeout: float = 60.0,
        settings: Mapping[str, str | int | float | bool] | None = None,
        fallback: MetadataStore | Sequence[MetadataStore] = (),
        hash: str | None = None,  # noqa: A002 - the word for it, as in metaxy.toml
    ) -> None:
        super().__init__(
            DuckLakeBackend(
                catalog_at(catalog, schema),
                Place.from_address(data_path, storage_options),
                read_only=read_only,
                lock_timeout=lock_timeout,
                settings=settings or {},
            ),
            fallback=fallback,
            hash=hash,
        )


def _nothing() -> None:
    """There is no turn to lose."""
