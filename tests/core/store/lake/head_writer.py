"""A process that counts in a log of heads, beside others that do the same.

Arguments: the folder, and how often to count.
"""

from __future__ import annotations

import sys

from obstore.store import LocalStore

from metaxy_core.store.backends.heads.log import Heads
from metaxy_core.store.backends.heads.turns import Turn
from metaxy_core.store.backends.lake.objects import HeadObjects


def count(heads: Heads, times: int) -> None:
    """Add one, again and again."""
    for _ in range(times):
        with Turn(heads, 60) as turn:
            version = turn.tables.get("counter", {"version": 0})["version"]
            turn.commit({**turn.tables, "counter": {"version": version + 1}})


if __name__ == "__main__":
    count(Heads(HeadObjects(LocalStore(sys.argv[1])), sys.argv[1]), int(sys.argv[2]))
