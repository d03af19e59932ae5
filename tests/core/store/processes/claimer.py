"""A process that works through a feature with claims, beside others that do the same.

Arguments: the file, the owner, the limit of each claim, for how many seconds it holds, and whether
to ``work`` until nothing is left or to claim once and then ``hang``. It says that it is ready and
begins once a line is put in, so that several begin together. Every id that it is given is printed.
"""

from __future__ import annotations

import sys
import time

import metaxy_core as mx


def main(path: str, owner: str, limit: int, seconds: float, way: str) -> None:
    """Claim, say what was given, and write it."""

    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    class Crop(mx.Feature, spec=mx.FeatureSpec(key="crop", id_columns=["id"], deps=[Video])):
        pass

    with mx.DuckDBMetadataStore(path, lock_timeout=120) as store:
        store.claims()  # what takes time once is done
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        while True:
            claim = mx.Claim(owner, seconds=seconds)
            increment = store.resolve_update(Crop, limit=limit, claim=claim)
            given = increment.new["id"].to_list()
            sys.stdout.write("".join(f"{each}\n" for each in given))
            sys.stdout.flush()
            if way == "hang":
                time.sleep(600)
            if given:
                store.write(Crop, increment.new, materialization_id=owner)
            elif not increment.claimed:
                return
            else:
                time.sleep(0.2)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
