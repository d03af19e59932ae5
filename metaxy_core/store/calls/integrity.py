"""Calls that look for what must not be."""

from __future__ import annotations

from metaxy_core.feature import locate
from metaxy_core.keys import KeyLike
from metaxy_core.store.integrity import Integrity, found_integrity
from metaxy_core.store.parts import Calls


class IntegrityCalls(Calls):
    """The integrity of what is stored."""

    def integrity(self, feature: KeyLike) -> Integrity:
        """Whether ids are unique, versions complete and columns as declared, in what is stored.

        A store that only Metaxy wrote to never fails this, but for columns and fields that were
        declared since and whose records were not computed again. Every record is looked at.

        Args:
            feature: the feature.

        Example:
            >>> import polars as pl, metaxy_core as mx
            >>> with mx.FeatureGraph().use():
            ...     class Clip(mx.Feature, spec=mx.FeatureSpec(
            ...         key="clip", id_columns=["id"],
            ...         fields=[mx.FieldSpec(key="audio", version_from=["etag"])],
            ...     )):
            ...         id: str
            ...         etag: str
            >>> with mx.DuckDBMetadataStore(":memory:") as store:
            ...     commit = store.write(Clip, pl.DataFrame({"id": ["a"], "etag": ["1"]}))
            ...     found = store.integrity(Clip)
            >>> bool(found), found.records, found.repeated
            (True, 1, 0)
        """
        graph, key = locate(feature)
        with self._parts.backend.turn, self._parts.backend.snapshot() as snapshot:
            return found_integrity(self._parts, snapshot, graph[key])
