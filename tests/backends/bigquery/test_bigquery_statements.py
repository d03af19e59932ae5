"""The SQL that BigQuery gets is written down, and is BigQuery's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import sqlglot.expressions as sge

import metaxy_core as mx
from tests.backends.bigquery.work import Statements, parsed_all, work, written
from tests.backends.bigquery.written_down import check, files

if TYPE_CHECKING:
    from tests.conftest import Project

KNOWN = {"TO_JSON_STRING", "FARM_FINGERPRINT"}
"""Functions of BigQuery that sqlglot has no name for."""


@pytest.fixture
def store() -> Iterator[mx.MetadataStore]:
    """The expressions are the same in every kind of store; this one is there in an instant."""
    with mx.DuckDBMetadataStore(":memory:") as store:
        yield store


@pytest.fixture
def statements(project: Project, monkeypatch: pytest.MonkeyPatch) -> Statements:
    """What BigQuery would get for all that a store does."""
    found = Statements(project.store)
    monkeypatch.setattr(project.store._parts.backend, "sql", found.sql)
    work(project, found)
    return found


def test_statements_are_as_they_are_written_down(statements: Statements) -> None:
    check({name: written(texts) for name, texts in statements.steps.items()}, "sql")


def test_statements_are_of_bigquery() -> None:
    trees = [
        tree for file in files("sql").iterdir() for tree in parsed_all(file.read_text("utf-8"))
    ]
    assert len(trees) > 30
    for tree in trees:
        assert not isinstance(tree, sge.Command)
        unknown = {each.name.upper() for each in tree.find_all(sge.Anonymous)} - KNOWN
        assert not unknown, tree.sql("bigquery")
        for join in tree.find_all(sge.Join):
            assert join.kind not in ("SEMI", "ANTI")
            if join.side == "FULL":  # BigQuery has only those that can be hashed
                assert join.args["on"].find(sge.EQ), join.sql("bigquery")
