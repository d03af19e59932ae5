"""Stores in Delta Lake tables, on disk or in a bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from metaxy_core import system_columns as sc
from metaxy_core.errors import StoreUnreachable
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.duckdb_session import quoted
from metaxy_core.store.backends.lake.formats import Conflict, Erased, Version, folder
from metaxy_core.store.backends.lake.places import Place
from metaxy_core.store.backends.lake.store import LakeMetadataStore

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

CAPABILITIES: Final = Capabilities(
    "pinned versions", "machines", "files", hashes=("md5", "xxh64"), files=True
)
_ONCE: Final = CommitProperties(max_commit_retries=0)
_MISREAD: Final = re.compile(r"[\[\]^|\\\x00-\x1f]|%[0-9A-Fa-f]{2}")
_COMPACT_EVERY, _MANY_FILES = 16, 32


class DeltaFormat:
    """Delta Lake tables under one root.

    Args:
        place: the root of the store.

    Raises:
        StoreUnreachable: the library cannot work in such a folder.
    """

    kind = "delta"
    capabilities = CAPABILITIES
    failures: tuple[type[Exception], ...] = (DeltaError,)

    def __init__(self, place: Place) -> None:
        if place.path is not None and _MISREAD.search(str(place.path)):
            raise StoreUnreachable(
                f"The Delta Lake library cannot work in {place.address!r}, whose path has one of "
                f"[ ] ^ | \\ or a percent sign before two digits; give a path without."
            )
        self._place = place
        self._options = dict(place.options) or None
        self._tables: dict[str, DeltaTable] = {}

    def replace(self, table: str, rows: pa.Table) -> int:
        """Overwrite a table with its columns, or create it."""
        try:
            at = DeltaTable(self._uri(table), storage_options=self._options)
        except TableNotFoundError:
            with _conflicts():
                write_deltalake(
                    self._uri(table),
                    rows,
                    mode="error",
                    storage_options=self._options,
                    configuration=_configuration(rows),
                    commit_properties=_ONCE,
                )
            return 0
        return self._written(at, rows, mode="overwrite", schema_mode="overwrite")

    def append(self, table: str, version: Version, rows: pa.Table) -> int:
        """Append on top of a version."""
        return self._written(self._at(table, version), rows, mode="append", schema_mode="merge")

    def delete(self, table: str, version: Version, erased: Erased) -> int:
        """Write the files anew that hold such rows."""
        at = self._at(table, version)
        matches = (f"t.{quoted(name)} = s.{quoted(name)}" for name in erased.keys.column_names)
        with _conflicts():
            at.merge(
                erased.keys,
                predicate=" AND ".join(matches),
                source_alias="s",
                target_alias="t",
                commit_properties=_ONCE,
            ).when_matched_delete().execute()
        return at.version()

    def restore(self, table: str, version: Version) -> int:
        """Pin the files of a version again."""
        at = DeltaTable(self._uri(table), storage_options=self._options)
        if at.version() != version:
            with _conflicts():
                at.restore(int(version), commit_properties=_ONCE)
        self._tables[table] = at
        return at.version()

    def compact(self, table: str, version: Version) -> Version:
        """Put small files together now and then."""
        if int(version) % _COMPACT_EVERY:
            return version
        at = self._at(table, version)
        if len(at.file_uris()) < _MANY_FILES:
            return version
        try:
            with _conflicts():
                at.optimize.compact(commit_properties=_ONCE)
        except Conflict:
            return version
        return at.version()

    def scan(self, table: str, version: Version) -> ds.Dataset:
        """The files of a version, with what their statistics say of the commits in them."""
        at = self._at(table, version)
        if self._place.path is None:
            return at.to_pyarrow_dataset()
        from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

        path = self._place.path / "tables" / folder(table)
        return at.to_pyarrow_dataset(filesystem=SubTreeFileSystem(str(path), LocalFileSystem()))

    def forget(self, table: str) -> None:
        """Read the log of a table anew."""
        self._tables.pop(table, None)

    def close(self) -> None:
        """Forget what was opened."""
        self._tables.clear()

    # ------------------------------------------------------------------ details

    def _written(self, at: DeltaTable, rows: pa.Table, **how: Any) -> int:
        before = at.version()
        with _conflicts():
            write_deltalake(at, rows, commit_properties=_ONCE, **how)
        if at.version() != before + 1:
            raise Conflict
        return at.version()

    def _at(self, table: str, version: Version) -> DeltaTable:
        known = self._tables.pop(table, None)
        if known is None or known.version() != version:
            known = DeltaTable(
                self._uri(table), version=int(version), storage_options=self._options
            )
        self._tables[table] = known
        return known

    def _uri(self, table: str) -> str:
        path = self._place.path  # which may hold what means something else in a URL
        root = self._place.url if path is None else path.as_uri()
        return f"{root}/tables/{folder(table)}"


@contextmanager
def _conflicts() -> Iterator[None]:
    try:
        yield
    except (CommitFailedError, FileExistsError) as error:
        raise Conflict from error


def _configuration(rows: pa.Table) -> dict[str, str | None]:
    """Statistics are for finding commits; those of values go wrong for dates far away, and NaN."""
    has_commits = sc.COMMIT in rows.column_names
    statistics = (
        {"delta.dataSkippingStatsColumns": sc.COMMIT}
        if has_commits
        else {"delta.dataSkippingNumIndexedCols": "0"}
    )
    return {
        "delta.checkpointInterval": "20",
        "delta.logRetentionDuration": "interval 3650 days",  # a head may pin an old version
        **statistics,
    }


class DeltaMetadataStore(LakeMetadataStore):
    """A store in Delta Lake tables, in a folder or a bucket.

    Several machines may write to it; they take turns. Readers see the newest whole change.

    The arguments are those of ``LakeMetadataStore``.

    Example:
        >>> import tempfile
        >>> with DeltaMetadataStore(tempfile.mkdtemp()) as store:
        ...     store.kind
        'delta'
    """

    @staticmethod
    def format_in(place: Place) -> DeltaFormat:
        """The format of the tables in a place."""
        return DeltaFormat(place)
