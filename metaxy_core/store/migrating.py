"""A migration rebases every feature whose definition moved, upstream before downstream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from metaxy_core.errors import InvalidSamples, MigrationError, MigrationRefused
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.parts import Parts
from metaxy_core.store.rebasing import Rebase, Rebasing
from metaxy_core.store.refactoring import RebaseRequest

if TYPE_CHECKING:
    import ibis.expr.types as ir

Begin = Callable[[FeatureKey], object]


@dataclass(frozen=True)
class Migration:
    """What it takes to carry a store over to the code, or what was done.

    Attributes:
        version: the project version of the code.
        rebases: for each feature whose definition moved, upstream first, what becomes of its
            records.
        refused: for each of the others, why its records cannot be carried over as asked.
    """

    version: str
    rebases: tuple[Rebase, ...]
    refused: Mapping[FeatureKey, str]

    @property
    def to_do(self) -> tuple[Rebase, ...]:
        """The rebases that have records to restamp and were not made."""
        return tuple(each for each in self.rebases if each.records and each.commit is None)

    def __bool__(self) -> bool:
        """Whether there is anything to do, or something that cannot be done yet."""
        return bool(self.to_do or self.refused)


class Migrating:
    """One migration.

    Args:
        parts: the store.
        graph: the graph of the code.
        features: the features to migrate; None for all.
        fields: for a feature, its own fields with the former field of each.
        samples: for a root feature, its samples.
        materialization_id: what is doing this.
    """

    def __init__(
        self,
        parts: Parts,
        graph: FeatureGraph,
        features: Sequence[Any] | None,
        fields: Mapping[Any, Mapping[Any, Any]],
        samples: Mapping[Any, Any],
        materialization_id: str | None = None,
    ) -> None:
        self._backend = parts.backend
        self._catalog = parts.catalog
        self._graph = graph
        self._wanted = None if features is None else {graph[each].key for each in features}
        self._fields = {graph[each].key: given for each, given in fields.items()}
        self._samples = {graph[each].key: frame for each, frame in samples.items()}
        self._rebasing = Rebasing(parts, materialization_id)

    def plan(self) -> Migration:
        """What there is to do; nothing is done.

        The records of a feature are counted as they will be once its upstream is rebased.
        """
        rebases: list[Rebase] = []
        refused: dict[FeatureKey, str] = {}
        planned: dict[FeatureKey, tuple[ir.Table, tuple[str, ...]]] = {}
        with ExitStack() as kept, self._backend.snapshot() as snapshot:
            for request in self._requests(snapshot):
                key = request.feature
                try:
                    change = self._rebasing.refactoring(snapshot, request)
                    rebase, verdicts = self._rebasing.counted(
                        snapshot, change, request.samples, planned
                    )
                except (MigrationError, InvalidSamples) as error:
                    refused[key] = str(error)
                else:
                    rebases.append(rebase)
                    planned[key] = (verdicts, change.current.grain)
                    kept.callback(self._backend.drop, verdicts)
        return Migration(self._graph.versions.project, tuple(rebases), refused)

    def apply(self, begin: Begin | None = None) -> Migration:
        """Rebase one feature after the other; each is a commit of its own.

        Args:
            begin: called with each feature before it is rebased.

        Raises:
            MigrationRefused: some feature cannot be rebased; none was.
        """
        plan = self.plan()
        if plan.refused:
            raise MigrationRefused.from_reasons(list(plan.refused.values()))
        done = {each.feature: each for each in plan.rebases}
        for rebase in plan.to_do:
            if begin is not None:
                begin(rebase.feature)
            done[rebase.feature] = self._applied(rebase)
        return replace(plan, rebases=tuple(done.values()))

    def _applied(self, rebase: Rebase) -> Rebase:
        request = self._request(rebase.feature, rebase.from_version)
        with self._backend.snapshot() as snapshot:
            change = self._rebasing.refactoring(snapshot, request)
        return self._rebasing.apply(change, request.samples)

    def _requests(self, snapshot: Snapshot) -> list[RebaseRequest]:
        """One for each wanted feature that was last stamped under another definition."""
        used = self._catalog.versions_used(snapshot)
        versions = self._graph.versions
        return [
            self._request(definition.key, used[definition.key][0])
            for definition in self._graph
            if (self._wanted is None or definition.key in self._wanted)
            and definition.key in used
            and used[definition.key][0] != versions[definition.key].feature
        ]

    def _request(self, key: FeatureKey, from_version: str) -> RebaseRequest:
        return RebaseRequest(
            self._graph,
            key,
            from_version,
            fields=self._fields.get(key, {}),
            samples=self._samples.get(key),
        )
