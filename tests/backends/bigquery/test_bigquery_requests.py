"""What a store asks BigQuery to make, load, change and drop is written down, request by request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest
import sqlglot.expressions as sge
from google.auth.credentials import AnonymousCredentials

import metaxy_core as mx
from metaxy_core.store.backends.bigquery import BigQueryBackend
from metaxy_core.store.backends.statements import Statement
from tests.backends.bigquery.recorder import DATASET, PROJECT, Recorder, recording
from tests.backends.bigquery.work import parsed_all
from tests.backends.bigquery.written_down import check, files

FEW, MANY = 1, 1_000_000


@pytest.fixture
def recorded() -> Iterator[tuple[Recorder, BigQueryBackend]]:
    """The database of a store that talks to a recorder."""
    with recording() as (recorder, address):
        store = mx.BigQueryMetadataStore(
            PROJECT,
            DATASET,
            credentials=AnonymousCredentials(),
            parameters={"api_endpoint": address},
            maximum_bytes_billed=5_000_000_000,
        )
        with store:
            yield recorder, store._database


def rows(backend: BigQueryBackend, frame: pa.Table) -> tuple[Any, Statement]:
    """A staged frame, and what reads it."""
    staged = backend.stage("samples", frame)
    return staged, backend.sql(lambda: staged)


def told(recorder: Recorder) -> str:
    """What was asked since the last time."""
    text = "\n\n".join(recorder.asked) + "\n"
    recorder.asked.clear()
    return text


def life_of_a_table(recorder: Recorder, backend: BigQueryBackend) -> Iterator[tuple[str, str]]:
    """Steps, and what was asked in each."""
    kind = {"metaxy_commit": pa.array([7]), "n": pa.array([1], pa.uint64())}
    frame = pa.table({"id": ["a"], "Größe": ["b"], **kind})
    staged, read = rows(backend, frame)
    with backend.transaction() as change:
        change.append("video", read)
        change.index("video", ["id"])
    yield "made", told(recorder)
    with backend.transaction() as change:
        change.append("video", read)
    yield "appended", told(recorder)
    _, read_wider = rows(backend, frame.append_column("more", pa.array([1.5])))
    with backend.transaction() as change:
        change.append("video", read_wider)
    yield "widened", told(recorder)
    for name, recorder.rows in {"erased_few": FEW, "erased_many": MANY}.items():
        with backend.transaction() as change:
            change.remove("video", staged, ["id", "n"])
        yield name, told(recorder)
    with backend.transaction() as change:
        change.replace("video", read)
    yield "replaced", told(recorder)
    with suppress(RuntimeError), backend.transaction() as change:
        change.append("other", read)
        raise RuntimeError
    yield "taken_back", told(recorder)
    with backend.snapshot() as snapshot:
        video = snapshot.table("video")
        kept = snapshot.keep(backend.sql(lambda: video.filter(video.id == "a")))
        snapshot.fetch(backend.sql(lambda: kept.aggregate(n=kept.count())))
    backend.drop(kept)
    with backend.snapshot():  # what nobody holds any more is dropped at the next call
        pass
    yield "kept", told(recorder)
    with backend.estimated(), backend.snapshot() as snapshot:
        kept = snapshot.keep(backend.sql(lambda: video.filter(video.id == "b")))
    yield "estimated", told(recorder)
    ids = pa.table({"id": [str(number) for number in range(1_000)]})
    many = backend.stage("many", ids)
    yield "loaded", told(recorder)
    backend.drop(many)
    yield "dropped", told(recorder)


def test_requests_are_as_they_are_written_down(
    recorded: tuple[Recorder, BigQueryBackend],
) -> None:
    check(dict(life_of_a_table(*recorded)), "requests")


def test_their_statements_are_of_bigquery() -> None:
    texts = "".join(file.read_text("utf-8") for file in files("requests").iterdir())
    statements = re.findall(r"^  ((?:SELECT|INSERT|DELETE|CREATE|ALTER) .*)$", texts, re.MULTILINE)
    assert len(statements) > 10
    for statement in statements:
        (tree,) = parsed_all(statement)
        assert not isinstance(tree, sge.Command), statement
