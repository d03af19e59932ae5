"""Calls that carry records over to changed definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metaxy_core.errors import InvalidWrite
from metaxy_core.feature import locate
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey, KeyLike
from metaxy_core.store.migrating import Migrating, Migration
from metaxy_core.store.parts import Calls
from metaxy_core.store.rebase_log import AppliedRebase, RebaseLog
from metaxy_core.store.rebasing import Rebase, Rebasing
from metaxy_core.store.refactoring import RebaseRequest

_FIELDS = "a mapping of field names to former field names"


class MigrationCalls(Calls):
    """Rebases of one feature, and of all whose definition moved."""

    def rebase(
        self,
        feature: KeyLike,
        from_version: str | None = None,
        to_version: str | None = None,
        *,
        fields: Mapping[Any, Any] | None = None,
        samples: Any = None,
        dry_run: bool = False,
        materialization_id: str | None = None,
    ) -> Rebase:
        """Restamp the records of a feature whose definition changed and whose outputs did not.

        A record that was up to date under the former definition is so under the current one
        afterwards. Its data versions stay, so features downstream see no change. Records that were
        stale or orphaned stay so. Nothing is computed.

        Args:
            feature: the feature, in its current definition.
            from_version: beginning of the feature version that the records were written under;
                None means the last other one.
            to_version: beginning of the current feature version, to make sure; anything else is
                refused.
            fields: for each field that was another one before, which: ``{"audio": "sound"}``. Two
                fields may have been one.
            samples: for a root feature without ``version_from``, samples with the versions from
                which the stored records were written.
            dry_run: count, and change nothing.
            materialization_id: what is doing this, for the records' history.

        Returns:
            What was restamped and what was left. A second call finds nothing to do.

        Raises:
            UnknownVersion: a version that is not recorded, or not the code's.
            UnmappedField: a field of which ``fields`` does not say what it was.
            InvalidRebase: the two definitions identify records differently, or there is only one.
            NeedsSamples: a root whose stored columns do not tell its versions.

        Example:
            >>> import polars as pl, metaxy_core as mx
            >>> def release(field):
            ...     class Clip(mx.Feature, spec=mx.FeatureSpec(
            ...         key="clip", id_columns=["id"],
            ...         fields=[mx.FieldSpec(key=field, version_from=["etag"])],
            ...     )):
            ...         id: str
            ...         etag: str
            ...     return Clip
            >>> with mx.FeatureGraph().use(), mx.DuckDBMetadataStore(":memory:") as store:
            ...     clips = pl.DataFrame({"id": ["a"], "etag": ["1"]})
            ...     commit = store.write(release("sound"), clips)
            ...     store.rebase(release("audio"), fields={"audio": "sound"}).records
            1
        """
        graph, key = locate(feature)
        given = _checked_fields({} if fields is None else fields)
        request = RebaseRequest(graph, key, from_version, to_version, given, samples)
        rebasing = Rebasing(self._parts, materialization_id)
        with self._parts.backend.turn:
            with self._parts.backend.snapshot() as snapshot:
                change = rebasing.refactoring(snapshot, request)
                found, verdicts = rebasing.counted(snapshot, change, samples)
            self._parts.backend.drop(verdicts)
            if dry_run or not found.records:
                return found
            return rebasing.apply(change, samples)

    def plan_migration(
        self,
        graph: FeatureGraph | None = None,
        *,
        features: Sequence[KeyLike] | None = None,
        fields: Mapping[Any, Mapping[Any, Any]] | None = None,
        samples: Mapping[Any, Any] | None = None,
    ) -> Migration:
        """What it takes to carry the store over to the code, with counts; nothing is changed.

        Args:
            graph: the graph of the code; the active one where it is None.
            features: the features to migrate; None means all whose definition moved.
            fields: for a feature, what its fields were before: ``{"video": {"audio": "sound"}}``.
            samples: for a root feature, its samples; see ``rebase``.
        """
        migrating = self._migrating(graph, features, fields, samples)
        with self._parts.backend.turn:
            return migrating.plan()

    def migrate(
        self,
        graph: FeatureGraph | None = None,
        *,
        features: Sequence[KeyLike] | None = None,
        fields: Mapping[Any, Mapping[Any, Any]] | None = None,
        samples: Mapping[Any, Any] | None = None,
        materialization_id: str | None = None,
        begin: Callable[[FeatureKey], object] | None = None,
    ) -> Migration:
        """Rebase every feature whose definition moved, upstream first, each under its own commit.

        What a crash leaves undone, the same call does later.

        Args:
            graph: the graph of the code; the active one where it is None.
            features: the features to migrate; None means all whose definition moved.
            fields: for a feature, what its fields were before: ``{"video": {"audio": "sound"}}``.
            samples: for a root feature, its samples; see ``rebase``.
            materialization_id: what is doing this, for the records' history.
            begin: called with the key of each feature before it is rebased.

        Returns:
            What was done; each rebase with its commit.

        Raises:
            MigrationRefused: a feature cannot be rebased as asked; nothing was changed.
        """
        migrating = self._migrating(graph, features, fields, samples, materialization_id)
        with self._parts.backend.turn:
            return migrating.apply(begin)

    def migrations(self) -> tuple[AppliedRebase, ...]:
        """Every rebase that was made, oldest first."""
        with self._parts.backend.snapshot() as snapshot:
            return RebaseLog(self._parts.tables).applied(snapshot)

    def _migrating(
        self,
        graph: FeatureGraph | None,
        features: Sequence[KeyLike] | None,
        fields: Mapping[Any, Mapping[Any, Any]] | None,
        samples: Mapping[Any, Any] | None,
        materialization_id: str | None = None,
    ) -> Migrating:
        graph = FeatureGraph.active() if graph is None else graph
        if isinstance(features, str):
            raise InvalidWrite.from_argument("features", features, "a list of features")
        given = _by_feature("fields", fields)
        given = {key: _checked_fields(mapping) for key, mapping in given.items()}
        frames = _by_feature("samples", samples)
        return Migrating(self._parts, graph, features, given, frames, materialization_id)


def _by_feature(name: str, given: Mapping[Any, Any] | None) -> Mapping[Any, Any]:
    if not isinstance(given, Mapping | None):
        raise InvalidWrite.from_argument(name, given, "a mapping with one entry per feature")
    return {} if given is None else given


def _checked_fields(fields: Mapping[Any, Any]) -> Mapping[Any, Any]:
    if not isinstance(fields, Mapping):
        raise InvalidWrite.from_argument("fields", fields, _FIELDS)
    return fields
