"""`metaxy copy`."""

from __future__ import annotations

import json

import pytest

STORES = """entrypoints = ["features.py"]

[stores.default]
path = "metadata.duckdb"

[stores.server]
type = "sqlite"
path = "server.sqlite"

[stores.xx]
path = "xx.duckdb"
hash = "xxh64"
"""


@pytest.fixture
def stores(filled):
    """Five videos and their crops, and two empty stores."""
    filled.write("metaxy.toml", STORES)
    return filled


def copied(workspace, *options: str):
    result = workspace.run("copy", "--from", "default", "--to", "server", "--json", *options)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    return {
        each["feature"]: (each["commits"], each["rows"], each["already"])
        for each in document["features"]
    }


@pytest.mark.parametrize("options", [(), ("--latest",)])
def test_records_are_copied_once(stores, options):
    expected = {"example/video": (1, 5, 0), "example/crop": (1, 5, 0)}
    assert copied(stores, *expected, *options) == expected
    assert copied(stores, *expected, *options) == dict.fromkeys(expected, (0, 0, 1))
    read = [
        stores.run("read", "example/crop", "--json", "--store", name).stdout
        for name in ("default", "server")
    ]
    one, other = (sorted(json.loads(text), key=lambda row: row["sample_uid"]) for text in read)
    assert one == other


def test_a_selection_is_copied(stores):
    assert set(copied(stores, "example/video")) == {"example/video"}
    result = stores.run("copy", "--from", "default", "--to", "server", "+example/crop")
    assert [line.split() for line in result.stdout.splitlines()[1:]] == [
        ["example/video", "0", "0", "1"],
        ["example/crop", "1", "5", "0"],
    ]


@pytest.mark.parametrize(
    ("target", "said"),
    [("default", "to itself"), ("xx", "Versions of two algorithms"), ("nowhere", "nowhere")],
)
def test_what_cannot_be_copied_is_an_error_of_one_line(stores, target, said):
    result = stores.run("copy", "--from", "default", "--to", target)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


def test_both_stores_have_to_be_named(stores):
    assert stores.run("copy", "--from", "default").exit_code == 2
    assert stores.run("copy", "--to", "server").exit_code == 2
