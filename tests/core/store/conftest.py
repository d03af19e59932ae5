"""One ``store`` fixture stands for every store that runs this suite."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import metaxy_core as mx

Start = Callable[..., subprocess.Popen[str]]
SCRIPTS = Path(__file__).parent / "processes"
KEYS = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "hush-hush"}


@pytest.fixture(autouse=True)
def _own_graph(graph: mx.FeatureGraph) -> None:
    """Features of one test are unknown to the next."""


@pytest.fixture
def store() -> Iterator[mx.MetadataStore]:
    """An empty store."""
    with mx.DuckDBMetadataStore(":memory:", settings={"threads": 1}) as empty:
        yield empty


WAYS = {"joined": True, "copied": False}  # DuckDB joins files, and copies what is none


class Place:
    """Where stores of a test are, all of one kind."""

    def __init__(self, folder: Path, way: str, stack: ExitStack) -> None:
        self._folder = folder
        self._others_are_files = WAYS[way]
        self._stack = stack

    def below(self, name: str, **options: Any) -> mx.MetadataStore:
        return self._opened(name, self._others_are_files, options)

    def over(self, *fallback: mx.MetadataStore, name: str = "dev", **options: Any) -> Any:
        return self._opened(name, True, {"fallback": fallback, **options})

    def _opened(self, name: str, is_file: bool, options: dict[str, Any]) -> mx.MetadataStore:
        path = self._folder / f"{name}.duckdb" if is_file else ":memory:"
        return self._stack.enter_context(mx.DuckDBMetadataStore(path, **options))


# A branch in memory, which copies, is among the property test's operations too.
@pytest.fixture(params=["joined", pytest.param("copied", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(tmp_path, request.param, stack)


@pytest.fixture
def prod(place: Place) -> mx.MetadataStore:
    return place.below("prod")


@pytest.fixture
def at(project: Any) -> Callable[[mx.MetadataStore], Any]:
    """The words of a project for any store."""
    return type(project)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a script of ours as a process; none outlives the test."""
    with ExitStack() as running:

        def process(script: str, *arguments: object) -> subprocess.Popen[str]:
            command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
            pipe = subprocess.PIPE
            started = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
            running.enter_context(started)
            running.callback(started.kill)
            return started

        yield process


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.1)
        yield address
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def bucket(s3: str) -> tuple[str, dict[str, str]]:
    """The URL of an empty bucket, and the options to reach it."""
    name = f"bucket-{uuid.uuid4().hex}"
    asked = urllib.request.Request(f"{s3}/{name}", method="PUT")
    urllib.request.urlopen(asked, timeout=30).close()
    options = {**KEYS, "AWS_ENDPOINT_URL": s3, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    return f"s3://{name}/stores/own", options
