"""A store that notes what its calls cost, so that a run's cost can be told apart."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import metaxy_dagster as mxd

PARTS: Final = {
    "resolve_update": "resolve",
    "write": "write",
    "claims": "claim",
    "extend_claim": "claim",
    "release_claims": "claim",
    "plan_batches": "plan",
    "batches": "plan",
    "planned_ids": "plan",
    "forget_batches": "plan",
}
"""What a call of the store is counted as; others are about the catalog."""

CATALOG: Final = "catalog"
OPENED: Final = "opened"

spent: defaultdict[str, float] = defaultdict(float)
"""Seconds of the processor by part, and how often a store was opened; of this process."""


def used() -> float:
    """Seconds that this process has had a processor for, its threads added up.

    Other programs may have the machine at the same time: they make a clock on the wall run on, and
    this one not.
    """
    return time.process_time()


class SpendingStoreResource(mxd.MetaxyStoreResource):
    """A store whose calls are counted in ``spent``."""

    @contextmanager
    def open(self, *, lock_timeout: float | None = None) -> Iterator[Any]:
        """The store, as something that notes what each call cost."""
        spent[OPENED] += 1
        with super().open(lock_timeout=lock_timeout) as store:
            yield _Noting(store)


class _Noting:
    """A store, or records that are read when they are asked for."""

    def __init__(self, noted: Any) -> None:
        self._noted = noted

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._noted, name)
        return _counted(found, PARTS.get(name, CATALOG)) if callable(found) else found


def _counted(call: Callable[..., Any], part: str) -> Callable[..., Any]:
    def counted(*args: Any, **options: Any) -> Any:
        start = used()
        try:
            found = call(*args, **options)
        finally:
            spent[part] += used() - start
        return _Noting(found) if call.__name__ == "read" else found

    return counted
