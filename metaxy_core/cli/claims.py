"""`metaxy claims` shows which runs have taken records, and gives them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from metaxy_core.cli import printing
from metaxy_core.cli.options import ConfigOption, JsonOption, StoreOption
from metaxy_core.cli.printing import show, tell
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_document, to_text
from metaxy_core.store.outline import shown_time

if TYPE_CHECKING:
    from rich.table import Table

    from metaxy_core.store.claims import HeldClaim

app = typer.Typer(no_args_is_help=True)


@app.command(
    "list",
    epilog="[bold]metaxy claims list[/bold]: who holds how many records of what, and until when."
    "\n\n[bold]metaxy claims list --feature example/crop --json[/bold]: one feature, for programs.",
)
def list_claims(
    context: typer.Context,
    feature: Annotated[
        str | None, typer.Option("--feature", metavar="FEATURE", help="Claims of one feature only.")
    ] = None,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """List who has taken records: new and stale ones that other runs leave alone meanwhile.

    A claim ends for a record that is written. One that lapsed keeps nothing from others; it is
    forgotten when the next claim is made.
    """
    project = Project.from_options(context, config, store, None)
    with project.open_store() as opened:
        found = opened.claims(feature)
        if not found:
            of_feature = "" if feature is None else f" of {feature}"
            tell(f"The store {opened.address} has no claims{of_feature}.")
    show(_to_json(found) if as_json else _to_table(found))


@app.command(epilog="Example: [bold]metaxy claims release run-7[/bold]; `list` shows the owners.")
def release(
    context: typer.Context,
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Who holds them, such as a run.")],
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Give back all that a run has claimed, such as one that crashed, before its time is over.

    A run that still works will have its records computed twice: other runs may take them at once.
    """
    project = Project.from_options(context, config, store, None)
    with project.open_store() as opened:
        records = opened.release_claims(owner)
    if as_json:
        show(to_document({"owner": owner, "records": records}))
    else:
        show(f"Released {records} record(s) of {to_text(owner)}.\n")


def _to_json(found: Sequence[HeldClaim]) -> str:
    return to_document(
        [
            {
                "owner": claim.owner,
                "feature": str(claim.feature),
                "records": claim.records,
                "claimed_at": claim.claimed_at,
                "expires_at": claim.expires_at,
                "live": claim.live,
            }
            for claim in found
        ]
    )


def _to_table(found: Sequence[HeldClaim]) -> Table:
    from rich.text import Text

    table = printing.table()
    for name in ("feature", "records", "state", "claimed (UTC)", "expires (UTC)"):
        table.add_column(name, no_wrap=True)
    table.add_column("owner", overflow="fold")
    for claim in found:
        table.add_row(
            str(claim.feature),
            str(claim.records),
            "live" if claim.live else "lapsed",
            shown_time(claim.claimed_at),
            shown_time(claim.expires_at),
            Text(to_text(claim.owner)),
        )
    return table
