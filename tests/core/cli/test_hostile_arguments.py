"""Arguments of the command are refused in one line or taken literally; the store stays."""

from __future__ import annotations

import json

import pytest

TYPED = [
    "'; DROP TABLE example__video; --",
    "vid\u0435o",
    "../../x",
    "\x1b[31mred",
    "a\nb",
    "",
    "%",
]


@pytest.mark.parametrize("typed", TYPED, ids=ascii)
def test_a_feature_that_is_none_is_refused_in_one_line(filled, typed):
    for command in (["read"], ["describe"], ["delete", "--filter", "true", "--yes"]):
        result = filled.run(*command, typed)
        assert (result.exit_code, result.stdout) == (1, "")
        assert len(result.stderr.splitlines()) == 1
        assert "\x1b" not in result.stderr
    assert filled.count("example/video") == 5


@pytest.mark.parametrize("typed", TYPED, ids=ascii)
def test_a_filter_that_is_none_deletes_nothing(filled, typed):
    result = filled.run("delete", "example/video", "--yes", "--filter", typed)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Filter ")
    assert filled.count("example/video") == 5


@pytest.mark.parametrize("typed", [*TYPED, "md:x", "\\"], ids=ascii)
def test_names_of_columns_stores_and_files_are_refused(filled, typed):
    before = sorted(filled.folder.iterdir())
    for option in ("--columns", "--store", "--config", "--entrypoint"):
        result = filled.run("read", "example/video", option, typed or "-")
        assert result.exit_code == 1, result.output
        assert "Traceback" not in result.output
    assert [p for p in sorted(filled.folder.iterdir()) if p.name != "__pycache__"] == [
        p for p in before if p.name != "__pycache__"
    ]


def test_a_refused_filter_keeps_the_mark_under_its_place(filled):
    result = filled.run("read", "example/video", "--filter", "size = 1 AND\nlower(size) = 2")
    first, line, mark = result.stderr.splitlines()
    assert first.startswith("Error: Filter ")
    assert (line, mark) == ("    lower(size) = 2", "    ^~~~~")


def test_a_value_is_shown_without_what_steers_a_terminal(filled):
    result = filled.run("read", "example/video", "--format", "table", "--filter", "size = 4")
    assert "v·[31m4" in result.stdout
    assert "\x1b" not in result.stdout
    (record,) = json.loads(filled.run("read", "example/video", "--json", "--limit", "1").stdout)
    assert record["sample_uid"].startswith("v")
