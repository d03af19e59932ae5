"""The store as users know it; what it can do stands in ``calls``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from metaxy_core.compat import StoreNames
from metaxy_core.errors import InvalidFallback
from metaxy_core.store.backends.base import Backend
from metaxy_core.store.calls.attempts import AttemptCalls
from metaxy_core.store.calls.batches import BatchCalls
from metaxy_core.store.calls.changes import ChangeCalls
from metaxy_core.store.calls.claims import ClaimCalls
from metaxy_core.store.calls.copies import CopyCalls
from metaxy_core.store.calls.definitions import DefinitionCalls
from metaxy_core.store.calls.explanations import ExplanationCalls
from metaxy_core.store.calls.integrity import IntegrityCalls
from metaxy_core.store.calls.migrations import MigrationCalls
from metaxy_core.store.calls.plans import PlanCalls
from metaxy_core.store.calls.records import RecordCalls
from metaxy_core.store.calls.updates import UpdateCalls
from metaxy_core.store.calls.watching import WatchingCalls
from metaxy_core.store.parts import Parts


class MetadataStore(
    UpdateCalls,
    PlanCalls,
    ExplanationCalls,
    AttemptCalls,
    ClaimCalls,
    BatchCalls,
    ChangeCalls,
    IntegrityCalls,
    MigrationCalls,
    CopyCalls,
    RecordCalls,
    WatchingCalls,
    DefinitionCalls,
    StoreNames,
):
    """Records of features, their versions and their history, in one database.

    A store is open as long as it is not closed; ``with`` closes it. Anything that names a feature
    takes a class, a spec, a ``FeatureKey``, a list of parts or ``"a/b"``. A frame is a Polars,
    pandas, PyArrow or Ibis table or a DuckDB relation.

    Args:
        backend: the database.
        fallback: a store, or several from the nearest on, whose records are seen below the own
            ones and never written. The fallbacks of a fallback follow it. They stay open when this
            store is closed.
        hash: algorithm of the versions, ``md5`` or ``xxh64``; None takes what the store has, or
            its nearest fallback, and md5 for a new one.

    Raises:
        InvalidFallback: a fallback is no store, is this store itself, or comes twice.
        InvalidSetting: the database does not have the hash algorithm.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        fallback: MetadataStore | Sequence[MetadataStore] = (),
        hash: str | None = None,  # noqa: A002 - the word for it, as in metaxy.toml
    ) -> None:
        self._backend = backend
        try:
            self._fallbacks = _chain(fallback)
            self._parts = Parts.of(backend, [store.backend for store in self._fallbacks], hash)
        except BaseException:
            backend.close()  # a shared database would count it as a user
            raise
        self._closing = ExitStack()

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

    @property
    def backend(self) -> Backend:
        """The database, without fallbacks."""
        return self._backend

    @property
    def fallbacks(self) -> tuple[MetadataStore, ...]:
        """The stores whose records are seen below the own ones, nearest first."""
        return self._fallbacks

    def close(self) -> None:
        """Release the connection; results that were not fetched are gone."""
        self._parts.backend.close()
        self._closing.close()

    def close_with_it(self, stores: Iterable[MetadataStore]) -> None:
        """Close other stores, such as fallbacks that nobody else uses, when this one is closed."""
        for store in stores:
            self._closing.callback(store.close)


def _chain(fallback: MetadataStore | Sequence[MetadataStore]) -> tuple[MetadataStore, ...]:
    """Fallbacks with theirs, nearest first, each once."""
    given = [fallback] if isinstance(fallback, MetadataStore) else fallback
    if isinstance(given, str) or not all(isinstance(store, MetadataStore) for store in given):
        raise InvalidFallback(
            f"fallback={fallback!r} is no store; open it first, such as "
            f"fallback=DuckDBMetadataStore('production.duckdb', read_only=True)."
        )
    return tuple(dict.fromkeys(each for store in given for each in (store, *store.fallbacks)))
