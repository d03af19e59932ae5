"""Hand-written DuckDB SQL of the same work on the same files: the limit of what can be reached."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks.engines.base import root_frame
from benchmarks.graphs import Feature, Graph
from benchmarks.samples import STRUCT
from benchmarks.scenarios import Scenario


class HandWritten:
    """DuckDB without an engine: it knows the graph, and that nothing was deleted."""

    def __init__(self) -> None:
        self._rows = pa.table({})

    def load(self, scenario: Scenario, data: Path) -> None:
        """Read the frame that is to be written."""
        if scenario.work == "write":
            self._rows = root_frame(scenario, scenario.shape.roots[0], data).to_arrow()

    def run(self, scenario: Scenario, path: Path, closing: ExitStack) -> int:
        """Compare and fetch, or ingest."""
        if scenario.work == "write":
            return self._written(scenario, path)
        connection = closing.enter_context(duckdb.connect(str(path), read_only=True))
        found = connection.execute(comparison(scenario)).to_arrow_table()
        return int(found.num_rows)

    def _written(self, scenario: Scenario, path: Path) -> int:
        root = scenario.shape.roots[0]
        members = ", ".join(f"{field} VARCHAR" for field in root.fields)
        rows = self._rows
        with duckdb.connect(str(path)) as connection:
            connection.register("rows", rows)
            connection.execute(
                f"CREATE TABLE {root.table} (id VARCHAR, path VARCHAR, {STRUCT} STRUCT({members}))"
            )
            connection.execute(f"INSERT INTO {root.table} SELECT id, path, {STRUCT} FROM rows")
        return int(rows.num_rows)


def comparison(scenario: Scenario) -> str:
    """The comparison of a leaf that has one record for each record of its roots.

    Gives the id and the provenance of the fields of each record that is new, stale or orphaned.
    """
    shape = scenario.shape
    superseded = bool(scenario.changed) or scenario.rewrites > 1
    ctes = [
        _latest(root, reads=_read_fields(shape, root), superseded=superseded and not number)
        for number, root in enumerate(shape.roots)
    ]
    ctes.append(_expected(shape))
    fields = list(shape.leaf.fields)
    told = ", ".join(f"e.{field}" for field in fields)
    if not scenario.stored:
        return f"WITH {', '.join(ctes)} SELECT id, {told}, true AS is_new FROM expected e"
    differs = " OR ".join(
        f"e.{field} IS DISTINCT FROM l.metaxy_provenance__{field}" for field in fields
    )
    return f"""
        WITH {", ".join(ctes)}
        SELECT coalesce(e.id, l.id) AS id, {told}, l.id IS NULL AS is_new, e.id IS NULL AS is_orphan
        FROM expected e FULL JOIN {shape.leaf.table} l ON e.id = l.id
        WHERE {differs}
    """


def _read_fields(shape: Graph, root: Feature) -> list[str]:
    """The fields of a root that the leaf reads."""
    return [field for reads in shape.leaf.fields.values() for field in reads[root.key]]


def _latest(root: Feature, reads: list[str], *, superseded: bool) -> str:
    """The versions of a root's records, each once."""
    versions = ", ".join(f"r.metaxy_provenance__{field} AS {field}" for field in reads)
    if not superseded:
        return f"{root.table}_now AS (SELECT r.id, {versions} FROM {root.table} r)"
    return f"""
        {root.table}_newest AS (
            SELECT r.id, max(r.metaxy_commit) AS newest
            FROM {root.table} r
            SEMI JOIN (
                SELECT metaxy_commit FROM metaxy__commits
                WHERE feature = '{root.key}' AND superseded > 0
            ) USING (metaxy_commit)
            GROUP BY r.id
        ), {root.table}_now AS (
            SELECT r.id, {versions}
            FROM {root.table} r LEFT JOIN {root.table}_newest USING (id)
            WHERE newest IS NULL OR newest = r.metaxy_commit
        )
    """


def _expected(shape: Graph) -> str:
    """What the leaf's versions should be."""
    fields = ", ".join(
        f"(md5_number({_text(field, reads)}) & 9223372036854775807::UHUGEINT)::BIGINT AS {field}"
        for field, reads in shape.leaf.fields.items()
    )
    first, *others = (f"{root.table}_now" for root in shape.roots)
    joined = first + "".join(f" JOIN {other} ON {other}.id = {first}.id" for other in others)
    return f"expected AS (SELECT {first}.id, {fields} FROM {joined})"


def _text(field: str, reads: Mapping[str, tuple[str, ...]]) -> str:
    """The canonical text of a field, as the engine writes it."""
    parts = [f"'v1|{field}|1"]
    for key, upstream in sorted((key, each) for key, up in reads.items() for each in up):
        version = f"{key.replace('/', '__')}_now.{upstream}::VARCHAR"
        parts.append(f"|{key}|{upstream}|' || {version} || '")
    return "".join(parts) + "'"
