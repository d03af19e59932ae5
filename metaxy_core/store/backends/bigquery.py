"""BigQuery as a store: a dataset of its own, whose tables a log of heads pins together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.errors import InvalidSetting, StoreUnreachable
from metaxy_core.store.backends.bigquery_client import FRAMES_LIVE, BigQueryConnection
from metaxy_core.store.backends.bigquery_costs import Compared, Estimate
from metaxy_core.store.backends.bigquery_frames import written_rows
from metaxy_core.store.backends.bigquery_functions import written_out
from metaxy_core.store.backends.bigquery_heads import HeadTables
from metaxy_core.store.backends.bigquery_refusals import ENGINE, refusal, said
from metaxy_core.store.backends.bigquery_tables import BigQueryTables
from metaxy_core.store.backends.bigquery_types import check_years, encoding
from metaxy_core.store.backends.capabilities import Capabilities
from metaxy_core.store.backends.sql.dialect import Dialect
from metaxy_core.store.backends.sql.markers import STORED
from metaxy_core.store.backends.sql.pinned import PinnedBackend
from metaxy_core.store.base import MetadataStore

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigquery import Dataset

    from metaxy_core.keys import KeyLike
    from metaxy_core.store.backends.heads.storage import HeadStorage

DATASET: Final = "metaxy"
CAPABILITIES: Final = Capabilities(
    "pinned versions", "machines", "partitions", members_in_filters=False
)

_LONGEST_NAME: Final = 300
_NAMES: Final = re.compile(
    r"(?!_table_|_file_|_partition|_row_timestamp|__root__|_colidentifier|_change_)[a-z_]\w*",
    re.ASCII | re.IGNORECASE,
)


DIALECT: Final = Dialect(
    "bigquery",
    _LONGEST_NAME,
    STORED,
    encoding,
    rewritings=[written_out],
    names=_NAMES,
    compiler="metaxy_core.store.backends.bigquery_compiler",
)
_PROJECT: Final = re.compile(r"[a-z0-9.:-]+")
_DATASET: Final = re.compile(r"\w{1,1024}", re.ASCII)
_SCOPES: Final = ("https://www.googleapis.com/auth/bigquery",)


class BigQueryBackend(PinnedBackend[BigQueryConnection]):
    """A dataset.

    Args:
        project: the project that holds the dataset, and is billed.
        dataset: the dataset, made on first use.
        location: where the dataset is, or is made.
        credentials: those of Google's library, a key, or the path of its file; None takes what
            the environment has.
        parameters: further options of the client, such as ``{"api_endpoint": ...}``.
        maximum_bytes_billed: a query that would be billed for more is refused.
        read_only: refuse transactions.
        lock_timeout: seconds to wait for other writers before ``StoreLocked``.
    """

    kind = "bigquery"
    capabilities = CAPABILITIES

    def __init__(
        self,
        project: str,
        dataset: str,
        *,
        location: str | None,
        credentials: Any,
        parameters: Mapping[str, Any],
        maximum_bytes_billed: int | None,
        read_only: bool,
        lock_timeout: float,
    ) -> None:
        self._project = _checked("project", project, _PROJECT)
        self._dataset = _checked("dataset", dataset, _DATASET)
        address = f"bigquery://{project}/{dataset}"
        super().__init__(address, DIALECT, read_only=read_only, lock_timeout=lock_timeout)
        self._location = location
        self._credentials = credentials
        self._options = dict(parameters)
        self._most = maximum_bytes_billed
        self._has_place = False
        self._rows: dict[str, str] = {}
        self._estimate: Estimate | None = None

    def connect(self) -> BigQueryConnection:
        """Make a client.

        Raises:
            StoreUnreachable: there are no credentials.
            InvalidSetting: those that were given cannot be read.
        """
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.bigquery import Client

        try:
            client = Client(
                project=self._project,
                credentials=_loaded(self._credentials),
                location=self._location,
                client_options=self._options or None,
            )
        except GoogleAuthError as error:
            raise StoreUnreachable(
                f"The store {self.address!r} cannot be reached; give credentials, or run `gcloud "
                f"auth application-default login`. {ENGINE} says: {said(error)}"
            ) from error
        return BigQueryConnection(
            client,
            self._dataset,
            maximum_bytes_billed=self._most,
            has_storage_api="api_endpoint" not in self._options,
        )

    def heads(self) -> HeadStorage:
        """Where the heads are."""
        return HeadTables(self.connection)

    @property
    def physical(self) -> BigQueryTables:
        """The tables of the dataset."""
        return BigQueryTables(self.connection)

    def at(self, name: str) -> str:
        """A table of the dataset, as SQL names it."""
        return f"`{self._project}`.`{self._dataset}`.`{name}`"

    def make_place(self) -> None:
        """Make the dataset, unless it is there.

        Raises:
            StoreUnreachable: it is not there, and may not be made.
            InvalidSetting: its tables would be dropped after a while.
        """
        if self._has_place:
            return
        name = f"{self._project}.{self._dataset}"
        found = self.connection.dataset_found() or self._made_dataset(name)
        if found.default_table_expiration_ms or found.default_partition_expiration_ms:
            raise InvalidSetting(
                f"Tables of the dataset {name!r} expire by default, so that a store in it would "
                f"lose its records. Remove the default expiration, or give another dataset."
            )
        self._has_place = True

    def _made_dataset(self, name: str) -> Dataset:
        if self.read_only:
            raise StoreUnreachable(
                f"The store {self.address!r} cannot be read; there is no dataset {name!r}. Give "
                f"another one, or open the store without read_only=True."
            )
        return self.connection.made_dataset(self._location)

    def load(self, name: str, frame: pa.Table) -> None:
        """Make a staged table; one of a few rows is written out where it is read.

        Raises:
            ValueOutOfRange: a date or moment is in a year that BigQuery does not have.
        """
        check_years(frame)
        text = written_rows(frame)
        if text is not None:
            self._rows[self.new_frame(name)] = text
            return
        self.make_place()
        super().load(name, frame)

    def frame_at(self, at: str) -> str:
        """What stands for a staged or kept table in SQL."""
        return f"({self._rows[at]})" if at in self._rows else super().frame_at(at)

    def drop_frame(self, name: str) -> None:
        """Drop a staged or kept table."""
        if self._rows.pop(self._frames.get(name, ""), None) is None:
            super().drop_frame(name)
        else:
            del self._frames[name]

    def make_kept(self, name: str, sql: str) -> None:
        """Make a table from a query, in one job; it goes after two days."""
        self.make_place()
        at, hours = self.at(self.new_frame(name)), FRAMES_LIVE.days * 24
        expires = f"TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {hours} HOUR)"
        make = f"CREATE TABLE {at} OPTIONS(expiration_timestamp = {expires}) AS"
        estimate = self._estimate
        if estimate is None:
            self.ran(lambda rows: self.connection.execute(f"{make} {rows}"), sql)
            return
        columns = getattr(sql, "columns", {})
        declared = {self.dialect.quoted(n): self.dialect.declared(k) for n, k in columns.items()}
        self.ran(
            lambda rows: estimate.add(
                name, f"{make} {rows}", lambda: self.physical.create_frame(at, declared)
            ),
            sql,
        )

    @contextmanager
    def estimated(self) -> Iterator[Estimate]:
        """The next comparison is estimated and not made, and nothing is written."""
        with self.turn:
            read_only, self.read_only = self.read_only, True
            self._estimate = Estimate(self.connection)
            try:
                with suppress(Compared):
                    yield self._estimate
            finally:
                self.read_only, self._estimate = read_only, None

    def translated(self, error: Exception) -> Exception:
        """What BigQuery says, in our words."""
        return refusal(error, self.address)


def _checked(name: str, value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise InvalidSetting(f"The {name} of a BigQuery store cannot be {value!r}.")
    return value


def _loaded(credentials: Any) -> Any:
    """The credentials in a service account's key, or in the file of one; others as they are."""
    if not isinstance(credentials, str | Path):
        return credentials
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2.service_account import Credentials

    text = str(credentials)
    is_key = text.lstrip().startswith("{")
    try:
        if is_key:
            return Credentials.from_service_account_info(json.loads(text), scopes=_SCOPES)  # type: ignore[no-untyped-call]
        return Credentials.from_service_account_file(text, scopes=_SCOPES)  # type: ignore[no-untyped-call]
    except (GoogleAuthError, OSError, ValueError) as error:
        given = "given as a text" if is_key else repr(text)
        reason = type(error).__name__ if is_key else said(error)
        raise InvalidSetting(
            f"The credentials of a BigQuery store, {given}, are not the key of a service account, "
            f"nor the path of its file: {reason}"
        ) from None  # what is in it may stand in the error


class BigQueryMetadataStore(MetadataStore):
    """A store in a dataset of BigQuery.

    Each statement is a job, which takes a second or more whatever it reads, and is billed for the
    bytes that it reads. Writers of one dataset take turns; readers wait for nobody.

    Args:
        project: the project that holds the dataset, and is billed.
        dataset: the dataset that holds the store, made on first use; several stores are several
            datasets.
        location: where the dataset is, or is made, such as ``"EU"``.
        credentials: those of Google's library, or a service account's key, as the path of its file
            or as the JSON in it; None takes what the environment has.
        parameters: further options of the client, such as ``{"api_endpoint": ...}``.
        maximum_bytes_billed: a query that would be billed for more is refused.
        read_only: refuse writes.
        lock_timeout: seconds to wait for other writers before ``StoreLocked``.
        fallback: a store, or several from the nearest on, whose records are seen below the own
            ones and never written; see ``MetadataStore``.
        hash: algorithm of the versions; BigQuery has ``md5``.
    """

    def __init__(
        self,
        project: str,
        dataset: str = DATASET,
        *,
        location: str | None = None,
        credentials: Any = None,
        parameters: Mapping[str, Any] | None = None,
        maximum_bytes_billed: int | None = None,
        read_only: bool = False,
        lock_timeout: float = 60.0,
        fallback: MetadataStore | Sequence[MetadataStore] = (),
        hash: str | None = None,  # noqa: A002 - the word for it, as in metaxy.toml
    ) -> None:
        self._database = BigQueryBackend(
            project,
            dataset,
            location=location,
            credentials=credentials,
            parameters=parameters or {},
            maximum_bytes_billed=maximum_bytes_billed,
            read_only=read_only,
            lock_timeout=lock_timeout,
        )
        super().__init__(self._database, fallback=fallback, hash=hash)

    def bytes_scanned(self, feature: KeyLike, samples: Any = None) -> int:
        """How many bytes ``resolve_update`` would read now to compare a feature's records.

        It is a dry run, which BigQuery does for nothing: all records are compared, or those that
        a change may have touched, as it would be done. The small tables of the catalog are read.

        Args:
            feature: the feature.
            samples: for a root feature, see ``resolve_update``.
        """
        with self._database.estimated() as estimate:
            self.resolve_update(feature, samples).close()
        return estimate.scanned
