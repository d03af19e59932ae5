"""The graph is the registry of definitions that belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import UnknownFeature
from metaxy_core.graph import topology, validation
from metaxy_core.graph.plan import FeaturePlan, plan_feature
from metaxy_core.graph.versions import GraphVersions, compute_versions
from metaxy_core.keys import FeatureKey, KeyLike


class FeatureGraph:
    """Features by key, validated as they are added.

    One global graph is active by default; ``use()`` makes another one active for a block, so that
    tests, notebooks and two states of the same code do not meet.

    Args:
        definitions: the first features.
        project: name of the project whose features are defined in it.

    Example:
        >>> graph = FeatureGraph()
        >>> with graph.use():
        ...     FeatureGraph.active() is graph
        True
    """

    def __init__(self, definitions: Iterable[FeatureDefinition] = (), *, project: str = "") -> None:
        self._project = project
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

    @property
    def project(self) -> str:
        """Name of the project whose features are defined here; empty where it has none."""
        return self._project

    @property
    def own(self) -> tuple[FeatureDefinition, ...]:
        """The project's own features, upstream before downstream."""
        return tuple(d for d in self if d.project == self._project and not d.external)

    def name_project(self, project: str) -> None:
        """Let everything that has no project yet, and all that is defined from now on, have one.

        Args:
            project: its name.
        """
        self._project = project
        self._replace({key: _named(d, project) for key, d in self._definitions.items()})

    def add(self, definition: FeatureDefinition) -> None:
        """Register a definition; the same class defined again replaces its former self.

        It belongs to the graph's project, unless it says another one. A dependency may be
        registered later; what can be checked now is checked now. An external definition gives way
        to the code of the same feature of the same project.

        Raises:
            DefinitionError: the definition contradicts the graph; the graph is unchanged.
        """
        definition = _named(definition, self._project)
        former = self._definitions.get(definition.key)
        if former is not None:
            validation.check_replacement(former, definition)
            if definition.external and not former.external:
                return
        changed = {**self._definitions, definition.key: definition}
        validation.check_addition(definition, changed)
        self._replace(changed)

    def _replace(self, definitions: dict[FeatureKey, FeatureDefinition]) -> None:
        self._definitions = definitions
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


def _named(definition: FeatureDefinition, project: str) -> FeatureDefinition:
    """A definition with its project, or with this one where it has none."""
    if definition.project or not project:
        return definition
    return definition.model_copy(update={"project": project})


_global_graph = FeatureGraph()
_active: ContextVar[FeatureGraph | None] = ContextVar("metaxy_active_graph", default=None)
