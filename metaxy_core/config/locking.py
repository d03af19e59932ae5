"""Locking takes the definitions of other projects' features from the snapshots they pushed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from metaxy_core.config.lock import Externals, Lock, LockedFeature
from metaxy_core.errors import InvalidSelection, LockOutOfDate, NotPushed, UnknownFeature
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey

if TYPE_CHECKING:
    from metaxy_core.store.base import MetadataStore
    from metaxy_core.store.snapshots import RecordedSnapshot


def lock_externals(store: MetadataStore, externals: Externals, project: str) -> Lock:
    """The external features that a configuration names, with everything upstream of them.

    A feature that the configuration names itself is taken from its own project; what is only
    upstream of such features is taken as the project that reads it had it.

    Args:
        store: where the other projects pushed their graphs.
        externals: a selection of features for each project.
        project: the project that wants them; its own features are left out.

    Raises:
        NotPushed: one of the projects has no snapshot in the store.
        InvalidSelection: nothing in a project's snapshot matches a term of its selection.
    """
    newest = store.newest_snapshots(sorted(externals))
    chosen: dict[str, LockedFeature] = {}
    upstream: dict[str, LockedFeature] = {}
    for name, terms in sorted(externals.items()):
        if name not in newest:
            known = sorted({snapshot.project for snapshot in store.snapshots()})
            raise NotPushed.from_store(name, store.address, known)
        for is_chosen, key, feature in _locked(store, newest[name], terms):
            if feature.project != project:
                (chosen if is_chosen else upstream).setdefault(key, feature)
    features = {**upstream, **chosen}
    return Lock(externals, {key: features[key] for key in sorted(features)})


def check_lock(store: MetadataStore, lock: Lock, file: Path) -> None:
    """Compare what was locked with what its projects pushed last, by one small query.

    A project that the store holds no snapshot of is not compared.

    Args:
        store: where the projects push their graphs.
        lock: the lock.
        file: where it stands, for messages.

    Raises:
        LockOutOfDate: a feature is not what it was.
    """
    if not lock.features:
        return
    newest = store.newest_snapshots(sorted({found.via for found in lock.features.values()}))
    current = {
        key: _as_pushed(key, found, newest[found.via]) if found.via in newest else found
        for key, found in lock.features.items()
    }
    known = {key: found for key, found in current.items() if found is not None}
    if moved := Lock(lock.externals, known).moved_since(lock):
        raise LockOutOfDate.from_features(file, moved)


def _as_pushed(key: str, locked: LockedFeature, snapshot: RecordedSnapshot) -> LockedFeature | None:
    if key not in snapshot.definitions:
        return None
    return LockedFeature(
        project=locked.project,
        via=locked.via,
        snapshot=snapshot.version,
        version=snapshot.features.get(key, locked.version),
        hash=snapshot.definitions[key],
        definition=locked.definition,
    )


def _locked(
    store: MetadataStore, snapshot: RecordedSnapshot, terms: tuple[str, ...]
) -> Iterator[tuple[bool, str, LockedFeature]]:
    """Whether each feature is selected itself, its key, and what is locked of it."""
    graph = store.recorded_graph(snapshot.id, snapshot.project)
    chosen = _selected(graph, snapshot, terms)
    wanted = chosen.union(*({above.key for above in graph.upstream(key)} for key in chosen))
    for definition in graph:
        if definition.key in wanted:
            key = str(definition.key)
            yield (
                definition.key in chosen,
                key,
                LockedFeature(
                    project=definition.project,
                    via=snapshot.project,
                    snapshot=snapshot.version,
                    version=snapshot.features.get(key, graph.versions[definition.key].feature),
                    hash=snapshot.definitions[key],
                    definition=definition.model_copy(update={"external": True}),
                ),
            )


def _selected(
    graph: FeatureGraph, snapshot: RecordedSnapshot, terms: tuple[str, ...]
) -> set[FeatureKey]:
    """The project's own features that are selected."""
    own = [definition.key for definition in graph.own]
    for term in terms:
        try:
            select(graph, term)
        except (InvalidSelection, UnknownFeature):
            raise InvalidSelection.from_externals(
                term, snapshot.project, snapshot.id, own
            ) from None
    return set(select(graph, *terms)) & set(own)
