"""`metaxy graph` shows what depends on what, and what a change of code moves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaxy_core.cli.options import (
    SELECTION,
    ConfigOption,
    EntrypointOption,
    Format,
    FormatOption,
    JsonOption,
    OutputOption,
    SelectionArgument,
    StoreOption,
)
from metaxy_core.cli.printing import show, tell
from metaxy_core.cli.project import Project, Source
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey

if TYPE_CHECKING:
    from rich.tree import Tree

    from metaxy_core.graph.diff import GraphDiff

app = typer.Typer(no_args_is_help=True)

_SIDE = "'code', 'store', 'store:SNAPSHOT', a module or a .py file"


@app.command(
    epilog=f"{SELECTION}\n\n[bold]metaxy graph render --format mermaid --output graph.mmd[/bold]"
    "\n\n[bold]metaxy graph render 1+example/crop+1[/bold]: crops and their neighbours."
)
def render(
    context: typer.Context,
    selection: SelectionArgument = None,
    *,
    layout: FormatOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Draw the features with their fields, versions and dependencies."""
    with Project.from_options(context, config, store, entrypoint).features() as graph:
        keys = select(graph, *selection or ())
        show(_rendered(graph, _chosen(layout, as_json=as_json), keys), output)


@app.command(
    epilog="[bold]metaxy graph diff[/bold]: the code against what the store has of it."
    "\n\n[bold]metaxy graph diff old/features.py code -f mermaid[/bold]: two files, for a review."
    "\n\n[bold]metaxy graph diff --exit-code[/bold]: for CI, 1 where something moved."
)
def diff(
    context: typer.Context,
    old: Annotated[str, typer.Argument(help=f"How it was: {_SIDE}.")] = "store",
    new: Annotated[str, typer.Argument(help="How it is: the same choice.")] = "code",
    *,
    layout: FormatOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 where the two differ.")
    ] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Compare two states of the features: which fields move, and so what is recomputed.

    'code' is what metaxy.toml or --entrypoint names. 'store' is the graph that the project recorded
    last in the store (see 'metaxy push'). 'store:previous' is the one before, 'store:3' that of a
    number and 'store:ab12' that of a version (see 'metaxy history').
    """
    from metaxy_core.graph.diff import diff_graphs

    chosen = _chosen(layout, as_json=as_json)
    project = Project.from_options(context, config, store, entrypoint)
    found = diff_graphs(_side(old, project), _side(new, project))
    show(_rendered_diff(found, chosen), output)
    if exit_code and found:
        raise typer.Exit(1)


def _chosen(layout: Format | None, *, as_json: bool) -> Format:
    if as_json and layout not in (None, Format.JSON):
        raise typer.BadParameter("--json and another --format exclude each other")
    return Format.JSON if as_json else layout or Format.TERMINAL


def _side(side: str, project: Project) -> FeatureGraph:
    from metaxy_core.cli.isolation import load_isolated

    name, _, version = side.partition(":")
    if name == "store":
        return _recorded(project, version or None)
    named = Source((side,), Path.cwd(), "the command line")
    return load_isolated(project.source if side == "code" else named, project.config)


def _recorded(project: Project, version: str | None) -> FeatureGraph:
    with project.open_store() as store:
        graph = store.recorded_graph(version, project.config.project)
        if not len(graph):
            tell(f"The store {store.address} has no graph yet; `metaxy push` records the code's.")
        return graph


def _rendered(graph: FeatureGraph, layout: Format, keys: Sequence[FeatureKey]) -> str | Tree:
    from metaxy_core.graph.render import content, dot, json, mermaid, terminal

    match layout:
        case Format.MERMAID:
            return mermaid.to_mermaid(content.picture_of_graph(graph, keys))
        case Format.DOT:
            return dot.to_dot(content.picture_of_graph(graph, keys))
        case Format.JSON:
            return json.graph_to_json(graph, keys)
        case Format.TERMINAL:
            return terminal.graph_to_tree(graph, keys)


def _rendered_diff(diff: GraphDiff, layout: Format) -> str | Tree:
    from metaxy_core.graph.render import content, dot, json, mermaid, terminal

    match layout:
        case Format.MERMAID:
            return mermaid.to_mermaid(content.picture_of_diff(diff))
        case Format.DOT:
            return dot.to_dot(content.picture_of_diff(diff))
        case Format.JSON:
            return json.diff_to_json(diff)
        case Format.TERMINAL:
            return terminal.diff_to_tree(diff)
