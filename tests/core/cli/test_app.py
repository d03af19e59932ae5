"""The `metaxy` command as a whole: help, options, errors, and a quick start."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

COMMANDS = [
    ("list",),
    ("status",),
    ("describe", "example/video"),
    ("read", "example/video"),
    ("delete", "example/video", "--orphaned"),
    ("push",),
    ("graph", "render"),
    ("graph", "diff"),
]
DATA_LIBRARIES = ("duckdb", "ibis", "numpy", "pandas", "polars", "pyarrow")


# ------------------------------------------------------------------ help


def test_help_lists_the_commands(workspace):
    result = workspace.run("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in ("list", "status", "push", "graph"))
    assert "metaxy.toml" in result.stdout


def test_without_a_command_the_help_is_shown(workspace):
    result = workspace.run()
    assert result.exit_code == 2
    assert "Usage: metaxy" in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_an_example(workspace, command):
    result = workspace.run(*command, "--help")
    name = " ".join(part for part in command if part.isalpha())
    assert result.exit_code == 0
    assert result.stdout.count(f"metaxy {name}") >= 2


def test_the_help_of_diff_explains_the_sides(workspace):
    shown = " ".join(workspace.run("graph", "diff", "--help").stdout.split())
    assert "'code' is what metaxy.toml or --entrypoint names." in shown
    assert "'store:previous' is the one before, 'store:3' that of a number" in shown


def test_version_is_that_of_the_package(workspace):
    result = workspace.run("--version")
    assert (result.exit_code, result.stdout) == (0, f"metaxy {version('metaxy-dagster')}\n")


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("graph", "diff", "--help")])
def test_help_loads_no_data_library(arguments):
    program = (
        "import sys\n"
        "from metaxy_core.cli.app import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        f"    print({{*sys.modules}} & {{*{DATA_LIBRARIES}}}, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "set()\n")


# ------------------------------------------------------------------ options


@pytest.mark.parametrize(
    "arguments",
    [("--entrypoint", "other.py", "list"), ("list", "--entrypoint", "other.py")],
)
def test_project_options_stand_before_or_after_the_command(workspace, arguments):
    spec = "mx.FeatureSpec(key='other')"
    workspace.write("other.py", f"import metaxy_core as mx\nclass A(mx.Feature, spec={spec}): pass")
    shown = workspace.run(*arguments).stdout
    assert "other:A" in shown
    assert "example/video" not in shown


def test_an_option_after_the_command_wins(workspace):
    result = workspace.run("--store", "first", "push", "--store", "second")
    assert "Store 'second' is not configured" in result.stderr


def test_an_entrypoint_is_relative_to_the_current_folder(workspace, monkeypatch):
    workspace.write_features("deep/other.py")
    monkeypatch.chdir(workspace.folder / "deep")
    assert "other:Video" in workspace.run("list", "-e", "other.py").stdout


def test_a_configuration_may_be_named(workspace, monkeypatch):
    monkeypatch.chdir(workspace.folder.parent)
    file = str(workspace.folder / "metaxy.toml")
    assert "features:Video" in workspace.run("list", "--config", file).stdout


def test_the_environment_overrides_the_configuration(workspace, monkeypatch):
    monkeypatch.setenv("METAXY_STORES__DEFAULT__PATH", "elsewhere.duckdb")
    result = workspace.run("push")
    assert f"in {workspace.folder / 'elsewhere.duckdb'}." in result.stdout


def test_without_a_configuration_an_entrypoint_is_enough(workspace):
    (workspace.folder / "metaxy.toml").unlink()
    assert "features:Video" in workspace.run("list", "-e", "features.py").stdout


# ------------------------------------------------------------------ errors


def test_an_error_is_one_line_without_a_traceback(workspace):
    workspace.write("metaxy.toml", "stoer = 'a'")
    result = workspace.run_process("list")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: Setting 'stoer' in {workspace.folder / 'metaxy.toml'} does not exist; "
        f"did you mean 'store'?\n"
    )


def test_an_error_over_several_lines_is_told_in_one(workspace):
    workspace.write("features.py", "raise ValueError('one\\ntwo')")
    (line,) = workspace.run("list").stderr.splitlines()
    assert "ValueError: one two" in line


def test_an_error_is_red_in_a_terminal(workspace, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    workspace.write("metaxy.toml", "stoer = 'a'")
    result = workspace.run("list")
    assert result.stderr.startswith("\x1b[31mError: ")


def test_an_unknown_option_is_an_error_of_usage(workspace):
    assert workspace.run("list", "--nothing").exit_code == 2


def test_an_unknown_command_is_an_error_of_usage(workspace):
    assert workspace.run("lsit").exit_code == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_a_project_without_entrypoints_says_how_to_name_one(workspace, command):
    (workspace.folder / "metaxy.toml").unlink()
    result = workspace.run(*command, *(["features.py"] if command == ("graph", "diff") else []))
    assert result.exit_code == 1
    assert "give --entrypoint FILE, or add entrypoints" in result.stderr


def test_an_entrypoint_without_features_is_named(workspace):
    workspace.write("features.py", "")
    result = workspace.run("list")
    assert result.exit_code == 1
    assert "features.py (from " in result.stderr
    assert "defines no feature" in result.stderr


def test_a_store_that_is_not_configured_is_named(workspace):
    result = workspace.run("status", "--store", "production")
    assert result.exit_code == 1
    assert "Store 'production' is not configured" in result.stderr


def test_a_file_that_is_no_store_is_named(workspace):
    workspace.write("metadata.duckdb", "this is no database, " * 1_000)
    result = workspace.run("push")
    assert result.exit_code == 1
    assert "metadata.duckdb' is no DuckDB database" in result.stderr
