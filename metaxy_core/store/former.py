"""The graph under which a feature was once written, put together from recorded definitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import UpstreamField, plan_feature
from metaxy_core.graph.versions import FeatureVersions, feature_versions
from metaxy_core.keys import FeatureKey
from metaxy_core.store.definitions import RecordedDefinition

Chosen = Mapping[FeatureKey, RecordedDefinition]


class FormerGraphs:
    """Finds the definitions that belonged together.

    A feature version is a hash over everything upstream that it reads, so it tells which of an
    upstream feature's recorded definitions was the one.

    Args:
        recorded: every definition the store knows, oldest first.
    """

    def __init__(self, recorded: Iterable[RecordedDefinition]) -> None:
        self._known: dict[FeatureKey, dict[str, RecordedDefinition]] = defaultdict(dict)
        for each in recorded:
            self._known[each.definition.key][each.version] = each
        self._versions: dict[tuple[FeatureKey, str], FeatureVersions] = {}

    def versions(self, feature: FeatureKey) -> list[str]:
        """The recorded feature versions of a feature, oldest first."""
        return list(self._known.get(feature, ()))

    def graph(self, feature: FeatureKey, version: str) -> FeatureGraph | None:
        """The graph of a feature and its upstream at a version; None where a part is missing."""
        start = self._known[feature][version]
        found = next(self._completed({feature: start}, (start,)), None)
        return None if found is None else FeatureGraph(r.definition for r in found.values())

    def _completed(self, chosen: Chosen, open_: tuple[RecordedDefinition, ...]) -> Iterator[Chosen]:
        """Ways to choose the upstream of some definitions, all of it fitting together."""
        if not open_:
            yield chosen
            return
        for upstream in self._upstream(open_[0], chosen, frozenset()):
            added = {key: item for key, item in upstream.items() if key not in chosen}
            yield from self._completed({**chosen, **added}, (*open_[1:], *added.values()))

    def _upstream(
        self, recorded: RecordedDefinition, chosen: Chosen, below: frozenset[FeatureKey]
    ) -> Iterator[Chosen]:
        """Definitions of the direct deps under which a definition has its recorded version."""
        deps = [dep.feature for dep in recorded.definition.spec.deps]
        below |= {recorded.definition.key}
        offered = [
            [chosen[key]] if key in chosen else self._candidates(key, recorded) for key in deps
        ]
        for items in product(*offered):
            upstream = dict(zip(deps, items, strict=True))
            versions = self._computed(recorded, upstream, below)
            if versions is not None and versions.feature == recorded.version:
                self._versions[recorded.definition.key, recorded.version] = versions
                yield upstream

    def _computed(
        self, recorded: RecordedDefinition, upstream: Chosen, below: frozenset[FeatureKey]
    ) -> FeatureVersions | None:
        """The versions that a definition has over some definitions of its deps."""
        known: dict[UpstreamField, str] = {}
        for key, item in upstream.items():
            versions = None if key in below else self._versions_of(item, below)
            if versions is None:
                return None
            known |= {UpstreamField(key, f): version for f, version in versions.fields.items()}
        definitions = {key: item.definition for key, item in upstream.items()}
        plan = plan_feature(recorded.definition, definitions)
        if any(read not in known for field in plan.fields for read in field.reads):
            return None
        return feature_versions(plan, known)

    def _versions_of(
        self, recorded: RecordedDefinition, below: frozenset[FeatureKey]
    ) -> FeatureVersions | None:
        place = (recorded.definition.key, recorded.version)
        if place not in self._versions:
            next(self._upstream(recorded, {}, below), None)
        return self._versions.get(place)

    def _candidates(
        self, feature: FeatureKey, reader: RecordedDefinition
    ) -> list[RecordedDefinition]:
        """What a dep may have been, the likeliest first: the newest that was recorded by then."""
        newest_first = reversed(self._known.get(feature, {}).values())
        return sorted(newest_first, key=lambda item: item.recorded_at > reader.recorded_at)
