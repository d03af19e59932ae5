"""`metaxy compact`, and `metaxy read --as-of`."""

from __future__ import annotations

import json
import runpy
from typing import Any

import pytest

import metaxy_core as mx
from metaxy_core.cli import asking

VIDEO = "example/video"


@pytest.fixture
def rewritten(filled) -> Any:
    """Five videos, written again in a second commit."""
    with mx.FeatureGraph().use(), filled.open_store() as store:
        runpy.run_path(str(filled.folder / "features.py"))
        store.write(VIDEO, store.read(VIDEO).to_polars())
    return filled


def rows(workspace, *options: str) -> list[dict[str, Any]]:
    result = workspace.run("read", VIDEO, "--json", *options)
    assert result.exit_code == 0, result.stderr
    return sorted(json.loads(result.stdout), key=lambda row: row["sample_uid"])


def test_history_is_erased_and_the_present_stays(rewritten):
    before = rows(rewritten)
    assert len(rows(rewritten, "--history")) == 10
    done = json.loads(rewritten.run("compact", VIDEO, "--yes", "--json").stdout)
    assert (done["feature"], done["rows"]) == (VIDEO, 5)
    assert rows(rewritten, "--history") == rows(rewritten) == before
    assert "has no history to erase" in rewritten.run("compact", VIDEO, "--yes").stdout


@pytest.mark.parametrize("keep", ["90d", "12h", "1", "2020-01-01T00:00:00Z", "2020-01-01"])
def test_what_is_kept_can_still_be_read(rewritten, keep):
    assert "no history" in rewritten.run("compact", VIDEO, "--keep", keep, "--yes").stdout
    assert len(rows(rewritten, "--history")) == 10


def test_compacting_asks_first(rewritten, monkeypatch):
    refused = rewritten.run("compact", VIDEO)
    assert (refused.exit_code, "give --yes" in refused.stderr) == (2, True)
    monkeypatch.setattr(asking, "is_answered", lambda: True)
    declined = rewritten.run("compact", VIDEO, answer="n\n")
    assert declined.exit_code == 1
    assert "Nothing was erased." in declined.stderr
    assert len(rows(rewritten, "--history")) == 10
    assert "Erased 5 row(s)" in rewritten.run("compact", VIDEO, answer="y\n").stdout


def test_records_are_read_as_of_a_commit_or_a_time(rewritten):
    assert {row["metaxy_commit"] for row in rows(rewritten, "--as-of", "1")} == {1}
    assert rows(rewritten, "--as-of", "2020-01-01T00:00:00") == []
    assert rows(rewritten, "--as-of", "2100-01-01T00:00:00+02:00") == rows(rewritten)


@pytest.mark.parametrize("moment", ["yesterday", "1.5", "-1d", "90x"])
def test_what_is_no_moment_is_wrong_usage(rewritten, moment):
    for arguments in (("read", VIDEO, f"--as-of={moment}"), ("compact", VIDEO, f"--keep={moment}")):
        result = rewritten.run(*arguments)
        assert result.exit_code == 2
        assert "2026-11-21T08:30:00Z" in result.stderr
