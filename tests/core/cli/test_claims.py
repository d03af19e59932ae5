"""`metaxy claims`."""

from __future__ import annotations

import datetime as dt
import json
import runpy
from typing import Any

import pytest

import metaxy_core as mx

PAST = dt.datetime(2020, 1, 2, 8, 0, tzinfo=dt.UTC)
FUTURE = PAST.replace(year=2999)
FACES = "example/face_detection"


@pytest.fixture
def claimed(filled) -> Any:
    """A run holds two face detections, for long."""
    with filled.open_store() as store:
        faces = runpy.run_path("features.py")["FaceDetection"]
        store.resolve_update(faces, limit=2, claim=mx.Claim("run [b]7[/b]", 600, at=FUTURE))
    return filled


def listed(workspace, *arguments: str) -> list[dict[str, Any]]:
    result = workspace.run("claims", "list", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_claims_are_listed_for_programs(claimed):
    assert listed(claimed) == [
        {
            "owner": "run [b]7[/b]",
            "feature": FACES,
            "records": 2,
            "claimed_at": "2999-01-02T08:00:00+00:00",
            "expires_at": "2999-01-02T08:10:00+00:00",
            "live": True,
        }
    ]
    assert listed(claimed, "--feature", "example/crop") == []


def test_claims_are_a_table_for_people(claimed):
    with claimed.open_store() as store:
        faces = runpy.run_path("features.py")["FaceDetection"]
        store.resolve_update(faces, claim=mx.Claim("run-1", 60, at=PAST))
    lines = [line.split() for line in claimed.run("claims", "list").stdout.splitlines()]
    names = ["feature", "records", "state", "claimed", "(UTC)", "expires", "(UTC)", "owner"]
    past = ["2020-01-02", "08:00:00", "2020-01-02", "08:01:00"]
    future = ["2999-01-02", "08:00:00", "2999-01-02", "08:10:00"]
    assert lines == [
        names,
        [FACES, "3", "lapsed", *past, "run-1"],
        [FACES, "2", "live", *future, "run", "[b]7[/b]"],
    ]


def test_a_store_without_claims_says_so(filled):
    result = filled.run("claims", "list", "--feature", FACES)
    assert result.exit_code == 0
    assert f"has no claims of {FACES}." in result.stderr
    assert listed(filled) == []


def test_released_records_are_counted(claimed):
    result = claimed.run("claims", "release", "run [b]7[/b]")
    assert (result.exit_code, result.stdout) == (0, "Released 2 record(s) of run [b]7[/b].\n")
    assert listed(claimed) == []
    result = claimed.run("claims", "release", "nobody", "--json")
    assert json.loads(result.stdout) == {"owner": "nobody", "records": 0}


def test_an_owner_that_is_none_is_refused(claimed):
    result = claimed.run("claims", "release", "")
    assert result.exit_code == 1
    assert "owner is ''; give a text such as a run's id" in result.stderr
    assert len(listed(claimed)) == 1


def test_a_feature_that_is_none_is_refused(claimed):
    result = claimed.run("claims", "list", "--feature", "a b")
    assert result.exit_code == 1
    assert "'a b'" in result.stderr
