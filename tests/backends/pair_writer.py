"""A process that writes to a store of the suite, beside others or until it is killed.

Arguments: the store's name, its folder, what ids begin with, and the number of writes. Each
write is one commit of three records in each of two features, and is said once it was made; between
two of them records are resolved and processed. It begins once a line is put in.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import metaxy_core as mx


def main(kind: str, folder: str, name: str, writes: int) -> None:
    """Write commit after commit."""
    from conftest import EVERY  # the folder of a script is where Python looks first

    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    class Label(mx.Feature, spec=mx.FeatureSpec(key="label", id_columns=["id"])):
        pass

    class Crop(mx.Feature, spec=mx.FeatureSpec(key="crop", id_columns=["id"], deps=[Video])):
        pass

    (found,) = (store for store in EVERY if store.name == kind)
    with found.opened_at(Path(folder), lock_timeout=120) as store:
        store.history(Video)  # what takes time once is done
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for number in range(writes):
            ids = [f"{name}-{number}-{record}" for record in range(3)]
            samples = {"id": ids, "metaxy_provenance_by_field": [{"default": "a"}] * 3}
            frame = pl.DataFrame(samples)
            store.write_all({Video: frame, Label: frame})
            sys.stdout.write(f"{name}-{number}\n")
            sys.stdout.flush()
            increment = store.resolve_update(Crop, limit=2)
            if increment.counts.new:
                store.write(Crop, increment.new)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
