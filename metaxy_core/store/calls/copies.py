"""Calls that copy records from another store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metaxy_core.errors import CopyRefused, InvalidWrite
from metaxy_core.feature import locate
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey, HasSpec, Key, KeyLike
from metaxy_core.store.copy_progress import CopiedFeature, CopyProgress
from metaxy_core.store.copy_source import CopySource
from metaxy_core.store.copying import Copying
from metaxy_core.store.parts import Calls, Parts

if TYPE_CHECKING:
    from metaxy_core.store.backends.base import Backend
    from metaxy_core.store.base import MetadataStore


class CopyCalls(Calls):
    """Records of another store."""

    def copy_from(
        self,
        source: MetadataStore,
        features: Sequence[KeyLike] | None = None,
        history: bool = True,  # noqa: FBT001, FBT002 - read(history=...) is the same word
        *,
        tell: Callable[[CopyProgress], object] | None = None,
    ) -> tuple[CopiedFeature, ...]:
        """Copy records from another store, of any kind, with their versions, commits and times.

        Each commit of the source becomes one commit here, all or nothing, and is remembered. So
        what a crash left out, and what the source did since, the same call copies later.
        Definitions are recorded as the source recorded them. Fallbacks of either store are left
        alone; claims, failed attempts, planned batches and pushed snapshots stay behind.

        Args:
            source: the other store.
            features: the features; None means all of the active graph. Copy those together that
                depend on each other, so that their commits keep their order.
            history: every row of the source; otherwise only the latest of each record, and of
                each parent of an expansion, with those that say that it is deleted.
            tell: called with the progress after every batch of rows and every commit.

        Returns:
            What was copied of each feature.

        Raises:
            InvalidWrite: the source is no store, ``features`` is no list, or the active graph is
                empty.
            CopyRefused: this store has other records of a feature, or another hash algorithm, or
                is the source.
            CopyOvertaken: somebody else changed the features here meanwhile.
            FeatureOwned: a feature is another project's in this store.

        Example:
            >>> import polars as pl, metaxy_core as mx
            >>> with mx.FeatureGraph().use():
            ...     class Clip(mx.Feature, spec=mx.FeatureSpec(
            ...         key="clip", id_columns=["id"],
            ...         fields=[mx.FieldSpec(key="audio", version_from=["etag"])],
            ...     )):
            ...         id: str
            ...         etag: str
            >>> with mx.DuckDBMetadataStore() as old, mx.SQLiteMetadataStore() as new:
            ...     commit = old.write(Clip, pl.DataFrame({"id": ["a"], "etag": ["1"]}))
            ...     (first,), (second,) = (new.copy_from(old, [Clip]) for _ in range(2))
            >>> (first.rows, first.already), (second.rows, second.already)
            ((1, 0), (0, 1))
        """
        if not isinstance(source, Calls):
            raise InvalidWrite.from_argument("source", source, "an open store")
        graph, keys = _located(features)
        there, here = _own_parts(source), _own_parts(self)
        _check_apart(there, here)
        copied = CopySource(there, graph, keys, history=bool(history))
        return Copying(copied, here, graph, tell).copy()


def _located(features: Sequence[KeyLike] | None) -> tuple[FeatureGraph, tuple[FeatureKey, ...]]:
    if features is None:
        graph = FeatureGraph.active()
        if not (found := tuple(definition.key for definition in graph)):
            wanted = "the features: the active graph, which another thread does not have, is empty"
            raise InvalidWrite.from_argument("features", None, wanted)
        return graph, found
    if isinstance(features, str | Key | HasSpec) or not isinstance(features, Sequence):
        raise InvalidWrite.from_argument("features", features, "a list of features")
    located = [locate(feature) for feature in features]
    graph = located[0][0] if located else FeatureGraph.active()
    return graph, tuple(dict.fromkeys(graph[key].key for _, key in located))


def _own_parts(store: Calls) -> Parts:
    """The parts of a store, without its fallbacks."""
    parts = store._parts  # noqa: SLF001 - the calls of another store
    with parts.backend.snapshot() as snapshot:
        return parts.alone(snapshot)


def _place(backend: Backend) -> str:
    """The address of a store; of one in files the same whichever path leads there."""
    path = Path(backend.address)
    return str(path.resolve()) if backend.capabilities.files and path.exists() else backend.address


def _check_apart(source: Parts, target: Parts) -> None:
    """Two stores with one hash algorithm."""
    one, other = source.backend, target.backend
    same_place = (one.kind, _place(one)) == (other.kind, _place(other))
    if one is other or (same_place and one.capabilities.durable):
        raise CopyRefused.from_itself(other.address)
    if source.tables.algorithm != target.tables.algorithm:
        raise CopyRefused.from_hashes(
            one.address,
            source.tables.algorithm,
            other.address,
            target.tables.algorithm,
            other.capabilities.hashes,
        )
