"""A store that has forgotten what is settled compares everything, as one without that memory."""

from __future__ import annotations

from pathlib import Path

import duckdb

SETTLED = "metaxy__settled"


def forget(path: Path) -> bool:
    """Forget what is settled; the next resolve compares every record.

    Args:
        path: the store's file, which nobody has open.

    Returns:
        Whether anything was remembered.
    """
    with duckdb.connect(str(path)) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        if (SETTLED,) not in tables:
            return False
        connection.execute(f"DELETE FROM {SETTLED}")
        return True
