"""A process that changes and processes records at random until it is killed, to be run at once.

Arguments: the store's name, its folder, and a seed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from random import Random

import polars as pl

import metaxy_core as mx
from metaxy_core.store.settling import LIMITS


def main(kind: str, folder: str, random: Random) -> None:
    """Change some records, do some of the work, and so on; a write is the last thing."""
    from conftest import EVERY  # the folder of a script is where Python looks first

    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    class Copy(mx.Feature, spec=mx.FeatureSpec(key="copy", id_columns=["id"], deps=[Video])):
        pass

    vars(LIMITS).update(rows=0, left=random.choice([0.0, 1.0]), awaiting=0.0, before=2)
    (found,) = (store for store in EVERY if store.name == kind)
    with found.opened_at(Path(folder)) as store:
        for _ in range(6):
            ids = random.sample([f"v{i}" for i in range(14)], 3)
            versions = [{"default": random.choice("abc")} for _ in ids]
            store.write(Video, pl.DataFrame({"id": ids, "metaxy_provenance_by_field": versions}))
            for frame in store.resolve_update(Copy).batches(4):
                store.write(Copy, frame)
                break
            store.resolve_update(Copy)
        store.write(Video, pl.DataFrame({"id": ids, "metaxy_provenance_by_field": versions}))
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Random(sys.argv[3]))
