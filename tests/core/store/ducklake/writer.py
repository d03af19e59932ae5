"""A process that writes to a DuckLake store, beside others that do the same, or until it is killed.

Arguments: what holds the catalog, the folder, what ids begin with, and the number of commits. Each
has one record in each of two features, and its number is said once it was made.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import metaxy_core as mx


def main(kind: str, folder: str, name: str, writes: int) -> None:
    """Write commit after commit."""
    from kinds import opened  # the folder of a script is where Python looks first

    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    class Label(mx.Feature, spec=mx.FeatureSpec(key="label", id_columns=["id"])):
        pass

    with opened(kind, Path(folder), lock_timeout=120) as store:
        for number in range(writes):
            samples = {"id": [f"{name}{number}"], "metaxy_provenance_by_field": [{"default": "a"}]}
            frame = pl.DataFrame(samples)
            store.write_all({Video: frame, Label: frame})
            sys.stdout.write(f"{name}{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
