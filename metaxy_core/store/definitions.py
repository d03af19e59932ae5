"""Definitions and pushed graphs are recorded, so that code can be compared with its past."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import UnknownSnapshot
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Snapshot, Transaction
from metaxy_core.store.tables import DEFINITIONS, SNAPSHOTS, CatalogTables

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class RecordedSnapshot:
    """A graph as it was pushed to the store.

    Attributes:
        id: position in the order of pushes.
        version: the graph's project version.
        recorded_at: when, in UTC.
        features: feature version of each feature, by key.
        definitions: hash of the whole definition of each feature, by key.
    """

    id: int
    version: str
    recorded_at: dt.datetime
    features: Mapping[str, str]
    definitions: Mapping[str, str]


@dataclass(frozen=True)
class RecordedDefinition:
    """A definition that a feature had.

    Attributes:
        definition: the feature as it was declared.
        version: its feature version.
        recorded_at: when it was recorded, in UTC; its upstream was then, or before.
    """

    definition: FeatureDefinition
    version: str
    recorded_at: dt.datetime


class DefinitionLog:
    """Reads and appends recorded definitions and snapshots."""

    def __init__(self, tables: CatalogTables) -> None:
        self._tables = tables

    def snapshots(self, snapshot: Snapshot) -> tuple[RecordedSnapshot, ...]:
        """Every pushed graph, oldest first."""
        rows = self._tables.rows(snapshot, lambda: self._tables[SNAPSHOTS].order_by("snapshot"))
        return tuple(
            RecordedSnapshot(
                row["snapshot"],
                row["version"],
                row["recorded_at"],
                json.loads(row["features"]),
                json.loads(row["definitions"]),
            )
            for row in rows
        )

    def graph(
        self, snapshot: Snapshot, used: Mapping[str, str], version: str | None = None
    ) -> FeatureGraph:
        """The graph of a pushed snapshot, or of the definitions last used where none was pushed.

        Args:
            snapshot: an open snapshot.
            used: the feature version of each feature's last commit.
            version: beginning of a snapshot's version; the newest where it is None.

        Raises:
            UnknownSnapshot: no snapshot has this version.
        """
        pushed = self.snapshots(snapshot)
        if version is None and not pushed:
            return self._last_used(snapshot, used)
        found = pushed[-1] if version is None else _matching(pushed, version)
        wanted = set(found.definitions.items())
        return FeatureGraph(
            _definition(row)
            for row in self._rows(snapshot)
            if (row["feature"], row["definition_hash"]) in wanted
        )

    def recorded(self, snapshot: Snapshot) -> list[RecordedDefinition]:
        """Every definition that a feature ever had, oldest first."""
        return [
            RecordedDefinition(_definition(row), row["feature_version"], row["recorded_at"])
            for row in self._rows(snapshot)
        ]

    def add(self, transaction: Transaction, graph: FeatureGraph, feature: FeatureKey) -> None:
        """Record the definitions of a feature and of all its upstream, where they are not known."""
        self._add(transaction, graph, (*graph.upstream(feature), graph[feature]))

    def push(self, transaction: Transaction, graph: FeatureGraph) -> RecordedSnapshot:
        """Record a graph, unless it is the newest one already."""
        pushed = self.snapshots(transaction)
        versions = graph.versions
        hashes = {str(definition.key): _hash(definition) for definition in graph}
        if pushed and pushed[-1].definitions == hashes:
            return pushed[-1]
        self._add(transaction, graph, tuple(graph))
        features = {str(key): found.feature for key, found in versions.features.items()}
        now = dt.datetime.now(dt.UTC)
        row: dict[str, Any] = {
            "snapshot": len(pushed) + 1,
            "version": versions.project,
            "features": json.dumps(features, sort_keys=True),
            "definitions": json.dumps(hashes, sort_keys=True),
            "recorded_at": now,
        }
        self._tables.append(transaction, SNAPSHOTS, [row])
        return RecordedSnapshot(len(pushed) + 1, versions.project, now, features, hashes)

    def _add(
        self,
        transaction: Transaction,
        graph: FeatureGraph,
        definitions: Sequence[FeatureDefinition],
    ) -> None:
        known = self._known(transaction, [str(definition.key) for definition in definitions])
        now = dt.datetime.now(dt.UTC)
        rows = [
            {
                "feature": str(definition.key),
                "feature_version": graph.versions[definition.key].feature,
                "code_versions": _code_versions(definition),
                "definition": definition.model_dump_json(),
                "definition_hash": _hash(definition),
                "recorded_at": now,
            }
            for definition in definitions
        ]
        missing = [
            row
            for row in rows
            if (row["feature"], row["feature_version"], row["definition_hash"]) not in known
        ]
        if missing:
            self._tables.append(transaction, DEFINITIONS, missing)

    def _known(self, snapshot: Snapshot, features: Sequence[str]) -> set[tuple[str, str, str]]:
        columns = ("feature", "feature_version", "definition_hash")

        def query() -> ir.Table:
            table = self._tables[DEFINITIONS]
            return table.filter(table.feature.isin(features)).select(*columns)

        rows = self._tables.rows(snapshot, query, ("definitions", *features))
        return {(row["feature"], row["feature_version"], row["definition_hash"]) for row in rows}

    def _last_used(self, snapshot: Snapshot, used: Mapping[str, str]) -> FeatureGraph:
        """For each feature the definition of its last commit, or the newest where it has none."""
        newest: dict[str, dict[str, Any]] = {}
        for row in self._rows(snapshot):
            if used.get(row["feature"], row["feature_version"]) == row["feature_version"]:
                newest[row["feature"]] = row
        return FeatureGraph(_definition(row) for row in newest.values())

    def _rows(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        """Every recorded definition, oldest first."""
        return self._tables.rows(
            snapshot, lambda: self._tables[DEFINITIONS].order_by("recorded_at"), ("recorded",)
        )


def _matching(pushed: Sequence[RecordedSnapshot], version: str) -> RecordedSnapshot:
    matching = {item.version: item for item in pushed if item.version.startswith(version)}
    if len(matching) == 1:
        return matching.popitem()[1]
    if matching:
        raise UnknownSnapshot(
            f"Several snapshots begin with {version!r}: {', '.join(matching)}; give more digits."
        )
    known = ", ".join(item.version for item in pushed)
    raise UnknownSnapshot(
        f"The store holds no snapshot {version!r}; "
        f"{f'known: {known}' if known else 'none was pushed yet, run `metaxy push`'}."
    )


def _definition(row: dict[str, Any]) -> FeatureDefinition:
    return FeatureDefinition.model_validate_json(row["definition"])


def _hash(definition: FeatureDefinition) -> str:
    return hashlib.sha256(definition.model_dump_json().encode()).hexdigest()[:16]


def _code_versions(definition: FeatureDefinition) -> str:
    codes = {str(field.key): field.code_version for field in definition.spec.fields}
    return json.dumps(codes, sort_keys=True)
