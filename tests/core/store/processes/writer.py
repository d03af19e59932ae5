"""A process that writes to a store, to be run several times at once, or to be killed.

Arguments: the file, a name that its ids begin with, the number of commits, and, where there is one,
the largest size in bytes that the disk lets a file have. Every commit has ``ROWS`` records; its id
is printed once it is made.
"""

from __future__ import annotations

import resource
import sys

import polars as pl

import metaxy_core as mx

ROWS = 50


def main(path: str, name: str, commits: int) -> None:
    """Write commit after commit."""

    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        path: str

    with mx.DuckDBMetadataStore(path, lock_timeout=120) as store:
        for number in range(commits):
            ids = [f"{name}-{number}-{row}" for row in range(ROWS)]
            versions = [{"default": f"{number}"}] * ROWS
            frame = {"id": ids, "path": ids, "metaxy_provenance_by_field": versions}
            commit = store.write(Video, pl.DataFrame(frame))
            sys.stdout.write(f"{commit.id if commit else 0}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    for size in map(int, sys.argv[4:]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
