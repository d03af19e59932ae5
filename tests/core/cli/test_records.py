"""`metaxy describe`, `metaxy read` and `metaxy delete`."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

VIDEO = "example/video"


# ------------------------------------------------------------------ describe


def test_a_feature_is_described_with_what_is_stored(filled):
    found = json.loads(filled.run("describe", "example/crop", "--json").stdout)
    assert found["fields"][0]["reads"] == ["example/video.audio"]
    assert found["deps"][0]["lineage"] == "identity"
    assert found["downstream"] == ["example/face_detection"]
    stored = found["stored"]
    assert (stored["records"], stored["commits"]) == (5, 1)
    assert stored["last_commit"]["operation"] == "write"
    assert {"name": "sample_uid", "type": "string"} in stored["columns"]


def test_a_description_is_for_people_too(filled):
    shown = filled.run("describe", VIDEO).stdout
    assert "5 records, 1 commits" in shown
    assert "by run-1" in shown


def test_a_feature_without_a_configured_store_is_described(filled):
    filled.write("metaxy.toml", 'entrypoints = ["features.py"]')
    assert json.loads(filled.run("describe", VIDEO, "--json").stdout)["stored"] is None


# ------------------------------------------------------------------ read


def test_records_are_csv_where_nobody_looks(filled):
    rows = list(csv.DictReader(io.StringIO(filled.run("read", VIDEO).stdout)))
    assert len(rows) == 5
    assert set(json.loads(rows[0]["metaxy_provenance_by_field"])) == {"audio", "frames"}


def test_a_table_shows_the_first_records_and_how_many_more(filled):
    result = filled.run("read", VIDEO, "--format", "table", "--limit", "2")
    assert len(result.stdout.splitlines()) == 3
    assert "and 3 more" in result.stderr
    assert "metaxy_" not in result.stdout


def test_columns_and_a_filter_choose(filled):
    arguments = ("--columns", "size,metaxy_commit", "--filter", "size >= 3", "--json")
    found = json.loads(filled.run("read", VIDEO, *arguments).stdout)
    found.sort(key=lambda row: row["size"])
    assert found == [
        {"size": 3, "metaxy_commit": 1},
        {"size": 4, "metaxy_commit": 1},
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_a_file_s_ending_says_its_format(filled, ending):
    assert filled.run("read", VIDEO, "--output", f"videos.{ending}").stdout == ""
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "json": pl.read_json}[ending]
    assert sorted(read(filled.folder / f"videos.{ending}")["size"]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_no_record_gives_a_file_too(filled, ending):
    filled.run("read", VIDEO, "--filter", "false", "-o", f"none.{ending}", "--columns", "size")
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "json": pl.read_json}[ending]
    assert read(filled.folder / f"none.{ending}").height == 0


def test_a_file_is_whole_or_absent(filled):
    result = filled.run("read", VIDEO, "--filter", "nothing = 1", "--output", "videos.csv")
    assert result.exit_code == 1
    assert not list(filled.folder.glob("*videos.csv*"))


def test_deleted_records_and_history_are_given_where_wanted(filled):
    filled.run("delete", VIDEO, "--filter", "size = 0", "--yes")
    counts = [
        len(json.loads(filled.run("read", VIDEO, "--json", *more).stdout))
        for more in ([], ["--deleted"], ["--history", "--deleted"])
    ]
    assert counts == [4, 5, 6]


# ------------------------------------------------------------------ delete


def test_a_dry_run_counts_and_deletes_nothing(filled):
    result = filled.run("delete", VIDEO, "--filter", "size > 2", "--dry-run", "--json")
    assert json.loads(result.stdout)["records"] == 2
    assert filled.count(VIDEO) == 5


def test_nothing_is_deleted_where_nobody_can_be_asked(filled):
    result = filled.run("delete", VIDEO, "--filter", "size > 2")
    assert result.exit_code == 2
    assert filled.count(VIDEO) == 5


def test_ids_of_a_file_are_deleted_and_orphans_after_them(filled):
    filled.write("gone.csv", "sample_uid\nv1\nv2\nnone\n")
    result = filled.run("delete", VIDEO, "--ids", "gone.csv", "--hard", "--yes", "--json")
    assert json.loads(result.stdout)["records"] == 2
    assert filled.count(VIDEO) == 3
    filled.run("delete", "example/crop", "--orphaned", "--yes")
    assert filled.count("example/crop") == 3


@pytest.mark.parametrize("arguments", [[], ["--filter", "true", "--orphaned"], ["--ids", "no.csv"]])
def test_a_delete_without_a_choice_is_wrong_usage(filled, arguments):
    assert filled.run("delete", VIDEO, "--yes", *arguments).exit_code == 2
    assert filled.count(VIDEO) == 5


# ------------------------------------------------------------------ how it ends


@pytest.mark.parametrize(
    "command",
    [["list"], ["status"], ["describe", VIDEO], ["read", VIDEO], ["push"], ["graph", "render"],
     ["graph", "diff"], ["delete", VIDEO, "--filter", "false"]],
    ids=" ".join,
)  # fmt: skip
def test_every_command_gives_one_json_document(filled, command):
    result = filled.run(*command, "--json")
    assert result.exit_code == 0
    json.loads(result.stdout)


def test_json_and_another_format_exclude_each_other(filled):
    assert filled.run("graph", "render", "--json", "--format", "dot").exit_code == 2
    assert filled.run("read", VIDEO, "--json", "--format", "csv").exit_code == 2


def test_a_closed_pipe_ends_quietly(filled):
    command = f"{sys.executable} -m metaxy_core.cli.app read {VIDEO} | true"
    shell = ["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}}"]
    result = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_an_interrupt_ends_with_one_line_and_130(filled):
    filled.write("features.py", "import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "metaxy_core.cli.app", "list"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
    assert (process.returncode, out, error) == (130, "", "Error: interrupted.\n")
