"""A process that writes to a store of the suite, to be run several times at once.

Arguments: the store's name, its folder, what ids begin with, and the number of commits. Each commit
has one record; its number is printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import metaxy_core as mx


def main(kind: str, folder: str, name: str, commits: int) -> None:
    """Write commit after commit."""
    from conftest import EVERY  # the folder of a script is where Python looks first

    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    (found,) = (store for store in EVERY if store.name == kind)
    with found.opened_at(Path(folder)) as store:
        for number in range(commits):
            versions = [{"default": "a"}]
            frame = {"id": [f"{name}{number}"], "metaxy_provenance_by_field": versions}
            commit = store.write(Video, pl.DataFrame(frame))
            sys.stdout.write(f"{commit.id if commit else 0}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
