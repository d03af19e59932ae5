"""Runs the emulator of BigQuery until nobody needs it; a script for a Python that has it.

Arguments: a folder, in which ``port`` is written when it answers, and one that has a file for each
process that uses the emulator.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import urllib.request
from importlib.resources import files
from pathlib import Path

import duckdb


def main(folder: Path, users: Path) -> None:
    """Serve."""
    sys.setrecursionlimit(20_000)  # it walks the trees of statements
    threading.stack_size(512 * 1024 * 1024)
    os.environ["HOME"] = str(folder)  # where DuckDB keeps its extensions
    name = f"extensions/v{duckdb.__version__}/spatial.duckdb_extension"
    with duckdb.connect() as connection:
        connection.execute(f"INSTALL '{files('duckdb_extension_spatial') / name}'")
    os.environ["BQEMU_ENABLE_FORMAT_EXTENSIONS"] = "false"
    os.environ["BQEMU_LOG_LEVEL"] = "WARNING"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threading.Thread(target=_announce, args=(folder, port), daemon=True).start()
    threading.Thread(target=_end_unused, args=(users,), daemon=True).start()
    from bqemulator.cli import main as serve

    serve(["start", "--rest-port", str(port), "--grpc-port", "0", "--ephemeral"])


def _announce(folder: Path, port: int) -> None:
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/bigquery/v2/projects/p/datasets")
        except OSError:
            time.sleep(0.1)
            continue
        (folder / "port.new").write_text(str(port))
        (folder / "port.new").rename(folder / "port")
        return


def _end_unused(users: Path) -> None:
    while any(Path(f"/proc/{user.name}").exists() for user in users.glob("*")):
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
