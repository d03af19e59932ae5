"""Results go to stdout and everything else to stderr, coloured only where someone reads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING

import typer

from metaxy_core.errors.pointing import without_place

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress
    from rich.table import Table

_PLAIN_WIDTH = 1_000
_PATIENCE = 2.0


def show(result: RenderableType, output: Path | None = None) -> None:
    """Print a result: text as it is, anything else as rich lays it out.

    Args:
        result: the text or renderable.
        output: the file to write it to, instead of stdout.
    """
    if output is None:
        _print(result, _console())
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            _print(result, _console(file))
    except OSError as error:
        raise typer.BadParameter(f"{output}: {error.strerror}", param_hint="--output") from error


def table() -> Table:
    """A table without columns yet, laid out as those of every command are."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def tell(message: str) -> None:
    """Say on stderr what is no result."""
    _say(message, "yellow")


def complain(error: Exception) -> None:
    """Say on stderr what went wrong, in one line, and below it the place in a text if any."""
    message, place = without_place(str(error))
    _say(f"Error: {' '.join(message.split())}{place}", "red")


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[object], None]]:
    """A bar on stderr, as long as the block runs, that says what is worked on.

    Without a terminal there are lines only once it has taken a while.

    Yields:
        What to call with each item that is begun.
    """
    console, started, numbers = _console(stderr=True), time.monotonic(), count(1)
    with _bar(console, "{task.completed}/{task.total}") as bar:
        task = bar.add_task(what, total=total)

        def begin(item: object) -> None:
            number = next(numbers)
            message = f"{what} {item}"
            bar.update(task, completed=number - 1, description=message)
            if not console.is_terminal and time.monotonic() - started > _PATIENCE:
                line = f"{message} ({number} of {total})"
                console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield begin


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, in a terminal, that counts rows.

    Args:
        what: what is done.
        total: how many rows there will be, where that is known.

    Yields:
        What to call with the number of rows that were done.
    """
    with _bar(_console(stderr=True), "{task.completed:,} rows") as bar:
        task = bar.add_task(what, total=total)

        def advance(rows: int) -> None:
            bar.update(task, advance=rows)

        yield advance


@contextmanager
def advancing(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar on stderr for work whose extent shows as it goes.

    Without a terminal there is a line every now and then, once it has taken a while.

    Yields:
        What to call with how much is done, how much there is to do, and what else to say.
    """
    console, last = _console(stderr=True), time.monotonic()
    with _bar(console, "{task.completed:,}/{task.total:,}") as bar:
        task = bar.add_task(what, total=0)

        def advance(done: int, total: int, also: str) -> None:
            nonlocal last
            bar.update(task, completed=done, total=total, description=f"{what}, {also}")
            if not console.is_terminal and time.monotonic() - last > _PATIENCE:
                last = time.monotonic()
                line = f"{what} ({done:,} of {total:,}), {also}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield advance


def _bar(console: Console, told: str) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn(told, markup=False),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _print(result: RenderableType, console: Console) -> None:
    if isinstance(result, str):
        console.file.write(result)
    else:
        console.print(result)


def _say(message: str, style: str) -> None:
    console = _console(stderr=True)
    shown = "".join(c if c.isprintable() or c == "\n" else "·" for c in message)
    console.print(shown, style=style, markup=False, highlight=False, soft_wrap=True)


def _console(file: IO[str] | None = None, *, stderr: bool = False) -> Console:
    from rich.console import Console

    class PipedConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    console = PipedConsole(file=file, stderr=stderr)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console
