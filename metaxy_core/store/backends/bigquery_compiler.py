"""Expressions as BigQuery's, with the names that columns have."""

from __future__ import annotations

from ibis.backends.sql.compilers.bigquery import BigQueryCompiler


class Compiler(BigQueryCompiler):  # type: ignore[misc]  # Ibis has no types here
    """Ibis's own, which would give two names one form; the dialect replaces them."""

    __slots__ = ()

    @staticmethod
    def _gen_valid_name(name: str) -> str:
        return name


COMPILER = Compiler()
