"""A few rows as Markdown, for people who look at a run."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, cast

from metaxy_core import system_columns as sc

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import polars as pl
    import pyarrow as pa

    from metaxy_core.store.increment import Increment

PREVIEW_ROWS: Final = 5
_CHANGED = "changed"
_LONGEST_CELL = 60


def increment_preview(increment: Increment) -> str | None:
    """The first new and stale records of an increment and what changed; None where it has none.

    Args:
        increment: an increment; only the rows shown are fetched.
    """
    if not increment.counts.to_process:
        return None
    batches = cast("Generator[pl.DataFrame]", increment.batches(PREVIEW_ROWS))
    with closing(batches):
        frame = next(batches)
    changed = [", ".join(fields) for fields in frame[sc.CHANGED_FIELDS].to_list()]
    names = [name for name in frame.columns if not sc.is_reserved(name)]
    rows = [[*row, fields] for row, fields in zip(frame.select(names).rows(), changed, strict=True)]
    more = increment.counts.to_process - len(rows)
    text = _table([*names, _CHANGED], rows)
    return f"{text}\n\n… and {more} more" if more else text


def markdown_table(rows: pa.Table) -> str:
    r"""A few rows without system columns, as a Markdown table.

    Example:
        >>> import pyarrow as pa
        >>> print(markdown_table(pa.table({"id": ["a"], "path": ["x|y"]})))
        | id | path |
        | --- | --- |
        | a | x\|y |
    """
    names = [name for name in rows.column_names if not sc.is_reserved(name)]
    found = [[row[name] for name in names] for row in rows.select(names).to_pylist()]
    return _table(names, found)


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [names, ["---"] * len(names), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    if len(text) > _LONGEST_CELL:
        text = f"{text[: _LONGEST_CELL - 1]}…"
    return text.replace("|", "\\|")
