"""Definitions and pushed graphs are recorded, so that code can be compared with its past."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import UnknownSnapshot
from metaxy_core.graph.graph import FeatureGraph
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
    """

    id: int
    version: str
    recorded_at: dt.datetime
    features: Mapping[str, str]


class DefinitionLog:
    """Reads and appends recorded definitions and snapshots."""

    def __init__(self, tables: CatalogTables) -> None:
        self._tables = tables

    def snapshots(self, snapshot: Snapshot) -> tuple[RecordedSnapshot, ...]:
        """Every pushed graph, oldest first."""
        rows = self._tables.rows(snapshot, lambda: self._tables[SNAPSHOTS].order_by("snapshot"))
        return tuple(
            RecordedSnapshot(
                row["snapshot"], row["version"], row["recorded_at"], json.loads(row["features"])
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
            return self._recorded(snapshot, used)
        matching = [item for item in pushed if item.version.startswith(version or "")]
        if not matching:
            known = ", ".join(item.version for item in pushed)
            raise UnknownSnapshot(
                f"The store holds no snapshot {version!r}; "
                f"{f'known: {known}' if known else 'none was pushed yet, run `metaxy push`'}."
            )
        return self._recorded(snapshot, matching[-1].features)

    def add(self, transaction: Transaction, definition: FeatureDefinition, version: str) -> None:
        """Record a definition under its feature version, unless it is known."""
        if self._is_known(transaction, str(definition.key), version):
            return
        codes = {str(field.key): field.code_version for field in definition.spec.fields}
        row = {
            "feature": str(definition.key),
            "feature_version": version,
            "code_versions": json.dumps(codes, sort_keys=True),
            "definition": definition.model_dump_json(),
            "recorded_at": dt.datetime.now(dt.UTC),
        }
        self._tables.append(transaction, DEFINITIONS, [row])

    def push(self, transaction: Transaction, graph: FeatureGraph) -> RecordedSnapshot:
        """Record a graph, unless it is the newest one already."""
        pushed = self.snapshots(transaction)
        versions = graph.versions
        if pushed and pushed[-1].version == versions.project:
            return pushed[-1]
        for definition in graph:
            self.add(transaction, definition, versions[definition.key].feature)
        features = {str(key): found.feature for key, found in versions.features.items()}
        now = dt.datetime.now(dt.UTC)
        row: dict[str, Any] = {
            "snapshot": len(pushed) + 1,
            "version": versions.project,
            "features": json.dumps(features, sort_keys=True),
            "recorded_at": now,
        }
        self._tables.append(transaction, SNAPSHOTS, [row])
        return RecordedSnapshot(len(pushed) + 1, versions.project, now, features)

    def _is_known(self, snapshot: Snapshot, feature: str, version: str) -> bool:
        def query() -> ir.Table:
            known = self._tables[DEFINITIONS]
            return known.filter(known.feature == feature, known.feature_version == version)

        return bool(self._tables.rows(snapshot, query, ("definition", feature, version)))

    def _recorded(self, snapshot: Snapshot, versions: Mapping[str, str]) -> FeatureGraph:
        rows = self._tables.rows(snapshot, lambda: self._tables[DEFINITIONS])
        return FeatureGraph(
            FeatureDefinition.model_validate_json(row["definition"])
            for row in rows
            if versions.get(row["feature"]) == row["feature_version"]
        )
