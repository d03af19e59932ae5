"""The graph is the registry of definitions that belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import DuplicateFeature, UnknownFeature
from metaxy_core.graph import topology, validation
from metaxy_core.graph.plan import FeaturePlan, plan_feature
from metaxy_core.graph.versions import GraphVersions, compute_versions
from metaxy_core.keys import FeatureKey, KeyLike


class FeatureGraph:
    """Features by key, validated as they are added.

    One global graph is active by default; ``use()`` makes another one active for a block, so that
    tests, notebooks and two states of the same code do not meet.

    Example:
        >>> graph = FeatureGraph()
        >>> with graph.use():
        ...     FeatureGraph.active() is graph
        True
    """

    def __init__(self, definitions: Iterable[FeatureDefinition] = ()) -> None:
        self._definitions: dict[FeatureKey, FeatureDefinition] = {}
        self._plans: dict[FeatureKey, FeaturePlan] = {}
        self._versions: GraphVersions | None = None
        self._is_complete = False
        for definition in definitions:
            self.add(definition)

    @staticmethod
    def active() -> FeatureGraph:
        """The graph in which features are registered and looked up at this point."""
        active = _active.get()
        return _global_graph if active is None else active

    @contextmanager
    def use(self) -> Iterator[FeatureGraph]:
        """Make this graph the active one inside a ``with`` block."""
        token = _active.set(self)
        try:
            yield self
        finally:
            _active.reset(token)

    def add(self, definition: FeatureDefinition) -> None:
        """Register a definition; the same class defined again replaces its former self.

        A dependency may be registered later; what can be checked now is checked now.

        Raises:
            DefinitionError: the definition contradicts the graph; the graph is unchanged.
        """
        former = self._definitions.get(definition.key)
        if former is not None and former.origin != definition.origin:
            raise DuplicateFeature.from_origins(definition.key, former.origin, definition.origin)
        changed = {**self._definitions, definition.key: definition}
        validation.check_addition(definition, changed)
        self._definitions = changed
        self._plans.clear()
        self._versions = None
        self._is_complete = False

    def __contains__(self, feature: KeyLike) -> bool:
        return FeatureKey(feature) in self._definitions

    def __len__(self) -> int:
        return len(self._definitions)

    def __iter__(self) -> Iterator[FeatureDefinition]:
        """Definitions, upstream before downstream."""
        self.check_complete()
        return iter([self._definitions[key] for key in topology.ordered(self._definitions)])

    def __getitem__(self, feature: KeyLike) -> FeatureDefinition:
        key = FeatureKey(feature)
        if key not in self._definitions:
            raise UnknownFeature.from_graph(key, list(self._definitions))
        return self._definitions[key]

    def check_complete(self) -> None:
        """Raise ``UnknownFeature`` where a dependency is still missing."""
        if not self._is_complete:
            validation.check_complete(self._definitions)
            self._is_complete = True

    def plan(self, feature: KeyLike) -> FeaturePlan:
        """How a feature's versions and records follow from its upstream features."""
        key = self[feature].key
        if key not in self._plans:
            self.check_complete()
            self._plans[key] = plan_feature(self._definitions[key], self._definitions)
        return self._plans[key]

    @property
    def versions(self) -> GraphVersions:
        """Static versions of every field, every feature and the graph as a whole."""
        if self._versions is None:
            self._versions = compute_versions([self.plan(definition.key) for definition in self])
        return self._versions

    def upstream(self, feature: KeyLike) -> tuple[FeatureDefinition, ...]:
        """Everything a feature depends on, nearest last, in topological order."""
        keys = topology.reachable(self[feature].key, topology.parents(self._definitions))
        return tuple(definition for definition in self if definition.key in keys)

    def downstream(self, feature: KeyLike) -> tuple[FeatureDefinition, ...]:
        """Everything that depends on a feature, in topological order."""
        keys = topology.reachable(self[feature].key, topology.children(self._definitions))
        return tuple(definition for definition in self if definition.key in keys)


_global_graph = FeatureGraph()
_active: ContextVar[FeatureGraph | None] = ContextVar("metaxy_active_graph", default=None)
