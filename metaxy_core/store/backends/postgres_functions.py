"""The functions that the engine counts on, in PostgreSQL, made for each session."""

from __future__ import annotations

from typing import Final

from metaxy_core.engine.hashing import CONCAT, FUNCTION

TEMPORARY: Final = "pg_temp"
"""Where they are: nobody needs the right to change the schema of a store."""

# The first 8 bytes of the digest, the last of them first.
_TURNED: Final = " || ".join(f"substr(h, {at}, 2)" for at in range(15, 0, -2))

_HASH: Final = f"""
CREATE OR REPLACE FUNCTION {TEMPORARY}.{FUNCTION}(x text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT ('x' || {_TURNED})::bit(64)::bigint & 9223372036854775807
FROM (SELECT md5(x) AS h OFFSET 0) AS digest
$$
"""  # noqa: S608 - nothing in it comes from outside

_CONCAT: Final = f"""
CREATE OR REPLACE FUNCTION {TEMPORARY}.{CONCAT}(VARIADIC texts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN array_position(texts, NULL) IS NULL THEN array_to_string(texts, '') END
$$
"""

FUNCTIONS: Final = (_HASH, _CONCAT)
"""The statements that make them."""
