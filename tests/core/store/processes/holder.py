"""A process that holds a DuckDB file, as any other program may, until its input ends."""

from __future__ import annotations

import sys

import duckdb


def main(path: str) -> None:
    """Open the file, say so, and wait."""
    with duckdb.connect(path):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
