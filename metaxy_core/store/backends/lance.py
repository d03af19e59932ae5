"""Stores in Lance tables, which LanceDB reads, on disk or in a bucket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import lance
import pyarrow as pa
import pyarrow.dataset as ds
from lance.fragment import FragmentMetadata, LanceFragment, write_fragments

from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.lake.formats import Conflict, Erased, Version, folder
from metaxy_core.store.backends.lake.places import Place
from metaxy_core.store.backends.lake.store import LakeMetadataStore

CAPABILITIES: Final = Capabilities(
    "pinned versions", "machines", "none", hashes=("md5", "xxh64"), files=True
)
_MANY_FRAGMENTS, _FEW_ROWS = 32, 500_000


class LanceFormat:
    """Lance tables under one root.

    Lance appends on top of whatever the newest version is, so that each change looks afterwards
    whether it made the very next version.

    Args:
        place: the root of the store.
    """

    kind = "lance"
    capabilities = CAPABILITIES
    failures: tuple[type[Exception], ...] = (RuntimeError, ValueError)

    def __init__(self, place: Place) -> None:
        self._place = place
        self._options = {name.lower(): value for name, value in place.options.items()} or None
        self._tables: dict[str, Any] = {}

    def replace(self, table: str, rows: pa.Table) -> Version:
        """Overwrite a table with its columns, or create it."""
        newest = self._newest(table)
        before = 0 if newest is None else newest.version
        target = self._uri(table) if newest is None else newest
        with _conflicts():
            mode = "create" if newest is None else "overwrite"
            made = lance.write_dataset(rows, target, mode=mode, storage_options=self._options)
        return self._following(table, before, made)

    def append(self, table: str, version: Version, rows: pa.Table) -> Version:
        """Append on top of a version."""
        at = self._at(table, version)
        new = [field for field in rows.schema if field.name not in at.schema.names]
        if new:
            with _conflicts():
                at.add_columns(pa.schema(new))
            version = self._following(table, int(version), at)
        if rows.num_rows:
            version = self._exchanged(table, version, [], rows)
        return version

    def delete(self, table: str, version: Version, erased: Erased) -> Version:
        """Write the fragments anew that hold such rows."""
        gone, left = [], []
        for fragment in self._at(table, version).get_fragments():
            others = erased.left(ds.InMemoryDataset(fragment.to_table()))
            if others is not None:
                gone.append(fragment)
                left.append(others)
        return self._exchanged(table, version, gone, pa.concat_tables(left))

    def restore(self, table: str, version: Version) -> Version:
        """Make a version the newest one again."""
        newest = self._newest(table)
        if newest is None or newest.version == version:
            return version
        before = newest.version
        with _conflicts():
            newest = lance.LanceDataset.commit(
                newest, lance.LanceOperation.Restore(int(version)), read_version=before
            )
        return self._following(table, before, newest)

    def compact(self, table: str, version: Version) -> Version:
        """Put small fragments together once there are many."""
        fragments = self._at(table, version).get_fragments()
        if len(fragments) % _MANY_FRAGMENTS:
            return version
        small = [each for each in fragments if each.metadata.physical_rows < _FEW_ROWS]
        rows = [fragment.to_table() for fragment in small]
        try:
            return (
                self._exchanged(table, version, small, pa.concat_tables(rows)) if rows else version
            )
        except Conflict:
            self.forget(table)
            return version

    def scan(self, table: str, version: Version) -> ds.Dataset:
        """A version, of which Lance reads the columns and rows that are asked for."""
        return self._at(table, version)

    def forget(self, table: str) -> None:
        """Read the manifest of a table anew."""
        self._tables.pop(table, None)

    def close(self) -> None:
        """Forget what was opened."""
        self._tables.clear()

    # ------------------------------------------------------------------ details

    def _exchanged(
        self, table: str, version: Version, gone: Sequence[LanceFragment], rows: pa.Table
    ) -> Version:
        """Put some rows in the place of fragments, in one version."""
        at = self._at(table, version)
        columns = [name for name in at.schema.names if name in rows.column_names]
        made: list[FragmentMetadata] = []
        if rows.num_rows:
            made = write_fragments(rows.select(columns), at, mode="append")
        numbers = [fragment.fragment_id for fragment in gone]
        operation: Any = (
            lance.LanceOperation.Update(
                removed_fragment_ids=numbers, updated_fragments=[], new_fragments=made
            )
            if gone
            else lance.LanceOperation.Append(made)
        )
        with _conflicts():
            after = lance.LanceDataset.commit(
                at, operation, read_version=int(version), max_retries=0
            )
        return self._following(table, int(version), after)

    def _following(self, table: str, before: int, made: Any) -> Version:
        if made.version != before + 1:
            self.forget(table)
            raise Conflict
        self._tables[table] = made
        return int(made.version)

    def _newest(self, table: str) -> Any:
        """The newest version; None where there is no table."""
        try:
            return lance.dataset(self._uri(table), storage_options=self._options)
        except ValueError as error:
            if "not found" in str(error):
                return None
            raise

    def _at(self, table: str, version: Version) -> Any:
        known = self._tables.pop(table, None)
        if known is None or known.version != version:
            known = lance.dataset(
                self._uri(table), version=int(version), storage_options=self._options
            )
        self._tables[table] = known
        return known

    def _uri(self, table: str) -> str:
        return f"{self._place.url}/tables/{folder(table)}.lance"


@contextmanager
def _conflicts() -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        if "conflict" in str(error).lower() or "already exists" in str(error).lower():
            raise Conflict from error
        raise


class LanceMetadataStore(LakeMetadataStore):
    """A store in Lance tables, in a folder or a bucket.

    Several machines may write to it; they take turns. Readers see the newest whole change. LanceDB
    opens the folder ``tables`` in it.

    The arguments are those of ``LakeMetadataStore``.

    Example:
        >>> import tempfile
        >>> with LanceMetadataStore(tempfile.mkdtemp()) as store:
        ...     store.kind
        'lance'
    """

    @staticmethod
    def format_in(place: Place) -> LanceFormat:
        """The format of the tables in a place."""
        return LanceFormat(place)
