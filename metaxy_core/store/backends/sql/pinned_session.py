"""A store's tables at one head, and the change that leads to the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from metaxy_core import system_columns as sc
from metaxy_core.store.backends.sql.markers import FRAMES, marked
from metaxy_core.store.backends.sql.pins import WRITE, Pin, State
from metaxy_core.store.backends.sql.snapshot import SqlSnapshot, columns_of
from metaxy_core.store.backends.statements import Statement

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

    from metaxy_core.store.backends.sql.pinned import PinnedBackend

Done = TypeVar("Done")

_WORTH_A_CLONE: Final = 100_000
"""Of fewer rows, those that stay are copied."""


class PinnedSession(SqlSnapshot):
    """What a snapshot or a change can do.

    Args:
        backend: the database, with a state of the store open.
    """

    def __init__(self, backend: PinnedBackend[Any]) -> None:
        super().__init__(backend, backend.state.registry())
        self._pinned = backend
        self._tables = backend.physical

    @property
    def _state(self) -> State:
        return self._pinned.state

    def append(self, table: str, sql: str) -> int:
        """Insert by column name."""
        columns = columns_of(sql)
        if table not in self._registry:
            indexes = ((sc.COMMIT,),) if sc.COMMIT in columns else ()
            self._pin(table, columns, indexes)
        elif missing := self._registry.missing(table, columns):
            self._add(table, missing)
        return self._insert(table, columns, sql)

    def replace(self, table: str, sql: str) -> None:
        """Make a table from scratch."""
        columns = columns_of(sql)
        rows = self._pinned.rendered(sql)  # of the table as it was
        indexes = ((sc.COMMIT,),) if sc.COMMIT in columns else ()
        self._registry.drop(table)
        self._pin(table, columns, indexes)
        self._insert(table, columns, Statement(rows, columns))

    def remove(self, table: str, staged: ir.Table, columns: Sequence[str]) -> int:
        """Delete by equality with a staged frame."""
        quoted = list(map(self._dialect.quoted, columns))
        same = self._tables.matching(marked(self._dialect, FRAMES, staged.op().name), quoted)
        gone = self._count(table, same)
        if not gone:
            return 0
        pin = self._state.tables[table]
        if pin.at not in self._state.made:
            if self._count(table) < _WORTH_A_CLONE:
                self._copy_others(table, same)
                return gone
            self._clone(table)
        self._run(self._tables.delete, self._at(table), same)
        self._count_own(table, pin.at)
        return gone

    def index(self, table: str, columns: Sequence[str]) -> None:
        """Make rows of a table fast to find by some columns."""
        pin = self._state.tables.get(table)
        if pin is None or tuple(columns) in pin.indexes:
            return
        self._tables.index(self._at(table), list(map(self._dialect.quoted, columns)))
        self._state.tables[table] = replace(pin, indexes=(*pin.indexes, tuple(columns)))

    # ------------------------------------------------------------------ details

    def _at(self, table: str) -> str:
        return self._pinned.at(self._state.tables[table].at)

    def _run(self, run: Callable[..., Done], *args: Any) -> Done:
        """Do something with the tables of the database, given SQL that names those of the store."""
        *known, sql = args
        done: Done = self._pinned.ran(lambda rendered: run(*known, rendered), sql)
        return done

    def _count(self, table: str, condition: str = "TRUE") -> int:
        rows = self._backend.fetch(
            f"SELECT count(*) AS n FROM {self._dialect.stored(table)} AS t WHERE {condition}"  # noqa: S608 - quoted
        )
        return int(rows["n"][0].as_py())

    def _insert(self, table: str, columns: ibis.Schema, sql: str) -> int:
        state, write = self._state, self._dialect.quoted(WRITE)
        at = state.tables[table].at
        before = state.own.setdefault(at, 0)
        names = [*map(self._dialect.quoted, columns), write]
        rows = f"SELECT *, {state.write} AS {write} FROM ({self._typed(table, sql, columns)}) AS r"  # noqa: S608
        if self._tables.tells_rows:
            inserted = self._run(self._tables.insert, self._at(table), names, rows)
            state.own[at] = before + inserted
            return inserted
        self._run(self._tables.insert, self._at(table), names, rows)
        self._count_own(table, at)
        return state.own[at] - before

    def _count_own(self, table: str, before: str) -> None:
        """Count the rows of this session in a table, if some were where its rows were before."""
        state, write = self._state, self._dialect.quoted(WRITE)
        if before in state.own:
            found = self._backend.fetch(
                f"SELECT count(*) AS n FROM {self._at(table)} WHERE {write} = {state.write}"  # noqa: S608 - quoted
            )
            state.own[state.tables[table].at] = int(found["n"][0].as_py())

    def _copy_others(self, table: str, condition: str) -> None:
        """Another table in the place of one, with the rows for which a condition does not hold."""
        old, pin = self._at(table), self._state.tables[table]
        write = self._dialect.quoted(WRITE)
        names = [*(self._dialect.quoted(name) for name, _ in pin.columns), write]
        seen = self._state.condition(write)
        self._pin(table, pin.types, pin.indexes)
        rows = (
            f"SELECT {', '.join(names)} FROM {old} "  # noqa: S608 - quoted
            f"WHERE {seen} AND NOT coalesce({condition}, FALSE)"
        )
        self._run(self._tables.insert, self._at(table), names, rows)
        self._count_own(table, pin.at)

    def _clone(self, table: str) -> None:
        """A copy in the place of a table, which may be changed."""
        old, pin = self._at(table), self._state.tables[table]
        at = self._new(table)
        self._tables.clone(old, self._pinned.at(at))
        self._state.tables[table] = replace(pin, at=at)
        self._count_own(table, pin.at)

    def _pin(
        self,
        table: str,
        columns: Mapping[str, Any],
        indexes: Sequence[tuple[str, ...]],
    ) -> None:
        """An empty table, in the place of one if there is one."""
        at = self._new(table)
        keys = [list(map(self._dialect.quoted, each)) for each in indexes]
        self._tables.create(self._pinned.at(at), self._declared(columns), keys)
        if table not in self._registry:
            self._registry.added(table, columns)
        self._state.tables[table] = Pin(at, self._told(table), tuple(indexes))

    def _new(self, table: str) -> str:
        """The name of a table that this session is about to make."""
        state = self._state
        before = state.tables.get(table)
        if before is not None:
            state.replaced.append(before.at)
        at = self._pinned.new_name(table)
        state.made.append(at)
        return at

    def _add(self, table: str, columns: Mapping[str, Any]) -> None:
        """Columns are added to a table of one's own: nobody knows who else adds some."""
        if self._state.tables[table].at not in self._state.made:
            self._clone(table)
        self._tables.add(self._at(table), self._declared(columns))
        self._registry.added(table, columns)
        pin = self._state.tables[table]
        self._state.tables[table] = replace(pin, columns=self._told(table))

    def _told(self, table: str) -> tuple[tuple[str, str], ...]:
        return tuple(self._registry.told(table).items())

    def _declared(self, columns: Mapping[str, Any]) -> dict[str, str]:
        quoted, declared = self._dialect.quoted, self._dialect.declared
        return {quoted(name): declared(kind) for name, kind in columns.items()}
