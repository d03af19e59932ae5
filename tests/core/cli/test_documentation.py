"""The page on the command line has every command and the exit codes; its help every option."""

from __future__ import annotations

from pathlib import Path

import typer

from metaxy_core.cli.app import app

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")


def names() -> list[str]:
    root = typer.main.get_command(app)
    found = []
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        found += [f"{name} {each}" for each in inner] if inner else [name]
    return found


def test_every_command_is_on_the_page():
    missing = [name for name in names() if f"`metaxy {name}" not in PAGE]
    assert not missing


def test_the_exit_codes_are_on_the_page_and_in_the_help(workspace):
    shown = " ".join(workspace.run("--help").stdout.split())
    assert "0 done; 1 an error, or a difference with --exit-code; 2 wrong usage" in shown
    assert all(f"| {code} |" in PAGE for code in (0, 1, 2, 130))
