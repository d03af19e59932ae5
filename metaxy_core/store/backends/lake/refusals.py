"""What the libraries of a lake refuse, in words that say what to do and hold no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
from obstore.exceptions import BaseError

from metaxy_core.errors import ReadOnlyStore, StoreError, StoreUnreachable
from metaxy_core.store.backends.duckdb_refusals import of_values
from metaxy_core.store.backends.lake.places import Place
from metaxy_core.store.backends.refusals import full_disk, is_full


class Refusals:
    """Errors of one store.

    Args:
        place: the root of the store.
        failures: what the library of its format raises.
    """

    def __init__(self, place: Place, failures: tuple[type[Exception], ...]) -> None:
        self.address = place.address
        self._place = place
        self._failures = (BaseError, OSError, duckdb.IOException, pa.ArrowException, *failures)

    @contextmanager
    def told(self) -> Iterator[None]:
        """What is refused inside becomes an error of the store."""
        try:
            yield
        except StoreError:
            raise
        except (duckdb.DataError, duckdb.BinderException) as error:
            if (ours := of_values(error)) is None:
                raise
            raise ours from error
        except self._failures as error:
            raise self._refusal(error) from None  # what a library says may hold a secret

    def _refusal(self, error: Exception) -> StoreError:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        address, said = self._place.address, self._without_secrets(reason)
        if is_full(error):
            return full_disk(address, said)
        if isinstance(error, PermissionError) or "ermission denied" in reason:
            return ReadOnlyStore(
                f"{address!r} cannot be written; open the store with read_only=True, or allow "
                f"it to be written. {said}"
            )
        return StoreUnreachable(
            f"The store {address!r} cannot be read or written; check its address, "
            f"storage_options and permissions. {said}"
        )

    def _without_secrets(self, text: str) -> str:
        values = sorted({*self._place.options.values()} - {""}, key=len, reverse=True)
        pattern = "|".join(re.escape(value) for value in values)
        return re.sub(pattern, "...", text) if pattern else text
