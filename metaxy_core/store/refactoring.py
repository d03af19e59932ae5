"""What a feature was, what it is now, and which field of the one is which of the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from metaxy_core.errors import InvalidRebase, UnknownVersion, UnmappedField
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.store.former import FormerGraphs


@dataclass(frozen=True)
class RebaseRequest:
    """What a caller wants rebased.

    Attributes:
        graph: the graph of the code.
        feature: the feature.
        from_version: beginning of the version that its records have; None for the last other one.
        to_version: beginning of the version they are to have; None for that of the code.
        fields: own fields by name, with the former field whose data each holds.
        samples: samples of a root.
    """

    graph: FeatureGraph
    feature: FeatureKey
    from_version: str | None = None
    to_version: str | None = None
    fields: Mapping[Any, Any] = field(default_factory=dict)
    samples: Any = None


@dataclass(frozen=True)
class Refactoring:
    """A feature under two definitions.

    Attributes:
        graph: the graph of the code.
        current: the feature's plan in it.
        former_graph: the graph of the former definition.
        former: the feature's plan in that.
        formers: for each current field, the former one whose data it holds.
        from_version: the former feature version.
        to_version: the current one.
    """

    graph: FeatureGraph
    current: FeaturePlan
    former_graph: FeatureGraph
    former: FeaturePlan
    formers: Mapping[FieldKey, FieldKey]
    from_version: str
    to_version: str


def refactoring(request: RebaseRequest, known: FormerGraphs, used: list[str]) -> Refactoring:
    """The two definitions of a feature, checked against each other.

    Args:
        request: what is wanted.
        known: the recorded definitions.
        used: the versions that the feature's records were stamped under, newest first.

    Raises:
        UnknownVersion: a version that is not recorded, or not the code's.
        InvalidRebase: the definitions have different records, or no earlier one is known.
        UnmappedField: a field of which nothing says what it was.
    """
    graph, key = request.graph, request.feature
    to_version = graph.versions[key].feature
    if request.to_version is not None and not _begins(to_version, request.to_version):
        raise UnknownVersion.from_code(key, request.to_version, to_version)
    from_version = _from_version(request, known.versions(key), used, to_version)
    former_graph = known.graph(key, from_version)
    if former_graph is None:
        raise InvalidRebase(
            f"The store holds version {from_version} of '{key}', but not the definitions of its "
            f"upstream features at that time, so its records cannot be checked. Recompute '{key}'."
        )
    former, current = former_graph.plan(key), graph.plan(key)
    _check_same_records(former, current)
    formers = _formers(current, former, request.fields)
    return Refactoring(graph, current, former_graph, former, formers, from_version, to_version)


def _from_version(
    request: RebaseRequest, recorded: list[str], used: list[str], to_version: str
) -> str:
    if request.from_version is None:
        earlier = [version for version in used if version != to_version]
        if not earlier:
            raise InvalidRebase(
                f"'{request.feature}' was never written under another definition than the one "
                f"the code has ({to_version}), so there is nothing to rebase."
            )
        return earlier[0]
    matching = [version for version in recorded if _begins(version, request.from_version)]
    if len(matching) != 1:
        raise UnknownVersion.from_recorded(request.feature, request.from_version, recorded)
    return matching[0]


def _begins(version: str, beginning: object) -> bool:
    return isinstance(beginning, str) and bool(beginning) and version.startswith(beginning)


def _check_same_records(former: FeaturePlan, current: FeaturePlan) -> None:
    """A record is the same before and after only if the same columns tell it apart."""
    for what, before, after in (
        ("id_columns", former.id_columns, current.id_columns),
        ("the columns of its parents", former.grain, current.grain),
    ):
        if set(before) != set(after):
            raise InvalidRebase(
                f"'{current.key}' had {what} {list(before)} and now has {list(after)}: its former "
                f"records are not those of today. Recompute it: store.resolve_update gives what "
                f"is new and what is orphaned."
            )
    if former.expands != current.expands:
        raise InvalidRebase(
            f"'{current.key}' {'was' if former.expands else 'was not'} an expansion and "
            f"{'is' if current.expands else 'is not'} one now, so what was processed of its "
            f"upstream is not comparable. Recompute it."
        )


def _formers(
    current: FeaturePlan, former: FeaturePlan, given: Mapping[Any, Any]
) -> dict[FieldKey, FieldKey]:
    own = [field.key for field in current.fields]
    known = [field.key for field in former.fields]
    mapped = {FieldKey(new): FieldKey(old) for new, old in given.items()}
    for new, old in mapped.items():
        if new not in own:
            raise UnmappedField.from_unknown(current.key, new, own, "current")
        if old not in known:
            raise UnmappedField.from_unknown(current.key, old, known, "former")
    formers = {key: mapped.get(key, key) for key in own}
    columns = {key.to_identifier().lower() for key in known}
    for new, old in formers.items():
        if old not in known:
            raise UnmappedField.from_new(current.key, new, known)
        column = new.to_identifier().lower()
        if column in columns and column != old.to_identifier().lower():
            raise UnmappedField.from_reused(current.key, new, old)
    return formers
