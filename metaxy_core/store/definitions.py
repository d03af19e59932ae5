"""Definitions and pushed graphs are recorded, so that code can be compared with its past."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import ForeignProvenance
from metaxy_core.graph import topology
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Snapshot, Transaction
from metaxy_core.store.layers import Layer
from metaxy_core.store.ownership import check_not_external, check_owner, owners
from metaxy_core.store.snapshots import RecordedSnapshot, matching, to_row, to_snapshot
from metaxy_core.store.tables import DEFINITIONS, SNAPSHOTS, CatalogTables

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Whose a feature is stands in a column: it may change while the definition stays.
_OWNERSHIP: Final = {"project", "external"}
_KNOWN: Final = ("feature", "feature_version", "definition_hash", "project")


@dataclass(frozen=True)
class RecordedDefinition:
    """A definition under which something was written or pushed.

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

    # ------------------------------------------------------------------ reading

    def snapshots(
        self, snapshot: Snapshot, project: str | None = None
    ) -> tuple[RecordedSnapshot, ...]:
        """Every pushed graph, oldest first; of the nearest fallback that has any, else.

        Args:
            snapshot: where to read.
            project: only those of this project; None for all.
        """
        fallbacks = [layer for layer in self._tables.layers(snapshot) if layer.depth]
        for layer in (None, *fallbacks):
            pushed = self._pushed(snapshot, layer)
            if found := tuple(item for item in pushed if project in {None, item.project}):
                return found
        return ()

    def _pushed(
        self, snapshot: Snapshot, layer: Layer | None = None
    ) -> tuple[RecordedSnapshot, ...]:
        """The graphs that were pushed to one store; to the own one by default."""
        table = None if layer is None else layer.tables.table(SNAPSHOTS)
        if table is None:
            own = self._tables[SNAPSHOTS]
            rows = self._tables.rows(snapshot, lambda: own.order_by("snapshot"), ("snapshots",))
        else:
            rows = self._tables.rows_over(snapshot, lambda: table.order_by("snapshot"))
        return tuple(to_snapshot(row) for row in rows)

    def newest(self, snapshot: Snapshot, projects: Sequence[str]) -> dict[str, RecordedSnapshot]:
        """The newest snapshot of each of these projects that has one."""
        rows = self._tables.rows(snapshot, self._newest(projects), ("newest", *projects))
        return {row["project"] or "": to_snapshot(row) for row in rows}

    def projects(self, snapshot: Snapshot) -> list[str]:
        """Names of the projects that recorded anything."""

        def query() -> ir.Table:
            names = [self._tables[name].select("project") for name in (DEFINITIONS, SNAPSHOTS)]
            return names[0].union(names[1], distinct=True)

        rows = self._tables.rows(snapshot, query, ("projects",))
        return sorted({row["project"] or "" for row in rows})

    def recorded(self, snapshot: Snapshot) -> list[RecordedDefinition]:
        """Every definition that a feature ever had, oldest first."""
        return [
            RecordedDefinition(
                _definition(row, row["project"] or "", external=False),
                row["feature_version"],
                row["recorded_at"],
            )
            for row in self._rows(snapshot)
        ]

    def rows_of(self, snapshot: Snapshot, features: Collection[str]) -> list[dict[str, Any]]:
        """What is recorded of some features, oldest first, for another store to adopt."""
        names = sorted(features)

        def query() -> ir.Table:
            table = self._tables[DEFINITIONS]
            return table.filter(table.feature.isin(names)).order_by("recorded_at")

        return self._tables.rows(snapshot, query, ("definition rows", *names))

    def graph(
        self,
        snapshot: Snapshot,
        used: Mapping[str, str],
        project: str,
        version: str | None = None,
    ) -> FeatureGraph:
        """The graph of a pushed snapshot, or of the definitions last used where none was pushed.

        Args:
            snapshot: an open snapshot.
            used: the feature version of each feature's last commit.
            project: whose graph.
            version: a snapshot's number, the beginning of its version, or ``previous``; the newest
                one where it is None.

        Raises:
            UnknownSnapshot: no snapshot has this version.
        """
        pushed = self.snapshots(snapshot, project)
        if version is None and not pushed:
            return self._last_used(snapshot, used, project)
        found = pushed[-1] if version is None else matching(pushed, version, project)
        wanted = set(found.definitions.items())
        rows = {
            row["feature"]: row
            for row in self._rows(snapshot)
            if (row["feature"], row["definition_hash"]) in wanted
        }
        definitions = (
            _definition(row, project, external=False)
            if name in found.features
            else _definition(row, row["project"] or "", external=True)
            for name, row in rows.items()
        )
        return FeatureGraph(definitions, project=project)

    # ------------------------------------------------------------------ recording

    def check_code(
        self, snapshot: Snapshot, definition: FeatureDefinition, versions: Collection[str]
    ) -> None:
        """The code of a feature is what it was under some feature versions.

        Raises:
            ForeignProvenance: it was another one, or such a version is not known here.
        """
        if not versions:
            return
        name = str(definition.key)

        def query() -> ir.Table:
            table = self._tables[DEFINITIONS]
            return table.filter(table.feature == name).select("feature_version", "code_versions")

        rows = self._tables.rows(snapshot, query, ("code versions", name))
        codes = _code_versions(definition)
        same = {row["feature_version"] for row in rows if row["code_versions"] == codes}
        for version in sorted(set(versions) - same):
            raise ForeignProvenance(
                f"The frame for '{name}' was resolved under feature version {version}, whose code "
                f"versions are not those of the present {codes}: what it holds was computed by "
                f"other code. Resolve '{name}' again; nothing was written."
            )

    def add(self, transaction: Transaction, graph: FeatureGraph, feature: FeatureKey) -> None:
        """Record the definitions of a feature and of all its upstream, where they are not known.

        Raises:
            ExternalFeature: the feature is another project's.
            FeatureOwned: another project has a feature of such a key in the store.
        """
        check_not_external(graph[feature], "change")
        self._add(transaction, graph, (*graph.upstream(feature), graph[feature]))

    def push(self, transaction: Transaction, graph: FeatureGraph) -> RecordedSnapshot:
        """Record a graph, unless it is the newest one of its project already.

        Raises:
            FeatureOwned: another project has a feature of such a key in the store.
        """
        pushed = self._pushed(transaction)
        hashes = {str(definition.key): _hash(definition) for definition in graph}
        features = {str(d.key): graph.versions[d.key].feature for d in graph.own}
        last = next((item for item in reversed(pushed) if item.project == graph.project), None)
        if last and last.definitions == hashes and last.features.keys() == features.keys():
            return last
        self._add(transaction, graph, tuple(graph))
        added = RecordedSnapshot(
            id=len(pushed) + 1,
            project=graph.project,
            version=graph.versions.project,
            recorded_at=dt.datetime.now(dt.UTC),
            features=features,
            definitions=hashes,
        )
        self._tables.append(transaction, SNAPSHOTS, [to_row(added)])
        return added

    def adopt(
        self,
        transaction: Transaction,
        graph: FeatureGraph,
        features: Sequence[FeatureKey],
        rows: Sequence[Mapping[str, Any]],
    ) -> None:
        """Record definitions as another store did, where they are not known.

        Args:
            transaction: the change to make it in.
            graph: the graph of the features.
            features: those that are going to be changed; they have to be free, or the project's.
            rows: what the other store recorded of them and of all their upstream.

        Raises:
            FeatureOwned: another project has a feature of such a key in the store.
        """
        recorded = self._recorded(transaction, sorted({row["feature"] for row in rows}))
        owner = owners(rows)
        for feature in features:
            definition = graph[feature].model_copy(update={"project": owner.get(str(feature), "")})
            check_owner(
                definition,
                recorded,
                lambda name: self.newest(transaction, [name]).get(name),
                self._tables.address,
            )
        known = {tuple(row[name] or "" for name in _KNOWN) for row in recorded}
        missing = [
            dict(row) for row in rows if tuple(row[name] or "" for name in _KNOWN) not in known
        ]
        if missing:
            self._tables.append(transaction, DEFINITIONS, missing)

    def _add(
        self,
        transaction: Transaction,
        graph: FeatureGraph,
        definitions: Sequence[FeatureDefinition],
    ) -> None:
        """Record definitions; what is not external has to be free or the project's already."""
        recorded = self._recorded(transaction, [str(d.key) for d in definitions])
        owner = owners(recorded)
        claimed = [definition for definition in definitions if not definition.external]
        for definition in claimed:
            check_owner(
                definition,
                recorded,
                lambda name: self.newest(transaction, [name]).get(name),
                self._tables.address,
            )
        taken = {str(d.key) for d in claimed if owner.get(str(d.key)) != d.project}
        rows_of = (row for row in recorded if row["feature"] not in taken)
        known = {tuple(row[name] or "" for name in _KNOWN) for row in rows_of}
        now = dt.datetime.now(dt.UTC)
        rows = [
            {
                "feature": str(definition.key),
                "feature_version": graph.versions[definition.key].feature,
                "code_versions": _code_versions(definition),
                "definition": definition.model_dump_json(exclude=_OWNERSHIP),
                "definition_hash": _hash(definition),
                "project": definition.project,
                "recorded_at": now,
            }
            for definition in definitions
        ]
        missing = [row for row in rows if tuple(row[name] for name in _KNOWN) not in known]
        if missing:
            self._tables.append(transaction, DEFINITIONS, missing)

    # ------------------------------------------------------------------ details

    def _newest(self, projects: Sequence[str]) -> Callable[[], ir.Table]:
        def query() -> ir.Table:
            table = self._tables[SNAPSHOTS]
            named = table.filter(table.project.fill_null("").isin(projects))
            last = named.group_by("project").agg(snapshot=named.snapshot.max())
            return table.semi_join(last, ["snapshot"])

        return query

    def _recorded(self, snapshot: Snapshot, features: Sequence[str]) -> list[dict[str, Any]]:
        """What is known of some features' definitions, oldest first."""

        def query() -> ir.Table:
            table = self._tables[DEFINITIONS]
            found = table.filter(table.feature.isin(features))
            return found.select(*_KNOWN, "recorded_at").order_by("recorded_at")

        return self._tables.rows(snapshot, query, ("definitions", *features))

    def _last_used(self, snapshot: Snapshot, used: Mapping[str, str], project: str) -> FeatureGraph:
        """For each feature the definition of its last commit, or the newest where it has none.

        A project that recorded nothing yet is taken for one that had no name before.
        """
        rows = self._rows(snapshot)
        newest: dict[str, dict[str, Any]] = {}
        for row in rows:
            if used.get(row["feature"], row["feature_version"]) == row["feature_version"]:
                newest[row["feature"]] = row
        owner = owners(rows)
        whose = project if project in owner.values() else ""
        own = [name for name in newest if owner[name] == whose]
        known = {
            FeatureKey(name): _definition(row, owner[name], external=owner[name] != whose)
            for name, row in newest.items()
        }
        read = (topology.reachable(FeatureKey(name), topology.parents(known)) for name in own)
        wanted = {FeatureKey(name) for name in own}.union(*read)
        return FeatureGraph((d for key, d in known.items() if key in wanted), project=whose)

    def _rows(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        """Every recorded definition, oldest first."""
        return self._tables.rows_over(
            snapshot,
            lambda: self._tables.over(snapshot, DEFINITIONS).order_by("recorded_at"),
            ("all definitions",),
        )


def _definition(row: Mapping[str, Any], project: str, *, external: bool) -> FeatureDefinition:
    definition = FeatureDefinition.model_validate_json(row["definition"])
    return definition.model_copy(update={"project": project, "external": external})


def _hash(definition: FeatureDefinition) -> str:
    text = definition.model_dump_json(exclude=_OWNERSHIP)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _code_versions(definition: FeatureDefinition) -> str:
    codes = {str(field.key): field.code_version for field in definition.spec.fields}
    return json.dumps(codes, sort_keys=True)
