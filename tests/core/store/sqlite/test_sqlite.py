"""What only an SQLite store has to mind."""

from __future__ import annotations

import gc
import math
from typing import TYPE_CHECKING

import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project


def test_an_increment_that_is_collected_in_the_middle_of_a_query_waits_for_its_end(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    video = project.feature("video")
    with mx.SQLiteMetadataStore(":memory:") as store:
        store.write(video, project.samples(v1="a"))
        circle: dict[str, object] = {"held": store.resolve_update(video, project.samples(v1="b"))}
        circle["circle"] = circle
        backend = store.backend
        backend.connection._connection.create_function("collected", 0, gc.collect)
        gc.disable()
        try:
            del circle
            assert backend.fetch("SELECT collected() AS n FROM sqlite_temp_master").num_rows
        finally:
            gc.enable()
        store.count(video)
        kept = "SELECT name FROM sqlite_temp_master WHERE name LIKE 'metaxy_kept%'"
        assert backend.fetch(kept).num_rows == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("seconds", [math.inf, 1e300, 3e6, 0])
def test_a_writer_may_wait_as_long_as_it_likes(project: Project, seconds: float) -> None:
    video = project.feature("video")
    with mx.SQLiteMetadataStore(":memory:", lock_timeout=seconds) as store:
        store.write(video, project.samples(v1="a"))
        assert store.count(video) == 1
