"""The graphs that are measured, as plain data, so that every engine builds them its own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

ID = "id"
PART = "part"
SPEAKER = "speaker"
PER_PARENT = 100
PER_GROUP = 100


# Own fields, each with the fields it reads of each upstream feature.
Reads = Mapping[str, Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Feature:
    """A feature to measure.

    Attributes:
        key: its key, ``bench/...``.
        fields: each field with what it reads: fields of upstream features, by key.
        ids: its id columns.
        deps: keys of the features it comes from; a root has none.
        lineage: how its records relate to those of its deps.
    """

    key: str
    fields: Reads
    ids: tuple[str, ...] = (ID,)
    deps: tuple[str, ...] = ()
    lineage: Literal["identity", "expansion", "aggregation"] = "identity"

    @property
    def table(self) -> str:
        """The name of its table, in our store and in the reference's."""
        return self.key.replace("/", "__")


@dataclass(frozen=True)
class Graph:
    """Features in topological order: roots first, the one that is measured last.

    Attributes:
        name: such as ``wide`` or ``chain-8``.
        features: roots first; the first root is the one whose first field changes.
    """

    name: str
    features: tuple[Feature, ...]

    @property
    def roots(self) -> tuple[Feature, ...]:
        """The features without deps."""
        return tuple(feature for feature in self.features if not feature.deps)

    @property
    def computed(self) -> tuple[Feature, ...]:
        """The features with deps."""
        return tuple(feature for feature in self.features if feature.deps)

    @property
    def leaf(self) -> Feature:
        """The feature whose increment is measured."""
        return self.features[-1]

    def root_records(self, records: int) -> int:
        """Records of each root, where the larger side of the graph has so many."""
        return records // PER_PARENT if self.leaf.lineage == "expansion" else records

    def touched(self, changed: int, records: int) -> int:
        """Records of the leaf's increment after so many records of the first root changed."""
        return min(changed, self.leaf_records(records))

    def leaf_records(self, records: int) -> int:
        """Records of the leaf's increment when nothing is stored."""
        if self.leaf.lineage == "aggregation":
            return records // PER_GROUP
        return self.root_records(records)


def graph(name: str) -> Graph:
    """The graph of a name.

    Args:
        name: ``simple``, ``wide``, ``expansion``, ``aggregation``, or ``chain-8``, ``join-8`` and
            ``fan-8`` with any number from 1.
    """
    kind, _, size = name.partition("-")
    if size:
        return _SIZED[kind](name, int(size))
    return _NAMED[kind](name)


def _root(key: str, *fields: str) -> Feature:
    return Feature(key, {field: {} for field in fields})


def _simple(name: str) -> Graph:
    """One root with two fields, one leaf that reads one of them."""
    leaf = Feature("bench/leaf", {"text": {"bench/video": ("audio",)}}, deps=("bench/video",))
    return Graph(name, (_root("bench/video", "audio", "frames"), leaf))


def _wide(name: str) -> Graph:
    """Two roots with four fields each, one leaf with two fields that read four each."""
    video, speech = "bench/video", "bench/speech"
    reads = {
        "left": {video: ("audio", "frames"), speech: ("pitch", "energy")},
        "right": {video: ("depth", "mask"), speech: ("words", "voice")},
    }
    return Graph(
        name,
        (
            _root(video, "audio", "frames", "depth", "mask"),
            _root(speech, "pitch", "energy", "words", "voice"),
            Feature("bench/leaf", reads, deps=(video, speech)),
        ),
    )


def _chain(name: str, depth: int) -> Graph:
    """One root and so many features, each of which reads the one before."""
    features = [_root("bench/video", "audio", "frames")]
    for number in range(depth):
        above = features[-1]
        read = {above.key: (next(iter(above.fields)),)}
        features.append(Feature(f"bench/step{number}", {"text": read}, deps=(above.key,)))
    return Graph(name, tuple(features))


def _join(name: str, width: int) -> Graph:
    """So many roots, and one leaf that reads a field of each."""
    roots = tuple(_root(f"bench/root{number}", "audio", "frames") for number in range(width))
    reads = {root.key: ("audio",) for root in roots}
    leaf = Feature("bench/leaf", {"text": reads}, deps=tuple(root.key for root in roots))
    return Graph(name, (*roots, leaf))


def _fan(name: str, width: int) -> Graph:
    """One root, and so many features that read it."""
    root = _root("bench/video", "audio", "frames")
    leaves = (
        Feature(f"bench/leaf{number}", {"text": {root.key: ("audio",)}}, deps=(root.key,))
        for number in range(width)
    )
    return Graph(name, (root, *leaves))


def _expansion(name: str) -> Graph:
    """A hundred children of each record."""
    root = _root("bench/video", "audio", "frames")
    reads = {"text": {root.key: ("audio",)}}
    leaf = Feature("bench/scene", reads, (ID, PART), (root.key,), "expansion")
    return Graph(name, (root, leaf))


def _aggregation(name: str) -> Graph:
    """One record from a hundred."""
    root = _root("bench/clip", "audio", "frames")
    reads = {"text": {root.key: ("audio",)}}
    leaf = Feature("bench/speaker", reads, (SPEAKER,), (root.key,), "aggregation")
    return Graph(name, (root, leaf))


_NAMED: dict[str, Callable[[str], Graph]] = {
    "simple": _simple,
    "wide": _wide,
    "expansion": _expansion,
    "aggregation": _aggregation,
}
_SIZED: dict[str, Callable[[str, int], Graph]] = {"chain": _chain, "join": _join, "fan": _fan}
