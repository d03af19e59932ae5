"""The functions that the engine counts on, in DuckDB: md5 is its own, xxh64 ours, over Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from duckdb.func import PythonUDFType

from metaxy_core.engine.hashing import CONCAT, FUNCTION, MOST_TEXTS, XXH64
from metaxy_core.engine.row_hashes import ROW_HASH

if TYPE_CHECKING:
    import duckdb

_VARIABLE = "metaxy_hash_algorithm"
_XXH64 = "metaxy_xxh64"
_TOP_BIT_CLEARED = 2**63 - 1

# A variable is a constant when a query is planned, so only one branch is ever computed; and unlike
# a macro it may be changed in the middle of a transaction, whether that succeeds or not.
_MACRO = f"""
CREATE OR REPLACE MACRO {FUNCTION}(x) AS
CASE WHEN getvariable('{_VARIABLE}') = '{XXH64}' THEN {_XXH64}(x)
ELSE (md5_number(x) & {_TOP_BIT_CLEARED}::UHUGEINT)::BIGINT END
"""

# DuckDB's own name would be written as a chain of ``||``.
_TEXTS = [", ".join(f"text_{at}" for at in range(count)) for count in range(2, MOST_TEXTS + 1)]
_CONCAT = f"CREATE OR REPLACE MACRO {CONCAT} " + ", ".join(
    f"({texts}) AS concat({texts})" for texts in _TEXTS
)

# Twice, since that of a struct combines those of its members so that they can be exchanged.
_ROW_HASH = f"CREATE OR REPLACE MACRO {ROW_HASH}(x) AS (hash(hash(x)) >> 1)::BIGINT"


def define_hash(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the functions of the engine; the hash of versions is md5 until another is chosen."""
    connection.create_function(_XXH64, _xxh64, ["VARCHAR"], "BIGINT", type=PythonUDFType.ARROW)
    connection.execute(_MACRO)
    connection.execute(_CONCAT)
    connection.execute(_ROW_HASH)


def choose_hash(connection: duckdb.DuckDBPyConnection, algorithm: str) -> None:
    """Compute versions with ``md5`` or ``xxh64`` from here on."""
    connection.execute(f"SET VARIABLE {_VARIABLE} = '{algorithm}'")


def _xxh64(text: pa.ChunkedArray) -> pa.Array:
    """The hash of each text, its top bit cleared; NULL stays NULL."""
    from xxhash import xxh64_intdigest

    return pa.array(
        (
            None if value is None else xxh64_intdigest(value) & _TOP_BIT_CLEARED
            for value in text.cast(pa.binary()).to_pylist()
        ),
        pa.int64(),
    )
