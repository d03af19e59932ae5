"""A store remembers its format and its hash algorithm; one that was made otherwise is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from metaxy_core.engine.hashing import MD5, XXH64
from metaxy_core.errors import InvalidSetting, StoreFormatMismatch
from metaxy_core.errors.base import nearest
from metaxy_core.store.backends.base import Backend, ChoosesHash, Snapshot
from metaxy_core.store.layers import Layer

FORMAT: Final = 3
STORE: Final = "metaxy__store"


class StoreHash:
    """The hash algorithm of a store, decided when it is first looked into.

    Args:
        backend: the database.
        wanted: the algorithm that was asked for; None takes what the store has, or its nearest
            fallback, and md5 where there is none yet.

    Raises:
        InvalidSetting: there is no such algorithm, or the database does not have it.
    """

    def __init__(self, backend: Backend, wanted: str | None) -> None:
        self._backend = backend
        self._known = backend.capabilities.hashes
        self._algorithm: str | None = None
        self._checked: set[int] = set()
        if wanted is not None:
            self._check_known(wanted)
            self._use(wanted)

    @property
    def algorithm(self) -> str:
        """The algorithm; md5 as long as nothing decided."""
        return self._algorithm or MD5

    def check(self, snapshot: Snapshot, layers: Sequence[Layer]) -> None:
        """Hold every store of a snapshot to one format and one algorithm.

        Raises:
            StoreFormatMismatch: one of them has another.
        """
        if len(self._checked) == len(layers):
            return
        for layer in layers:
            if layer.depth not in self._checked and layer.tables.has(STORE):
                self._check_layer(snapshot, layer)
                self._checked.add(layer.depth)
        if self._algorithm is None:
            self._use(MD5)

    def _check_layer(self, snapshot: Snapshot, layer: Layer) -> None:
        for row in self._rows(snapshot, layer):
            if row["format"] != FORMAT or row["hash"] not in self._known:
                raise StoreFormatMismatch(
                    f"The store {layer.address!r} has format {row['format']} with {row['hash']} "
                    f"versions; this release reads format {FORMAT} with "
                    f"{' or '.join(self._known)}. Open it with the release that made it, or give "
                    f"another path."
                )
            if self._algorithm is None:
                self._use(row["hash"])
            elif self._algorithm != row["hash"]:
                raise self._mismatch(layer, row["hash"])

    def _mismatch(self, layer: Layer, found: str) -> StoreFormatMismatch:
        if not layer.depth:
            return StoreFormatMismatch(
                f"The store {layer.address!r} has {found} versions and is opened with "
                f"hash={self._algorithm!r}. Open it with hash={found!r}, or without to take what "
                f"it has; versions of two algorithms cannot be compared."
            )
        return StoreFormatMismatch(
            f"The fallback {layer.address!r} has {found} versions, and the store "
            f"{self._backend.address!r} over it has {self._algorithm}. Versions of two algorithms "
            f"cannot be compared: give the store a new path, with hash={found!r}."
        )

    def _rows(self, snapshot: Snapshot, layer: Layer) -> list[dict[str, Any]]:
        columns = {"format": "int64", "hash": "string"}
        own = None if layer.depth else self._backend.stored(STORE, columns)
        table = layer.tables.table(STORE) if own is None else own
        if table is None:
            return []
        sql = self._backend.sql(lambda: table.select("format", "hash"), ("format", table.op()))
        rows: list[dict[str, Any]] = snapshot.fetch(sql).to_pylist()
        return rows

    def _use(self, algorithm: str) -> None:
        self._algorithm = algorithm
        if isinstance(self._backend, ChoosesHash):
            self._backend.use_hash(algorithm)

    def _check_known(self, wanted: str) -> None:
        if wanted in self._known:
            return
        if wanted in (MD5, XXH64):
            raise InvalidSetting(
                f"A {self._backend.kind} store cannot have hash={wanted!r}; choose "
                f"{' or '.join(map(repr, self._known))}."
            )
        raise InvalidSetting(
            f"hash={wanted!r} is no hash algorithm; {nearest(wanted, (MD5, XXH64))} Known are "
            f"{MD5!r} and {XXH64!r}."
        )
