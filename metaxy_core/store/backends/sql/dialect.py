"""What tells one database's SQL from another's: names, types, and how expressions are written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from metaxy_core.errors import InvalidFilter, ValueOutOfRange
from metaxy_core.store.backends.sql.encoding import Encoding, arrow_type, cast
from metaxy_core.store.backends.sql.literals import bare_literals, with_kept_literals
from metaxy_core.store.backends.sql.rewriting import (
    Rewriting,
    named_shortly,
    picked_first,
)
from metaxy_core.store.backends.statements import Statement

if TYPE_CHECKING:
    import ibis
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

_DIGITS: Final = 12
_NO_LETTERS: Final = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Dialect:
    """The SQL of one database.

    Attributes:
        name: as Ibis and sqlglot call it.
        longest_name: bytes that the name of a table or column can have.
        schema: the schema or catalog in which a store's tables are; None for none.
        encoding: how a type is kept that the database does not have; None for one that it has.
        types: how columns of some types are declared, where it is not as Ibis has it.
        rewritings: what else is put in other words, one after another.
        is_shallow: whether queries cannot be nested deeply, and are named one after another.
        variant: what else compiled statements depend on.
        names: what the names of tables and columns have to look like; None for anything.
        reserved: names that no column can have.
        compiler: the module whose ``COMPILER`` compiles expressions; None for Ibis's own.
    """

    name: str
    longest_name: int
    schema: str | None
    encoding: Callable[[dt.DataType], Encoding | None]
    types: Mapping[str, str] = field(default_factory=dict)
    rewritings: Sequence[Rewriting] = ()
    is_shallow: bool = False
    variant: str = ""
    names: re.Pattern[str] | None = None
    reserved: frozenset[str] = frozenset()
    compiler: str | None = None

    # ------------------------------------------------------------------ names

    def short(self, name: str) -> str:
        """A name that the database can have; one that is another ends with a hash of the whole."""
        is_plain = self.names is None or self.names.fullmatch(name)
        if is_plain and len(name.encode()) <= self.longest_name and name not in self.reserved:
            return name
        said = name if is_plain else f"_{_NO_LETTERS.sub('_', name)}"
        kept = said.encode()[: self.longest_name - _DIGITS - 1].decode(errors="ignore")
        return f"{kept}_{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}"

    def quoted(self, name: str) -> str:
        """A name as an identifier."""
        import sqlglot.expressions as sge

        return sge.to_identifier(self.short(name), quoted=True).sql(self.name)

    def stored(self, table: str) -> str:
        """A table of the store, as SQL names it."""
        own = self.quoted(table)
        return own if self.schema is None else f"{self.quoted(self.schema)}.{own}"

    # ------------------------------------------------------------------ types

    def kept(self, kind: dt.DataType) -> dt.DataType:
        """The type in which values of a type are kept."""
        import ibis

        found = self.encoding(kind)
        return kind if found is None else ibis.dtype(found.kept)

    def declared(self, kind: dt.DataType) -> str:
        """A type as the definition of a column names it."""
        kept = self.kept(kind).copy(nullable=True)
        own = self.types.get(str(kept))
        return str(self._compiler().type_mapper.to_string(kept)) if own is None else own

    def encoded(self, frame: pa.Table) -> pa.Table:
        """A frame with the names and types that the database has.

        Raises:
            ValueOutOfRange: a column has a value that cannot be kept.
        """
        import ibis

        columns = ibis.Schema.from_pyarrow(frame.schema)
        kept = {}
        for name, kind in columns.items():
            encoding = self.encoding(kind)
            try:
                found = frame[name] if encoding is None else encoding.encode(frame[name])
            except (pa.ArrowInvalid, OverflowError, ValueError) as error:
                raise ValueOutOfRange.from_reason(f"column {name!r} ({kind}): {error}") from error
            kept[self.short(name)] = found
        return pa.table(kept) if kept else frame

    def decoded(self, rows: pa.Table, columns: ibis.Schema) -> pa.Table:
        """Rows that the database gave, with the names and types of a statement."""
        found = {
            name: self._decoded(rows.column(number), kind)
            for number, (name, kind) in enumerate(columns.items())
        }
        return pa.table(found)

    def _decoded(self, values: pa.ChunkedArray, kind: dt.DataType) -> pa.ChunkedArray:
        encoding = self.encoding(kind)
        return cast(values, arrow_type(kind)) if encoding is None else encoding.decode(values)

    # ------------------------------------------------------------------ statements

    def statement(self, expression: ir.Table) -> Statement:
        """An expression in SQL."""
        return Statement(self._tree(expression).sql(self.name), expression.schema())

    def _tree(self, expression: ir.Table) -> Any:
        import ibis.expr.operations as ops
        from sqlglot.optimizer.eliminate_subqueries import eliminate_subqueries

        if expression.op().find(ops.StructField):
            raise InvalidFilter(
                f"A {self.name} store keeps nested columns as text, so that a filter cannot read "
                f"their members. Give what it needs a column of its own."
            )
        expression = with_kept_literals(expression.unbind(), self.name, self.encoding)
        tree = self._compiler().to_sqlglot(expression)
        own = [picked_first, bare_literals, named_shortly(self.short)]
        rewritings = [*own, *self.rewritings]
        for rewriting in rewritings:
            tree = tree.transform(rewriting, copy=False)
        return eliminate_subqueries(tree) if self.is_shallow else tree

    def _compiler(self) -> Any:
        from ibis.backends.sql import compilers

        if self.compiler is not None:
            return import_module(self.compiler).COMPILER
        return getattr(compilers, self.name).compiler
