"""Stores in Iceberg tables, on disk or in a bucket.

No catalog is needed: the log of heads says which metadata file is the current one of each table.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.conversions import from_bytes, to_bytes
from pyiceberg.io import load_file_io
from pyiceberg.io.pyarrow import PyArrowFileIO, schema_to_pyarrow
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.serializers import FromInputFile, ToOutputFile
from pyiceberg.table import CommitTableResponse, Table, Transaction
from pyiceberg.table.locations import load_location_provider
from pyiceberg.table.metadata import TableMetadata, new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.table.update import update_table_metadata
from pyiceberg.typedef import Record
from pyiceberg.types import LongType

from metaxy_core import system_columns as sc
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.lake.formats import Erased, Version, folder
from metaxy_core.store.backends.lake.places import Place
from metaxy_core.store.backends.lake.store import LakeMetadataStore

if TYPE_CHECKING:
    from pyiceberg.table.update import TableRequirement, TableUpdate

CAPABILITIES: Final = Capabilities("pinned versions", "machines", "files", hashes=("md5", "xxh64"))
_MANY_FILES, _SMALL_FILE = 32, 32 * 2**20
_PROPERTIES: Final = {
    "commit.retry.num-retries": "0",
}
_OPTIONS: Final = {
    "aws_access_key_id": "s3.access-key-id",
    "aws_secret_access_key": "s3.secret-access-key",
    "aws_session_token": "s3.session-token",
    "aws_endpoint_url": "s3.endpoint",
    "aws_endpoint": "s3.endpoint",
    "aws_region": "s3.region",
    "aws_default_region": "s3.region",
}


class PinnedMetadata(NoopCatalog):
    """Writes metadata files, and leaves it to others to say which one is current.

    Args:
        options: how to reach a bucket, as PyIceberg calls it.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__("metaxy", **options)

    def made(self, location: str, schema: pa.Schema) -> Table:
        """A new table without rows, in a folder that nobody else writes to."""
        metadata = new_table_metadata(
            schema=self._convert_schema_if_needed(schema),
            partition_spec=UNPARTITIONED_PARTITION_SPEC,
            sort_order=UNSORTED_SORT_ORDER,
            location=location,
            properties=dict(_PROPERTIES),
        )
        return self._table(metadata, self._written(metadata, 0))

    def at(self, location: str) -> Table:
        """The table that a metadata file describes."""
        source = load_file_io(self.properties, location).new_input(location)
        return self._table(FromInputFile.table_metadata(source), location)

    def commit_table(
        self,
        table: Table,
        requirements: tuple[TableRequirement, ...],
        updates: tuple[TableUpdate, ...],
    ) -> CommitTableResponse:
        """Write the metadata file of a change."""
        for requirement in requirements:
            requirement.validate(table.metadata)
        metadata = update_table_metadata(
            table.metadata, updates, metadata_location=table.metadata_location
        )
        metadata = _without_past(metadata)
        location = self._written(metadata, getattr(metadata, "last_sequence_number", 0))
        return CommitTableResponse.model_validate(
            {"metadata": metadata, "metadata-location": location}
        )

    def _written(self, metadata: TableMetadata, number: int) -> str:
        provider = load_location_provider(metadata.location, metadata.properties)
        location = provider.new_table_metadata_file_location(number)
        files = load_file_io(self.properties, location)
        ToOutputFile.table_metadata(metadata, files.new_output(location))
        return location

    def _table(self, metadata: TableMetadata, location: str) -> Table:
        files = load_file_io(self.properties, location)
        return Table(("metaxy", metadata.location), metadata, location, files, self)


class IcebergFormat:
    """Iceberg tables under one root; a version is the address of a metadata file.

    Args:
        place: the root of the store.
    """

    kind = "iceberg"
    capabilities = CAPABILITIES
    failures: tuple[type[Exception], ...] = ()

    def __init__(self, place: Place) -> None:
        self._place = place
        known = {name.lower(): value for name, value in place.options.items()}
        options = {_OPTIONS.get(name, name): value for name, value in known.items()}
        self._catalog = PinnedMetadata(
            {**options, "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}
        )
        self._tables: dict[str, Table] = {}

    def replace(self, table: str, rows: pa.Table) -> Version:
        """Begin a new table in a folder of its own."""
        location = f"{self._place.url}/tables/{folder(table)}/{uuid.uuid4().hex[:12]}"
        at = self._catalog.made(location, rows.schema)
        if rows.num_rows:
            with at.transaction() as change:
                _append(change, at, rows)
        return self._known(table, at)

    def append(self, table: str, version: Version, rows: pa.Table) -> Version:
        """Add a file, and columns that are new."""
        at = self._at(table, version)
        with at.transaction() as change:
            names = set(at.schema().column_names)
            if not names.issuperset(rows.column_names):
                with change.update_schema() as schema:
                    schema.union_by_name(rows.schema)
            if rows.num_rows:
                _append(change, at, rows)
        return self._known(table, at)

    def delete(self, table: str, version: Version, erased: Erased) -> Version:
        """Write the files anew that hold such rows."""
        at = self._at(table, version)
        gone, left = [], []
        for file in _files(at):
            others = erased.left(_dataset(at, [file]))
            if others is not None:
                gone.append(file)
                left.append(others)
        _exchange(at, gone, pa.concat_tables(left))
        return self._known(table, at)

    def restore(self, table: str, version: Version) -> Version:
        """Nothing: whoever else writes to the table has metadata files of its own."""
        self.forget(table)
        return version

    def compact(self, table: str, version: Version) -> Version:
        """Put small files together whenever there are many more."""
        at = self._at(table, version)
        snapshot = at.current_snapshot()
        told = snapshot.summary if snapshot is not None else None
        if told is None or int(told["total-data-files"] or 0) % _MANY_FILES:
            return version
        small = [file for file in _files(at) if file.file_size_in_bytes < _SMALL_FILE]
        if len(small) > 1:
            _exchange(at, small, _dataset(at, small).to_table())
        return self._known(table, at)

    def scan(self, table: str, version: Version) -> ds.Dataset:
        """The files of a version, with what their statistics say of the commits in them."""
        at = self._at(table, version)
        return _dataset(at, _files(at))

    def forget(self, table: str) -> None:
        """Read the metadata of a table anew."""
        self._tables.pop(table, None)

    def close(self) -> None:
        """Forget what was opened."""
        self._tables.clear()

    # ------------------------------------------------------------------ details

    def _known(self, table: str, at: Table) -> Version:
        self._tables[table] = at
        return at.metadata_location

    def _at(self, table: str, version: Version) -> Table:
        """A table of its own: a change that fails leaves it at another version."""
        known = self._tables.pop(table, None)
        if known is None or known.metadata_location != version:
            known = self._catalog.at(str(version))
        self._tables[table] = known
        return known


def _without_past(metadata: TableMetadata) -> TableMetadata:
    """Metadata without former snapshots: they stand in files of their own, which heads may pin."""
    current = metadata.current_snapshot_id
    return metadata.model_copy(
        update={
            "snapshots": [each for each in metadata.snapshots if each.snapshot_id == current],
            "snapshot_log": [each for each in metadata.snapshot_log if each.snapshot_id == current],
            "metadata_log": [],
        }
    )


def _files(table: Table) -> list[DataFile]:
    return [task.file for task in table.scan().plan_files()]


def _dataset(table: Table, files: Sequence[DataFile]) -> ds.Dataset:
    schema = schema_to_pyarrow(table.schema(), include_field_ids=False)
    commits = table.schema().find_field(sc.COMMIT) if sc.COMMIT in schema.names else None
    if commits is not None and not isinstance(commits.field_type, LongType):
        commits = None
    parquet, fragments, system = ds.ParquetFileFormat(), [], None
    for file in files:
        scheme, netloc, path = PyArrowFileIO.parse_location(file.file_path)
        system = cast("PyArrowFileIO", table.io).fs_by_scheme(scheme, netloc)
        known: Any = None
        if commits is not None and commits.field_id in (file.lower_bounds or {}):
            least, most = (
                pa.scalar(from_bytes(LongType(), bounds[commits.field_id]), pa.int64())
                for bounds in (file.lower_bounds, file.upper_bounds)
            )
            known = (ds.field(sc.COMMIT) >= least) & (ds.field(sc.COMMIT) <= most)
        size = file.file_size_in_bytes
        fragments.append(parquet.make_fragment(path, system, known, file_size=size))
    return ds.FileSystemDataset(fragments, schema, parquet, system)


def _append(change: Transaction, table: Table, rows: pa.Table) -> None:
    with change.update_snapshot().fast_append() as files:
        files.append_data_file(_written(change.table_metadata, table, rows))


def _exchange(table: Table, gone: Sequence[DataFile], rows: pa.Table) -> None:
    """Put a file with some rows in the place of others, in one snapshot."""
    with table.transaction() as change, change.update_snapshot().overwrite() as files:
        for file in gone:
            files.delete_data_file(file)
        if rows.num_rows:
            files.append_data_file(_written(change.table_metadata, table, rows))


def _written(metadata: TableMetadata, table: Table, rows: pa.Table) -> DataFile:
    """A file of some rows; PyIceberg itself would lose that a list within a struct is NULL."""
    known = schema_to_pyarrow(metadata.schema(), include_field_ids=True)
    fields = pa.schema([known.field(name) for name in rows.column_names])
    path = f"{metadata.location}/data/{uuid.uuid4().hex}.parquet"
    with table.io.new_output(path).create() as stream:
        pq.write_table(rows.cast(fields), stream, compression="zstd")
    bounds: dict[str, Any] = {}
    commits = rows[sc.COMMIT] if sc.COMMIT in rows.column_names else None
    if commits is not None and commits.type == pa.int64() and not commits.null_count:
        number, found = metadata.schema().find_field(sc.COMMIT).field_id, pc.min_max(commits)
        bounds["lower_bounds"] = {number: to_bytes(LongType(), found["min"].as_py())}
        bounds["upper_bounds"] = {number: to_bytes(LongType(), found["max"].as_py())}
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=rows.num_rows,
        file_size_in_bytes=len(table.io.new_input(path)),
        spec_id=metadata.default_spec_id,
        **bounds,
    )


class IcebergMetadataStore(LakeMetadataStore):
    """A store in Iceberg tables, in a folder or a bucket.

    Several machines may write to it; they take turns. Readers see the newest whole change. Iceberg
    keeps whole addresses of files, so that a store is not to be moved.

    The arguments are those of ``LakeMetadataStore``.

    Example:
        >>> import tempfile
        >>> with IcebergMetadataStore(tempfile.mkdtemp()) as store:
        ...     store.kind
        'iceberg'
    """

    @staticmethod
    def format_in(place: Place) -> IcebergFormat:
        """The format of the tables in a place."""
        return IcebergFormat(place)
