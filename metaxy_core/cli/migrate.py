"""`metaxy migrate` carries records over to definitions that were refactored."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaxy_core.cli import asking, printing
from metaxy_core.cli.options import ConfigOption, EntrypointOption, JsonOption, StoreOption
from metaxy_core.cli.printing import progress, show, tell
from metaxy_core.cli.project import Project
from metaxy_core.errors import MigrationRefused
from metaxy_core.store.outline import shown_time

if TYPE_CHECKING:
    from rich.table import Table

    from metaxy_core.store.migrating import Migration
    from metaxy_core.store.rebase_log import AppliedRebase
    from metaxy_core.store.rebasing import Rebase

app = typer.Typer(no_args_is_help=True)

FieldOption = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="FEATURE.NEW=OLD",
        help="What a field was before, as in example/video.audio=sound. Repeatable.",
    ),
]
FeaturesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--features",
        metavar="FEATURE",
        help="Migrate only this feature; all that moved where none is given. Repeatable.",
    ),
]


@app.command(
    epilog="[bold]metaxy migrate plan --field example/video.audio=sound[/bold]: a renamed field."
)
def plan(
    context: typer.Context,
    field: FieldOption = None,
    features: FeaturesOption = None,
    *,
    as_json: JsonOption = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 where something is to do.")
    ] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Count what a migration would restamp, feature by feature; nothing is changed."""
    project = Project.from_options(context, config, store, entrypoint)
    fields = _fields(field)
    with project.features() as graph, project.open_store() as opened:
        found = opened.plan_migration(graph, features=features or None, fields=fields)
    show(_to_json(found) if as_json else _to_table(found))
    if exit_code and found:
        raise typer.Exit(1)


@app.command(epilog="Look at [bold]metaxy migrate plan[/bold] with the same options first.")
def apply(
    context: typer.Context,
    field: FieldOption = None,
    features: FeaturesOption = None,
    *,
    as_json: JsonOption = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Restamp the records of every feature whose definition moved; nothing is computed.

    Use it where code was refactored and its outputs stayed the same. Each feature is one commit;
    what an interruption leaves undone, the same command does later. Asks first on a terminal.
    """
    project = Project.from_options(context, config, store, entrypoint)
    wanted: dict[str, Any] = {"features": features or None, "fields": _fields(field)}
    with project.features() as graph, project.open_store() as opened:
        found = opened.plan_migration(graph, **wanted)
        if found.refused:
            raise MigrationRefused.from_reasons(list(found.refused.values()))
        if found and not yes:
            _confirm(found)
        with progress("Rebasing", len(found.to_do)) as begin:
            done = opened.migrate(graph, **wanted, begin=begin) if found else found
    show(_to_json(done) if as_json else _to_table(done))


@app.command("list")
def list_migrations(
    context: typer.Context,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """List every rebase that was made in the store, oldest first."""
    project = Project.from_options(context, config, store, entrypoint)
    with project.open_store() as opened:
        found = opened.migrations()
    show(_logged_json(found) if as_json else _logged_table(found))


def _fields(options: Sequence[str] | None) -> dict[str, dict[str, str]]:
    fields: dict[str, dict[str, str]] = defaultdict(dict)
    for option in options or ():
        place, _, old = option.partition("=")
        feature, _, new = place.partition(".")
        if not (feature and new and old):
            raise typer.BadParameter(
                f"{option!r} is not of the form FEATURE.NEW=OLD, such as "
                f"example/video.audio=sound.",
                param_hint="--field",
            )
        fields[feature][new] = old
    return dict(fields)


def _confirm(found: Migration) -> None:
    """Ask where somebody is there to answer."""
    records = sum(rebase.records for rebase in found.to_do)
    tell(f"{records} record(s) of {len(found.to_do)} feature(s) will be restamped.")
    if asking.is_answered():
        asking.ask("Did their outputs stay the same?", "Nothing was restamped.")


# --------------------------------------------------------------------------- printing


def _to_json(found: Migration) -> str:
    return _dumped(
        {
            "version": found.version,
            "rebases": [_to_object(rebase) for rebase in found.rebases],
            "refused": {str(feature): reason for feature, reason in found.refused.items()},
        }
    )


def _to_object(rebase: Rebase) -> dict[str, Any]:
    return {
        "feature": str(rebase.feature),
        "from_version": rebase.from_version,
        "to_version": rebase.to_version,
        "records": rebase.records,
        "left": rebase.left,
        "already": rebase.already,
        "commit": None if rebase.commit is None else rebase.commit.id,
    }


def _to_table(found: Migration) -> str | Table:
    if not found.rebases and not found.refused:
        return "No definition moved since the records were written.\n"
    notes = ["note"] if found.refused else []
    table = _table("restamp", "left", "already", "commit", *notes)
    for rebase in found.rebases:
        commit = "" if rebase.commit is None else str(rebase.commit.id)
        numbers = (rebase.records, rebase.left, rebase.already)
        table.add_row(*_versions(rebase), *map(str, numbers), commit)
    for feature, reason in found.refused.items():
        table.add_row(str(feature), "", "", "", "", "", reason)
    return table


def _logged_json(found: Iterable[AppliedRebase]) -> str:
    return _dumped(
        [
            {
                "migration": each.migration,
                "feature": str(each.feature),
                "from_version": each.from_version,
                "to_version": each.to_version,
                "fields": {str(new): str(old) for new, old in each.fields.items()},
                "records": each.records,
                "left": each.left,
                "commit": each.commit,
                "applied_at": each.applied_at.isoformat(),
            }
            for each in found
        ]
    )


def _logged_table(found: Sequence[AppliedRebase]) -> str | Table:
    if not found:
        return "Nothing was rebased yet.\n"
    table = _table("restamped", "left", "commit", "fields", "at (UTC)")
    for each in found:
        fields = ", ".join(f"{new} was {old}" for new, old in each.fields.items())
        numbers = (each.records, each.left, each.commit)
        table.add_row(*_versions(each), *map(str, numbers), fields, shown_time(each.applied_at))
    return table


def _table(*columns: str) -> Table:
    table = printing.table()
    table.add_column("feature", no_wrap=True)
    table.add_column("version", no_wrap=True)
    for name in columns:
        is_number = name in {"restamp", "restamped", "left", "already", "commit"}
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    return table


def _versions(rebase: Rebase | AppliedRebase) -> tuple[str, str]:
    return str(rebase.feature), f"{rebase.from_version[:8]} → {rebase.to_version[:8]}"


def _dumped(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
