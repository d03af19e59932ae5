"""The table of what each store can do says what the stores say of themselves."""

from __future__ import annotations

from pathlib import Path

from metaxy_core.store.backends.bigquery import CAPABILITIES as BIGQUERY
from metaxy_core.store.backends.capabilities import IN_FILE, Capabilities
from metaxy_core.store.backends.clickhouse import CAPABILITIES as CLICKHOUSE
from metaxy_core.store.backends.delta import CAPABILITIES as DELTA
from metaxy_core.store.backends.ducklake_catalogs import IN_FILE as DUCKLAKE
from metaxy_core.store.backends.ducklake_catalogs import IN_POSTGRES as DUCKLAKE_IN_POSTGRES
from metaxy_core.store.backends.iceberg import CAPABILITIES as ICEBERG
from metaxy_core.store.backends.lance import CAPABILITIES as LANCE
from metaxy_core.store.backends.postgres import CAPABILITIES as POSTGRES
from metaxy_core.store.backends.sqlite import IN_FILE as SQLITE

PAGE = Path(__file__).parents[2] / "docs" / "stores.md"
KINDS: dict[str, Capabilities] = {
    "duckdb": IN_FILE,
    "sqlite": SQLITE,
    "postgres": POSTGRES,
    "clickhouse": CLICKHOUSE,
    "bigquery": BIGQUERY,
    "delta": DELTA,
    "iceberg": ICEBERG,
    "lance": LANCE,
    "ducklake": DUCKLAKE,
    "ducklake in postgres": DUCKLAKE_IN_POSTGRES,
}


def matrix() -> str:
    """The table."""
    rows = {
        "a change is all or nothing by": lambda can: can.atomic,
        "who may write at the same time": lambda can: can.writers,
        "few records out of many are found by": lambda can: can.pruning,
        "hash of versions": lambda can: ", ".join(can.hashes),
        "filters read members of nested columns": lambda can: _told(can.members_in_filters),
        "a fallback of the same kind is read in place": lambda can: _told(can.joins),
        "the store can be copied as a file": lambda can: _told(can.files),
    }
    lines = ["", *KINDS], ["---"] * (len(KINDS) + 1)
    told = ([name, *map(tell, KINDS.values())] for name, tell in rows.items())
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (*lines, *told))


def _told(holds: bool) -> str:
    return "yes" if holds else "no"


def test_the_page_has_what_the_stores_say() -> None:
    page = PAGE.read_text("utf-8")
    begin, end = "<!-- begin: capabilities -->\n", "\n<!-- end: capabilities -->"
    assert page[page.index(begin) + len(begin) : page.index(end)].replace("|  |", "| |") == (
        matrix().replace("|  |", "| |")
    )
