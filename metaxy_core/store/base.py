"""The store as users know it; what it can do stands in ``calls``."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from metaxy_core.compat import StoreNames
from metaxy_core.store.backends.base import Backend
from metaxy_core.store.calls.changes import ChangeCalls
from metaxy_core.store.calls.definitions import DefinitionCalls
from metaxy_core.store.calls.migrations import MigrationCalls
from metaxy_core.store.calls.records import RecordCalls
from metaxy_core.store.calls.updates import UpdateCalls
from metaxy_core.store.parts import Parts


class MetadataStore(
    UpdateCalls, ChangeCalls, RecordCalls, DefinitionCalls, MigrationCalls, StoreNames
):
    """Records of features, their versions and their history, in one database.

    A store is open as long as it is not closed; ``with`` closes it. Anything that names a feature
    takes a class, a spec, a ``FeatureKey``, a list of parts or ``"a/b"``. A frame is a Polars,
    pandas, PyArrow or Ibis table or a DuckDB relation.

    Args:
        backend: the database.
    """

    def __init__(self, backend: Backend) -> None:
        self._parts = Parts.of(backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r})"

    @property
    def address(self) -> str:
        """Where the store is, without secrets."""
        return self._parts.backend.address

    @property
    def kind(self) -> str:
        """Name of the database engine."""
        return self._parts.backend.kind

    def close(self) -> None:
        """Release the connection; results that were not fetched are gone."""
        self._parts.backend.close()
