"""`metaxy explain` says why a record is stale, and `metaxy lineage` what it was computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from metaxy_core.cli.options import ConfigOption, EntrypointOption, JsonOption, StoreOption
from metaxy_core.cli.printing import show, tell
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_document
from metaxy_core.errors import InvalidId

if TYPE_CHECKING:
    from rich.tree import Tree

    from metaxy_core.graph.plan import FeaturePlan
    from metaxy_core.store.outline import Outline

FeatureArgument = Annotated[str, typer.Argument(help="Key of the feature.", show_default=False)]
IdArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="ID...",
        help="The record: a value for each id column, in their order, or COLUMN=VALUE for each. "
        "Of an expansion a child's id, or its parent's.",
        show_default=False,
    ),
]


def explain(
    context: typer.Context,
    feature: FeatureArgument,
    record: IdArgument,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Say why a record is stale, new, orphaned or blocked: field by field, up to the root.

    For each field: the code version then and now, and which upstream field changed, from which
    version to which, in which commit, when (UTC) and by which run. Ends with 1 where the record is
    neither stored nor called for.
    """
    project = Project.from_options(context, config, store, entrypoint)
    with project.features() as graph, project.open_store() as opened:
        found = opened.explain(feature, _id_of(graph.plan(feature), record))
    show(to_document(found.to_dict()) if as_json else _to_tree(found.outline()))
    if found.status == "unknown":
        tell(f"There is no such record of '{found.feature}', and nothing calls for one.")
        raise typer.Exit(1)


def lineage(
    context: typer.Context,
    feature: FeatureArgument,
    record: IdArgument,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Show the upstream versions that a stored record was computed from, up to the root.

    They are looked up in the history; a line says so where a part of it was erased.
    """
    project = Project.from_options(context, config, store, entrypoint)
    with project.features() as graph, project.open_store() as opened:
        found = opened.lineage(feature, _id_of(graph.plan(feature), record))
    show(to_document(found.to_dict()) if as_json else _to_tree(found.outline()))


def _id_of(plan: FeaturePlan, values: Sequence[str]) -> tuple[str, ...] | Mapping[str, str]:
    """An id as it was typed: by name where every value names a column, else by position."""
    pairs = [value.partition("=") for value in values]
    columns = {*plan.id_columns, *plan.grain}
    named = [name for name, sign, _ in pairs if sign and name in columns]
    if not named:
        return tuple(values)
    if len(set(named)) < len(values):
        raise InvalidId(
            f"{' '.join(values)} names some id columns of '{plan.key}' and not others, or one "
            f"twice; give COLUMN=VALUE for each of {', '.join(plan.id_columns)}."
        )
    return {name: value for name, _, value in pairs}


def _to_tree(outline: Outline) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(outline.text, outline.style), guide_style="dim")
    for child in outline.children:
        tree.add(_to_tree(child))
    return tree
