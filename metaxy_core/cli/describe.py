"""`metaxy describe` says everything about one feature: what is declared, and what is stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 - read at run time

from metaxy_core.cli.options import (
    ConfigOption,
    EntrypointOption,
    FeatureArgument,
    JsonOption,
    StoreOption,
)
from metaxy_core.cli.printing import show
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_document
from metaxy_core.graph.render.content import shortened
from metaxy_core.store.outline import shown_time

if TYPE_CHECKING:
    from rich.tree import Tree

    from metaxy_core.graph.graph import FeatureGraph
    from metaxy_core.keys import FeatureKey
    from metaxy_core.specs.dependency import FeatureDep
    from metaxy_core.store.base import MetadataStore

Described = dict[str, Any]


def describe(
    context: typer.Context,
    feature: FeatureArgument,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Describe a feature: its columns, fields, deps and versions, and what is stored of it."""
    project = Project.from_options(context, config, store, entrypoint)
    with project.features() as graph:
        key = graph[feature].key
        found = declared(graph, key, project.config.project or None)
        found["stored"] = None
        if project.store or project.config.stores:
            with project.open_store() as opened:
                found["stored"] = _stored(opened, key)
    show(to_document(found) if as_json else _to_tree(found))


def declared(graph: FeatureGraph, key: FeatureKey, project: str | None) -> Described:
    """What the code says of a feature."""
    definition, versions = graph[key], graph.versions[key]
    spec = definition.spec
    fields = [
        {
            "key": str(field.key),
            "code_version": field.code_version,
            "version": versions.fields[field.key],
            "reads": [str(read) for read in field.reads],
            "version_from": list(field.version_from),
        }
        for field in graph.plan(key).fields
    ]
    columns = [
        {"name": c.name, "type": c.type, "nullable": c.nullable, "description": c.description}
        for c in definition.columns
    ]
    return {
        "key": str(key),
        "project": project,
        "description": definition.description,
        "defined_in": definition.origin,
        "version": versions.feature,
        "code_version": versions.code,
        "id_columns": list(spec.id_columns),
        "columns": columns,
        "extra_columns": definition.has_open_columns,
        "fields": fields,
        "deps": [_dep(dep) for dep in spec.deps],
        "downstream": [
            str(other.key) for other in graph if any(dep.feature == key for dep in other.spec.deps)
        ],
    }


def _dep(dep: FeatureDep) -> Described:
    return {
        "feature": str(dep.feature),
        "lineage": dep.lineage.kind,
        "on": list(dep.lineage.on or ()),
        "filter": dep.filter,
        "optional": dep.optional,
        "rename": dict(dep.rename),
        "columns": None if dep.columns is None else list(dep.columns),
    }


def _stored(store: MetadataStore, key: FeatureKey) -> Described:
    history = store.history(key)
    last = history.last
    columns = [] if last is None else store.read(key).first(0).to_arrow().schema
    return {
        "store": store.address,
        "records": store.count(key),
        "commits": history.commits,
        "last_commit": None
        if last is None
        else {
            "id": last.id,
            "operation": last.operation,
            "rows": last.rows,
            "created_at": last.created_at,
            "materialization_id": last.materialization_id,
            "feature_version": last.feature_version,
        },
        "columns": [{"name": field.name, "type": str(field.type)} for field in columns],
    }


# --------------------------------------------------------------------------- printing


def _to_tree(found: Described) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(f"{found['key']} {shortened(found['version'])}", "bold"))
    for name in ("description", "project", "defined_in", "code_version"):
        if found[name]:
            value = shortened(found[name]) if name == "code_version" else found[name]
            tree.add(Text(f"{name.replace('_', ' ')}: {value}"))
    tree.add(Text(f"id columns: {', '.join(found['id_columns'])}"))
    open_columns = ["others as they are written"] if found["extra_columns"] else []
    _add(tree, "columns", [*map(_column, found["columns"]), *open_columns])
    _add(tree, "fields", map(_field, found["fields"]))
    _add(tree, "deps", map(_dep_line, found["deps"]))
    _add(tree, "downstream", found["downstream"])
    _add(tree, "stored", _stored_lines(found["stored"]))
    return tree


def _add(tree: Tree, name: str, lines: Iterable[str]) -> None:
    from rich.text import Text

    shown = list(lines)
    if shown:
        branch = tree.add(Text(name, "bold"))
        for line in shown:
            branch.add(Text(line))


def _column(column: Described) -> str:
    told = f"  {column['description']}" if column["description"] else ""
    return f"{column['name']}: {column['type']}{' | None' if column['nullable'] else ''}{told}"


def _field(field: Described) -> str:
    sources = field["reads"] or field["version_from"]
    reads = f" ← {', '.join(sources)}" if sources else ""
    version = shortened(field["version"])
    return f"{field['key']} {version}  code version {field['code_version']}{reads}"


def _dep_line(dep: Described) -> str:
    told = [dep["lineage"] + (f" on {', '.join(dep['on'])}" if dep["on"] else "")]
    if dep["optional"]:
        told.append("optional")
    if dep["filter"] is not None:
        told.append(f"filter {dep['filter']!r}")
    if dep["columns"] is not None:
        told.append(f"columns {', '.join(dep['columns']) or 'none'}")
    told += [f"{there} → {here}" for there, here in dep["rename"].items()]
    return f"{dep['feature']}  {'; '.join(told)}"


def _stored_lines(stored: Described | None) -> list[str]:
    if stored is None:
        return ["no store is configured"]
    last = stored["last_commit"]
    lines = [f"{stored['records']} records, {stored['commits']} commits, in {stored['store']}"]
    if last is not None:
        at = shown_time(last["created_at"])
        by = f" by {last['materialization_id']}" if last["materialization_id"] else ""
        lines.append(f"last commit: {last['id']}, {last['operation']}, at {at} UTC{by}")
        lines.append("columns: " + ", ".join(f"{c['name']} {c['type']}" for c in stored["columns"]))
    return lines
