"""What a picture of a graph or of a diff shows is decided here, once for every drawn format."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from metaxy_core.graph.diff import Change, FeatureDiff, FieldDiff, GraphDiff, diff_graphs
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey

DIGITS = 8
OLD_COLOR, NEW_COLOR, CHANGED_COLOR = "#CC0000", "#00AA00", "#FFA500"

COLORS: Mapping[Change, str] = {
    Change.ADDED: NEW_COLOR,
    Change.REMOVED: OLD_COLOR,
    Change.CHANGED: CHANGED_COLOR,
}
MARKS: Mapping[Change, str] = {
    Change.ADDED: "+",
    Change.REMOVED: "-",
    Change.CHANGED: "~",
    Change.UNCHANGED: "•",
}


@dataclass(frozen=True)
class Versioned:
    """A name with its versions.

    Attributes:
        name: what is versioned.
        old: its old version, 8 hex digits; None where it was added.
        new: its new version; None where it was removed.
        change: what happened to it.
    """

    name: str
    old: str | None
    new: str | None
    change: Change

    @property
    def color(self) -> str | None:
        """The colour of its change; None where nothing changed."""
        return COLORS.get(self.change)

    @property
    def mark(self) -> str:
        """The sign of its change, for readers who see no colour."""
        return MARKS[self.change]


@dataclass(frozen=True)
class Box:
    """A feature as it is drawn.

    Attributes:
        feature: its key and versions.
        fields: its fields.
        notes: what changed of its wiring.
    """

    feature: Versioned
    fields: tuple[Versioned, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Arrow:
    """A dependency as it is drawn.

    Attributes:
        source: name of the upstream feature.
        target: name of the downstream feature.
        optional: whether records may lack the upstream one.
        change: what happened to it.
    """

    source: str
    target: str
    optional: bool
    change: Change


@dataclass(frozen=True)
class Picture:
    """Boxes and arrows, upstream first.

    Attributes:
        title: what the picture shows.
        caption: of which versions.
        boxes: the features.
        arrows: the dependencies.
    """

    title: str
    caption: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def picture_of_graph(graph: FeatureGraph, chosen: Collection[FeatureKey] | None = None) -> Picture:
    """The picture of a graph, or of the chosen features of it: of its comparison with itself."""
    version = shortened(graph.versions.project)
    diff = diff_graphs(graph, graph)
    if chosen is not None:
        diff = replace(
            diff,
            features=tuple(feature for feature in diff.features if feature.key in chosen),
            edges=tuple(e for e in diff.edges if {e.upstream, e.downstream} <= {*chosen}),
        )
    return _picture("Feature Graph", f"Snapshot version: {version}", diff)


def picture_of_diff(diff: GraphDiff) -> Picture:
    """The picture of two graphs laid over each other."""
    caption = f"Snapshot versions: {shortened(diff.old)} → {shortened(diff.new)}"
    return _picture("Feature Graph Diff", caption, diff)


def shortened(version: str) -> str:
    """A version as people read it."""
    return version[:DIGITS]


def _picture(title: str, caption: str, diff: GraphDiff) -> Picture:
    boxes = tuple(
        Box(_versioned(feature), tuple(map(_versioned, feature.fields)), feature.wiring)
        for feature in diff.features
    )
    arrows = tuple(
        Arrow(str(edge.upstream), str(edge.downstream), edge.optional, edge.change)
        for edge in diff.edges
    )
    return Picture(title, caption, boxes, arrows)


def _versioned(item: FeatureDiff | FieldDiff) -> Versioned:
    old = None if item.old is None else shortened(item.old)
    new = None if item.new is None else shortened(item.new)
    return Versioned(str(item.key), old, new, item.change)
