"""An emulator of BigQuery for tests: started by the first that asks, shared by all of a run.

It needs other versions of some packages than this project, and so a Python of its own:
``METAXY_BIGQUERY_PYTHON`` names one in which ``tests/bigquery_emulator.txt`` is installed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import metaxy_core as mx
from tests.servers import run_folder

PYTHON = "METAXY_BIGQUERY_PYTHON"
_ENDPOINT = "METAXY_TEST_BIGQUERY"
_HERE = Path(__file__).parent
_OWN = _HERE.parent / ".venv-bigquery" / "bin" / "python"


def missing_emulator() -> str:
    """What to do for an emulator; empty where there is one."""
    if _ENDPOINT in os.environ or _python().exists():
        return ""
    return f"no emulator of BigQuery: make bigquery-emulator, or set {PYTHON}"


def _python() -> Path:
    return Path(os.environ.get(PYTHON, _OWN))


@cache
def bigquery_endpoint() -> str:
    """The address of the emulator, which ends with the last process that asked for it."""
    if _ENDPOINT in os.environ:
        return os.environ[_ENDPOINT]
    folder = run_folder() / "bigquery"
    users, port = run_folder() / "bigquery.users", folder / "port"
    folder.mkdir(exist_ok=True)
    users.mkdir(exist_ok=True)
    (users / str(os.getpid())).touch()
    with suppress(FileExistsError):
        (folder / "started").touch(exist_ok=False)  # by one process of the run
        command = [str(_python()), str(_HERE / "bigquery_emulator.py")]
        command += [str(folder), str(users)]
        with (folder / "log").open("w") as log:
            subprocess.Popen(command, start_new_session=True, stdout=log, stderr=log)
    deadline = time.monotonic() + 120
    while not port.exists():
        assert time.monotonic() < deadline, f"no emulator: {(folder / 'log').read_text()[-2000:]}"
        time.sleep(0.1)
    os.environ[_ENDPOINT] = f"http://127.0.0.1:{port.read_text()}"
    return os.environ[_ENDPOINT]


def bigquery_in(folder: Path, *below: mx.MetadataStore, **options: Any) -> mx.BigQueryMetadataStore:
    """A store that belongs to a folder: the dataset is named after it."""
    from google.auth.credentials import AnonymousCredentials

    return mx.BigQueryMetadataStore(
        "tests",
        "test_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16],
        credentials=AnonymousCredentials(),
        parameters={"api_endpoint": bigquery_endpoint()},
        fallback=below,
        **options,
    )
