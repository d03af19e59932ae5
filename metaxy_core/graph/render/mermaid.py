"""Mermaid is what GitHub, GitLab and most documentation draw from text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from metaxy_core.graph.diff import Change
from metaxy_core.graph.render.content import (
    CHANGED_COLOR,
    NEW_COLOR,
    OLD_COLOR,
    Arrow,
    Box,
    Picture,
    Versioned,
)

_INIT = (
    "%%{init: {'flowchart': {'htmlLabels': true, 'curve': 'basis'}, "
    "'themeVariables': {'fontSize': '14px'}}}%%"
)
# Words that the flowchart grammar keeps for itself.
_RESERVED = frozenset(
    {"call", "class", "classdef", "click", "default", "direction", "end", "flowchart", "graph"}
    | {"href", "linkstyle", "style", "subgraph"}
)
_OUTLINES: Mapping[Change, str] = {
    Change.CHANGED: f"stroke:{CHANGED_COLOR},stroke-width:3px",
    Change.ADDED: f"stroke:{NEW_COLOR},stroke-width:3px",
    Change.REMOVED: f"stroke:{OLD_COLOR},stroke-width:3px,stroke-dasharray:5",
}
_LINKS: Mapping[Change, str] = {
    Change.CHANGED: f"stroke:{CHANGED_COLOR}",
    Change.ADDED: f"stroke:{NEW_COLOR}",
    Change.REMOVED: f"stroke:{OLD_COLOR},stroke-dasharray:5",
}


def to_mermaid(picture: Picture) -> str:
    """A picture as a Mermaid flowchart.

    Example:
        >>> from metaxy_core.graph.render.content import picture_of_graph
        >>> from metaxy_core import Feature, FeatureGraph, FeatureSpec
        >>> with FeatureGraph().use() as graph:
        ...     class Video(Feature, spec=FeatureSpec(key="example/video", fields=["audio"])):
        ...         path: str
        >>> print(to_mermaid(picture_of_graph(graph)).splitlines()[3])
        flowchart TB
    """
    ids = node_ids(box.feature.name for box in picture.boxes)
    lines = [f"%% {picture.caption}", _INIT]
    for box in picture.boxes:
        lines += _node(ids[box.feature.name], box)
    for number, arrow in enumerate(picture.arrows):
        lines += _link(number, ids, arrow)
    body = "".join(f"    {line}\n" for line in lines)
    return f"---\ntitle: {picture.title}\n---\nflowchart TB\n{body}"


def node_ids(names: Iterable[str]) -> dict[str, str]:
    """A Mermaid node id for each name: readable, safe, and unique among them."""
    ids: dict[str, str] = {}
    taken = set(_RESERVED)
    for name in names:
        wanted = candidate = re.sub(r"\W", "_", name, flags=re.ASCII)
        number = 2
        while candidate.lower() in taken:
            candidate = f"{wanted}_{number}"
            number += 1
        taken.add(candidate.lower())
        ids[name] = candidate
    return ids


def _node(node: str, box: Box) -> Iterator[str]:
    parts = [f"<b>{_escaped(box.feature.name)}</b>", _versions(box.feature), "---"]
    parts += [_field(field) for field in box.fields]
    parts += [f"<i>{_escaped(note)}</i>" for note in box.notes]
    yield f"{node}[\"<div style='text-align:left'>{'<br/>'.join(parts)}</div>\"]"
    if box.feature.change in _OUTLINES:
        yield f"style {node} {_OUTLINES[box.feature.change]}"


def _field(field: Versioned) -> str:
    name = _escaped(field.name)
    shown = name if field.color is None else _colored(name, field.color)
    return f"{field.mark} {shown} {_versions(field)}"


def _versions(item: Versioned) -> str:
    if item.change is Change.UNCHANGED:
        return f"<small>(v: {item.new})</small>"
    old = [_colored(item.old, OLD_COLOR)] if item.old else []
    new = [_colored(item.new, NEW_COLOR)] if item.new else []
    return f"<small>(v: {' → '.join([*old, *new])})</small>"


def _link(number: int, ids: Mapping[str, str], arrow: Arrow) -> Iterator[str]:
    line = "-.->" if arrow.optional else "-->"
    yield f"{ids[arrow.source]} {line} {ids[arrow.target]}"
    if arrow.change in _LINKS:
        yield f"linkStyle {number} {_LINKS[arrow.change]}"


def _colored(text: str, color: str) -> str:
    return f"<font color='{color}'>{text}</font>"


def _escaped(text: str) -> str:
    """Text with everything that Mermaid or HTML would read written as Mermaid's own entities."""
    return re.sub(r"[^\w\s/.,()→-]", lambda found: f"#{ord(found[0])};", text)
