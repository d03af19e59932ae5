"""Calls that change records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from metaxy_core.feature import locate
from metaxy_core.keys import FeatureKey, KeyLike
from metaxy_core.store.arguments import kept_since
from metaxy_core.store.commits import Commit
from metaxy_core.store.committing import Committing, Write
from metaxy_core.store.compacting import Compacting
from metaxy_core.store.deleting import Deleting
from metaxy_core.store.parts import Calls
from metaxy_core.store.tolerance import Same


class ChangeCalls(Calls):
    """Writes and deletes; each is one commit."""

    def write(
        self,
        feature: KeyLike,
        frame: Any,
        *,
        processed: Any = None,
        same: Same | Any = None,
        materialization_id: str | None = None,
    ) -> Commit | None:
        """Append records under one commit, all or none.

        Args:
            feature: the feature.
            frame: rows of an increment with the feature's columns added: id columns, declared
                columns, ``metaxy_provenance_by_field`` and ``metaxy_provenance`` as they came. May
                set ``metaxy_data_version_by_field``, a struct of text or integers, for fields
                whose version is that of the output and not of the input. For a root feature raw
                samples will do.
            processed: for an expansion, the increment's rows of all parents that were processed;
                those without a child are remembered and do not come back. The children of each
                parent in ``frame`` replace its whole former set.
            same: an ``mx.Same`` (or a function of the former and the new rows, or a list of either)
                that says when a record's output did not materially change. It keeps the data
                version it had, and nothing downstream is triggered; the columns are written.
            materialization_id: what is doing this, for the record's history.

        Returns:
            The commit, or None where the frame has no rows.

        Raises:
            DataError: the frame cannot be written; the message names columns and ids.
            ProjectError: the feature is another project's.
            StoreLocked: another process held the store too long.
        """
        graph, key = locate(feature)
        with self._parts.backend.turn:
            committing = Committing(self._parts, materialization_id)
            commits = committing.write([Write(graph, key, frame, processed, same)])
        return commits[0] if commits else None

    def write_all(
        self,
        frames: Mapping[Any, Any],
        *,
        materialization_id: str | None = None,
    ) -> dict[FeatureKey, Commit]:
        """Append records of several features under one commit, all or none.

        Args:
            frames: a frame for each feature; see ``write``. A feature is a class, key or text.
            materialization_id: what is doing this, for the records' history.

        Returns:
            The commit of each feature whose frame has rows; all have the same id.

        Raises:
            DataError: one of the frames cannot be written; nothing is.
        """
        located = [(*locate(feature), frame) for feature, frame in frames.items()]
        with self._parts.backend.turn:
            writes = [Write(graph, key, frame) for graph, key, frame in located]
            commits = Committing(self._parts, materialization_id).write(writes)
        return {commit.feature: commit for commit in commits}

    def delete(
        self,
        feature: KeyLike,
        frame: Any = None,
        *,
        filters: str | None = None,
        hard: bool = False,
        materialization_id: str | None = None,
    ) -> Commit | None:
        """Delete records: softly, as a further entry of their history, or with their history.

        Args:
            feature: the feature.
            frame: a frame with the id columns of the records, such as ``increment.orphaned``.
            filters: or SQL text over the records' columns; combined with ``frame`` both must hold.
            hard: erase every row of the records instead.
            materialization_id: what is doing this.

        Returns:
            The commit, or None where no record matches.

        Raises:
            DataError: neither ``frame`` nor ``filters`` is given, or the ids are not in the frame.
        """
        graph, key = locate(feature)
        with self._parts.backend.turn:
            deleting = Deleting(self._parts, materialization_id)
            return deleting.delete(graph, graph.plan(key), frame, filters, hard=hard)

    def compactable(
        self, feature: KeyLike, *, keep_history: dt.timedelta | dt.datetime | int | None = None
    ) -> int:
        """How many rows ``compact`` would erase; nothing is changed.

        Args:
            feature: the feature.
            keep_history: how much of the past is to stay; see ``compact``.

        Raises:
            InvalidWrite: ``keep_history`` is neither a span, a time nor the id of a commit.
        """
        graph, key = locate(feature)
        since = kept_since(keep_history, dt.datetime.now(dt.UTC))
        with self._parts.backend.turn:
            return Compacting(self._parts, None).compactable(graph.plan(key), since)

    def compact(
        self,
        feature: KeyLike,
        *,
        keep_history: dt.timedelta | dt.datetime | int | None = None,
        materialization_id: str | None = None,
    ) -> Commit | None:
        """Erase former versions of records; what is current stays, and so do tombstones.

        Args:
            feature: the feature.
            keep_history: how much of the past can still be read afterwards: a span of time up to
                now, a time, or the id of a commit; reading ``as_of`` any later moment gives what it
                gave before. None keeps the latest state only.
            materialization_id: what is doing this.

        Returns:
            The commit, whose ``rows`` were erased; None where there was nothing to erase.

        Raises:
            InvalidWrite: ``keep_history`` is none of these.
        """
        graph, key = locate(feature)
        since = kept_since(keep_history, dt.datetime.now(dt.UTC))
        with self._parts.backend.turn:
            compacting = Compacting(self._parts, materialization_id)
            return compacting.compact(graph, graph.plan(key), since)
