"""Writers of one PostgreSQL schema take turns by an advisory lock of their session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from metaxy_core.store.backends.addresses import milliseconds

if TYPE_CHECKING:
    from metaxy_core.store.backends.sql.connection import Connection


class LockHeld(Exception):
    """Another session has the lock, and we were told not to wait."""


@contextmanager
def advisory_lock(
    connection: Connection,
    lock: str,
    *,
    seconds: float,
    translated: Callable[[Exception], Exception],
) -> Iterator[None]:
    """Hold a lock; the server gives it to the next session when this one ends, however it does.

    Args:
        connection: the session, outside of a transaction.
        lock: a number, in SQL.
        seconds: how long to wait at most.
        translated: what the server says, in our words.
    """
    patience = milliseconds(seconds)
    if patience:
        connection.execute(f"SET lock_timeout = {patience}")
        try:
            connection.query(f"SELECT pg_advisory_lock({lock})::text")
        except Exception as error:
            raise translated(error) from error
        finally:
            with suppress(Exception):
                connection.execute("SET lock_timeout = 0")
    else:
        found = connection.query(f"SELECT pg_try_advisory_lock({lock}) AS is_ours")
        if not found["is_ours"][0].as_py():
            raise translated(LockHeld("another session writes"))
    try:
        yield
    finally:
        with suppress(Exception):
            connection.query(f"SELECT pg_advisory_unlock({lock})")
