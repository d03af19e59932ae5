"""Selections name some features of a graph in a few characters, for commands and for code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from metaxy_core.errors import InvalidSelection
from metaxy_core.graph import topology
from metaxy_core.keys import FeatureKey, KeyLike

if TYPE_CHECKING:
    from metaxy_core.definition import FeatureDefinition
    from metaxy_core.graph.graph import FeatureGraph

SYNTAX: Final = (
    "Each is a key (a/b) or a pattern (a/*, */crop), tag:NAME, tag:NAME=VALUE or project:NAME; "
    "with +a/b everything upstream too, with a/b+ everything downstream, with 2+a/b or a/b+1 only "
    "so many steps. Terms beside each other add up, joined by commas all have to hold, and !term "
    "leaves out."
)

_TERM = re.compile(
    r"(?P<without>!?)(?P<up>\d*\+)?(?P<what>[^+!]+?)(?P<down>\+\d*)?",
)
_TAG, _PROJECT = "tag:", "project:"
_ANYTHING = "*"

Keys = frozenset[FeatureKey]


@dataclass(frozen=True)
class _Term:
    """One term, taken apart.

    Attributes:
        text: as it was written.
        excludes: whether its features are left out.
        what: a key, a pattern, or what a method such as ``tag:`` looks for.
        up: how many steps upstream are meant too; None means all.
        down: the same downstream.
    """

    text: str
    excludes: bool
    what: str
    up: int | None
    down: int | None


def select(graph: FeatureGraph, *terms: str | KeyLike) -> tuple[FeatureKey, ...]:
    """The features that a selection names.

    ``a/b`` is one feature; ``*`` stands for any characters, ``/`` too (``example/*``, ``*/crop``).
    ``tag:gpu`` and ``tag:team=vision`` look at tags, ``project:name`` at the project. ``+a/b`` adds
    everything upstream and ``a/b+`` everything downstream; a number limits the steps (``2+a/b``,
    ``a/b+1``). Several terms, also in one text with spaces between them, add up; terms joined by
    commas have to hold together. ``!term`` leaves features out: of what its commas join it to, or,
    alone, of everything that is selected.

    Args:
        graph: the features to choose from.
        terms: the selection; a class or key stands for its feature. None at all means every
            feature, and so does beginning with ``!term``.

    Returns:
        Keys, upstream before downstream.

    Raises:
        UnknownFeature: a key is not in the graph.
        InvalidSelection: a term cannot be read, or nothing in the graph matches it.

    Example:
        >>> from metaxy_core import Feature, FeatureGraph, FeatureSpec
        >>> with FeatureGraph().use() as graph:
        ...     class Video(Feature, spec=FeatureSpec(key="video")): ...
        ...     class Crop(Feature, spec=FeatureSpec(key="crop", deps=[Video], tags=["gpu"])): ...
        ...     class Face(Feature, spec=FeatureSpec(key="face", deps=[Crop])): ...
        >>> print(*select(graph, "+tag:gpu"))
        video crop
        >>> print(*select(graph, "video+ !crop"))
        video face
    """
    definitions = {definition.key: definition for definition in graph}
    everything = frozenset(definitions)
    chosen: set[FeatureKey] = set()
    left_out: set[FeatureKey] = set()
    wants_all = True
    for group in _groups(terms):
        matched = [(term.excludes, _matches(graph, definitions, term)) for term in group]
        wanted = [keys for excludes, keys in matched if not excludes]
        unwanted = frozenset().union(*(keys for excludes, keys in matched if excludes))
        if wanted:
            chosen |= everything.intersection(*wanted) - unwanted
            wants_all = False
        else:
            left_out |= unwanted
    found = (everything if wants_all else chosen) - left_out
    return tuple(key for key in definitions if key in found)


def _groups(terms: Iterable[str | KeyLike]) -> list[list[_Term]]:
    texts = [term if isinstance(term, str) else str(FeatureKey(term)) for term in terms]
    groups = [group for text in texts for group in text.split() or [""]]
    return [[_parsed(term) for term in group.split(",")] for group in groups]


def _parsed(text: str) -> _Term:
    found = _TERM.fullmatch(text)
    if found is None:
        raise InvalidSelection.from_text(text, SYNTAX)
    return _Term(
        text=text,
        excludes=bool(found["without"]),
        what=found["what"],
        up=_steps((found["up"] or "0+").removesuffix("+")),
        down=_steps((found["down"] or "+0").removeprefix("+")),
    )


def _steps(number: str) -> int | None:
    return int(number) if number else None


# --------------------------------------------------------------------------- matching


def _matches(
    graph: FeatureGraph, definitions: dict[FeatureKey, FeatureDefinition], term: _Term
) -> Keys:
    start = _named(graph, definitions, term.what)
    above = _within(start, topology.parents(definitions), term.up)
    below = _within(start, topology.children(definitions), term.down)
    return start | above | below


def _named(
    graph: FeatureGraph, definitions: dict[FeatureKey, FeatureDefinition], what: str
) -> Keys:
    """The features that a term names without what is upstream and downstream of them."""
    if what.startswith(_TAG):
        wanted = what.removeprefix(_TAG)
        return _labelled(definitions, _TAG, wanted, lambda d: _labels(d.spec.tags))
    if what.startswith(_PROJECT):
        wanted = what.removeprefix(_PROJECT)
        return _labelled(definitions, _PROJECT, wanted, lambda d: [d.project])
    if _ANYTHING in what:
        return _labelled(definitions, "", what, lambda d: [str(d.key)])
    return frozenset({graph[what].key})


def _labels(tags: dict[str, str]) -> list[str]:
    """What a tag is called by: its name, and its name and value."""
    return [*tags, *(f"{name}={value}" for name, value in tags.items() if value)]


def _labelled(
    definitions: dict[FeatureKey, FeatureDefinition],
    method: str,
    wanted: str,
    labels: Callable[[FeatureDefinition], list[str]],
) -> Keys:
    parts = (re.escape(part) for part in wanted.split(_ANYTHING))
    pattern = re.compile(".*".join(parts))
    found = frozenset(
        key for key, d in definitions.items() if any(map(pattern.fullmatch, labels(d)))
    )
    if not found:
        known = {f"{method}{label}" for d in definitions.values() for label in labels(d) if label}
        raise InvalidSelection.from_known(f"{method}{wanted}", sorted(known))
    return found


def _within(start: Keys, edges: topology.Edges, steps: int | None) -> Keys:
    """What is reached from some features in so many steps; all there is where it is None."""
    found: set[FeatureKey] = set()
    edge, taken = set(start), 0
    while edge and (steps is None or taken < steps):
        edge = {key for from_ in edge for key in edges[from_]} - found
        found |= edge
        taken += 1
    return frozenset(found)
