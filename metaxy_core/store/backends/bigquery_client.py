"""Jobs of BigQuery: queries, loads, and what they cost."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud.bigquery import DEFAULT_RETRY

from metaxy_core.store.backends.bigquery_types import declared, fields

if TYPE_CHECKING:
    from google.cloud.bigquery import (
        Client,
        Dataset,
        QueryJob,
        QueryJobConfig,
        Table,
        TableReference,
    )
    from google.cloud.bigquery.table import TableListItem

FRAMES_LIVE: Final = timedelta(days=2)
"""How long a staged or kept table stays where nobody drops it."""

RETRY: Final = DEFAULT_RETRY.with_timeout(30.0)
"""How long a request is tried again; the library's own would be ten minutes."""

_log = logging.getLogger(__name__)
_FEW: Final = 50_000
"""So many rows come quicker in the answer of a query than through the Storage API."""


class BigQueryConnection:
    """A client, and the dataset of a store.

    Args:
        client: the client.
        dataset: the dataset.
        maximum_bytes_billed: a query that would be billed for more is refused; None for no limit.
        has_storage_api: whether many rows can be fetched through the Storage API.
    """

    def __init__(
        self,
        client: Client,
        dataset: str,
        *,
        maximum_bytes_billed: int | None = None,
        has_storage_api: bool = False,
    ) -> None:
        self.client = client
        self.dataset = dataset
        self._location = client.location
        self._most = maximum_bytes_billed
        self._has_storage_api = has_storage_api and bool(find_spec("google.cloud.bigquery_storage"))

    # ------------------------------------------------------------------ what is in the project

    def reference(self, table: str) -> TableReference:
        """A table of the dataset, by its own name or by its whole one."""
        from google.cloud.bigquery import DatasetReference, TableReference

        if "." in table:
            return TableReference.from_string(table)
        return DatasetReference(self.client.project, self.dataset).table(table)

    def dataset_found(self) -> Dataset | None:
        """The dataset; None where there is none."""
        from google.api_core.exceptions import NotFound

        try:
            found = self.client.get_dataset(self.dataset, retry=RETRY)
        except NotFound:
            return None
        self._location = found.location
        return found

    def made_dataset(self, location: str | None) -> Dataset:
        """The dataset, made unless somebody else just did."""
        from google.cloud.bigquery import Dataset

        made = Dataset(f"{self.client.project}.{self.dataset}")
        if location is not None:
            made.location = location
        return self.client.create_dataset(made, exists_ok=True, retry=RETRY)

    def table(self, name: str) -> Table | None:
        """What is known of a table; None where there is none."""
        from google.api_core.exceptions import NotFound

        try:
            return self.client.get_table(self.reference(name), retry=RETRY)
        except NotFound:
            return None

    def tables(self) -> list[TableListItem]:
        """The tables of the dataset; none where there is no dataset."""
        from google.api_core.exceptions import NotFound

        try:
            return list(self.client.list_tables(self.dataset, retry=RETRY))
        except NotFound:
            return []

    def make(self, table: Table) -> Table | None:
        """Make a table; None where one of its name is there already."""
        from google.api_core.exceptions import Conflict

        try:
            return self.client.create_table(table, retry=RETRY)
        except Conflict:
            return None

    def change(self, table: Table, *what: str) -> None:
        """Change something that is known of a table."""
        self.client.update_table(table, what, retry=RETRY)

    def drop(self, name: str) -> None:
        """Drop a table, if it is there."""
        self.client.delete_table(self.reference(name), not_found_ok=True, retry=RETRY)

    # ------------------------------------------------------------------ jobs

    def execute(self, sql: str) -> int:
        """Run a statement; gives how many rows it changed."""
        job = self._done(sql)
        return int(job.num_dml_affected_rows or 0)

    def query(self, sql: str) -> pa.Table:
        """Run a query."""
        rows = self._done(sql).result()
        is_long = self._has_storage_api and (rows.total_rows or 0) > _FEW
        return rows.to_arrow(create_bqstorage_client=is_long)

    def load(self, table: str, frame: pa.Table) -> None:
        """Make a table, which goes after two days, and load a frame into it."""
        from google.cloud.bigquery import LoadJobConfig, SourceFormat

        columns = [(field.name, declared(field.type)) for field in frame.schema]
        made = self.make_frame(table, columns)
        if not frame.num_rows:
            return
        file = io.BytesIO()
        pq.write_table(frame, file)
        config = LoadJobConfig(source_format=SourceFormat.PARQUET, schema=made.schema)
        self.client.load_table_from_file(
            file, made.reference, rewind=True, job_config=config
        ).result()

    def make_frame(self, name: str, columns: Sequence[tuple[str, str]]) -> Table:
        """Make an empty table, which goes after two days."""
        from google.cloud.bigquery import Table

        made = Table(self.reference(name), schema=fields(columns))
        made.expires = datetime.now(UTC) + FRAMES_LIVE
        self.make(made)
        return made

    def copy(self, old: str, new: str) -> None:
        """Copy a table as it is, which is no query."""
        self.client.copy_table(self.reference(old), self.reference(new), retry=RETRY).result()

    def bytes_scanned(self, sql: str) -> int:
        """How many bytes a statement would read, told without running it."""
        job = self._begun(sql, dry_run=True)
        return int(job.total_bytes_processed or 0)

    def close(self) -> None:
        """Close the connections of the client."""
        self.client.close()  # type: ignore[no-untyped-call]

    def _done(self, sql: str) -> QueryJob:
        job = self._begun(sql)
        job.result()
        _log.debug(
            "%s: %s bytes billed (job %s)",
            job.statement_type,
            job.total_bytes_billed or 0,
            job.job_id,
        )
        return job

    def _begun(self, sql: str, **more: Any) -> QueryJob:
        """A job where the dataset is, though it may read no table that says so."""
        if self._location is None:
            self.dataset_found()
        config = self._config(**more)
        return self.client.query(str(sql), job_config=config, location=self._location, retry=RETRY)

    def _config(self, **more: Any) -> QueryJobConfig:
        from google.cloud.bigquery import QueryJobConfig

        config = QueryJobConfig(labels={"application": "metaxy"}, **more)
        if self._most is not None:
            config.maximum_bytes_billed = self._most
        return config
