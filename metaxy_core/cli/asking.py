"""A command asks before something is gone, where somebody is there to answer."""

from __future__ import annotations

import sys

import typer

from metaxy_core.cli.printing import tell


def is_answered() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, unchanged: str) -> None:
    """Ask, and end with exit code 1 where the answer is no.

    Args:
        question: what is going to happen.
        unchanged: what to say where it does not.
    """
    if not typer.confirm(question, err=True):
        tell(unchanged)
        raise typer.Exit(1)


def confirm(question: str, done: str, *, yes: bool) -> None:
    """Ask before records or their history are gone; refuse where nobody can be asked.

    Args:
        question: what is going to happen.
        done: what did not happen, if the answer is no.
        yes: do not ask.
    """
    if yes:
        return
    if not is_answered():
        raise typer.BadParameter(f"{question}? Nobody can be asked here; give --yes")
    ask(f"{question}?", f"Nothing was {done}.")
