"""DOT is what Graphviz lays out, for graphs too large for Mermaid."""

from __future__ import annotations

import html
from collections.abc import Iterator

from metaxy_core.graph.diff import Change
from metaxy_core.graph.render.content import (
    NEW_COLOR,
    OLD_COLOR,
    Arrow,
    Box,
    Picture,
    Versioned,
)

_BREAK = '<br align="left"/>'


def to_dot(picture: Picture) -> str:
    """A picture as a Graphviz digraph with HTML-like labels."""
    lines = [
        f"// {picture.caption}",
        f'graph [rankdir=TB, labelloc=t, label="{picture.title}", fontname="Helvetica"];',
        'node [shape=box, style=rounded, fontname="Helvetica"];',
        *(_node(box) for box in picture.boxes),
        *(_edge(arrow) for arrow in picture.arrows),
    ]
    return f'digraph "{picture.title}" {{\n' + "".join(f"    {line}\n" for line in lines) + "}\n"


def _node(box: Box) -> str:
    parts = [f"<b>{html.escape(box.feature.name, quote=False)}</b>", _versions(box.feature)]
    parts += [_field(field) for field in box.fields]
    parts += [f"<i>{html.escape(note, quote=False)}</i>" for note in box.notes]
    label = "".join(part + _BREAK for part in parts)
    return f'"{box.feature.name}" [{", ".join([f"label=<{label}>", *_outline(box)])}];'


def _outline(box: Box) -> Iterator[str]:
    if box.feature.color is not None:
        yield f'color="{box.feature.color}"'
        yield "penwidth=3"
    if box.feature.change is Change.REMOVED:
        yield 'style="rounded,dashed"'


def _field(field: Versioned) -> str:
    name = html.escape(field.name, quote=False)
    shown = name if field.color is None else _colored(name, field.color)
    return f"{field.mark} {shown} {_versions(field)}"


def _versions(item: Versioned) -> str:
    if item.change is Change.UNCHANGED:
        return f'<font point-size="10">{item.new}</font>'
    old = [_colored(item.old, OLD_COLOR)] if item.old else []
    new = [_colored(item.new, NEW_COLOR)] if item.new else []
    return f'<font point-size="10">{" → ".join([*old, *new])}</font>'


def _edge(arrow: Arrow) -> str:
    color = Versioned("", None, None, arrow.change).color
    options = [f'color="{color}"'] if color else []
    if arrow.optional or arrow.change is Change.REMOVED:
        options.append("style=dashed")
    shown = f" [{', '.join(options)}]" if options else ""
    return f'"{arrow.source}" -> "{arrow.target}"{shown};'


def _colored(text: str, color: str) -> str:
    return f'<font color="{color}">{text}</font>'
