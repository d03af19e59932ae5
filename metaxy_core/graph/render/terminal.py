"""A terminal shows graphs as trees, for reading where the work is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from rich.text import Text
from rich.tree import Tree

from metaxy_core.graph.diff import Change, FeatureDiff, FieldDiff, GraphDiff
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.render.content import MARKS, shortened
from metaxy_core.keys import FeatureKey

_STYLES: Mapping[Change, str] = {
    Change.ADDED: "green",
    Change.REMOVED: "red",
    Change.CHANGED: "yellow",
    Change.UNCHANGED: "dim",
}


def graph_to_tree(graph: FeatureGraph, chosen: Collection[FeatureKey] | None = None) -> Tree:
    """A graph, or the chosen features of it, as a tree.

    Each feature stands once, under the first of its deps that is shown, with its fields.
    """
    tree = Tree(Text(f"Feature graph {shortened(graph.versions.project)}", "bold"))
    branches: dict[FeatureKey, Tree] = {}
    for definition in graph:
        if chosen is not None and definition.key not in chosen:
            continue
        deps = [dep.feature for dep in definition.spec.deps if dep.feature in branches]
        above = branches[deps[0]] if deps else tree
        versions = graph.versions[definition.key]
        label = Text.assemble(
            (str(definition.key), "bold"), " ", (shortened(versions.feature), "cyan")
        )
        if len(deps) > 1:
            label.append(f" (also from {', '.join(map(str, deps[1:]))})", "dim")
        for field in graph.plan(definition.key).fields:
            label.append(f"\n{MARKS[Change.UNCHANGED]} {field.key} ")
            label.append(shortened(versions.fields[field.key]), "cyan")
            label.append(f" code {field.code_version}", "dim")
            if field.reads:
                label.append(f" ← {', '.join(map(str, field.reads))}", "dim")
        branches[definition.key] = above.add(label)
    return tree


def diff_to_tree(diff: GraphDiff) -> Tree:
    """A diff as a tree: a line for each feature, and beneath it what changed, and why."""
    tree = Tree(_headline(diff))
    for feature in diff.features:
        branch = tree.add(_line(feature))
        for note in feature.wiring:
            branch.add(Text(note, "yellow"))
        if feature.change is not Change.UNCHANGED:
            for field in feature.fields:
                branch.add(_line(field))
    return tree


def _headline(diff: GraphDiff) -> Text:
    counts = Counter(feature.change for feature in diff.features)
    summary = ", ".join(f"{counts[change]} {change}" for change in Change if counts[change])
    versions = " → ".join(dict.fromkeys([shortened(diff.old), shortened(diff.new)]))
    return Text(f"Feature graph {versions}: {summary or 'no features'}", "bold")


def _line(item: FeatureDiff | FieldDiff) -> Text:
    style = _STYLES[item.change]
    line = Text.assemble((f"{MARKS[item.change]} {item.key}", style), " ")
    if item.change is Change.UNCHANGED:
        return line.append(shortened(item.new or ""), "dim")
    if item.old is not None:
        line.append(shortened(item.old), "red")
    if item.change is Change.CHANGED:
        line.append(" → ")
    if item.new is not None:
        line.append(shortened(item.new), "green")
    if isinstance(item, FieldDiff) and item.reasons:
        line.append(f"  {'; '.join(item.reasons)}", "dim")
    return line
