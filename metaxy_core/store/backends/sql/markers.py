"""Names that stand for a store's tables in compiled SQL, until it is known where those are.

They are drawn anew by each process, so that no text of a user has one of them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from metaxy_core.store.backends.sql.dialect import Dialect

STORED: Final = f"metaxy_stored_{uuid.uuid4().hex}"
"""In the place of a schema: the tables of the store."""

FRAMES: Final = f"metaxy_frames_{uuid.uuid4().hex}"
"""In the place of a schema: staged and kept tables."""


def marked(dialect: Dialect, schema: str, name: str) -> str:
    """The text that stands for a table."""
    return f"{dialect.quoted(schema)}.{dialect.quoted(name)}"


def replaced(
    sql: str, dialect: Dialect, stored: Callable[[str], str], frame: Callable[[str], str]
) -> str:
    """SQL with what stands for tables put in other words.

    Args:
        sql: the statement.
        dialect: of which it is.
        stored: what to say for a table of the store, given its name in quotes.
        frame: what to say for a staged or kept table, given its name in quotes.
    """
    if STORED not in sql and FRAMES not in sql:
        return sql
    said = {STORED: stored, FRAMES: frame}
    return _pattern(dialect.quoted("x")[0]).sub(lambda found: said[found[1]](found[2]), str(sql))


@lru_cache
def _pattern(quote: str) -> re.Pattern[str]:
    name = f"{quote}(?:[^{quote}]|{quote}{quote})+{quote}"
    return re.compile(f"{quote}({STORED}|{FRAMES}){quote}\\.({name})")
