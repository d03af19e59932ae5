"""Dagster's own processes on a project: a webserver, a daemon, and the server of the code."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

CODE: Final = "code"
WEBSERVER: Final = "webserver"
DAEMON: Final = "daemon"

SETTINGS: Final = """\
telemetry:
  enabled: false
run_queue:
  dequeue_interval_seconds: 1
"""
WORKSPACE: Final = """\
load_from:
  - grpc_server: {{host: 127.0.0.1, port: {port}, location_name: {name}}}
"""
_POLL: Final = 0.1
_GRACE: Final = 5.0
"""Seconds that a process may take to end by itself."""


class Servers:
    """The processes of one deployment, in a Dagster home of their own, until they are closed.

    As in a deployment, the code has a server for itself, so that the webserver and the daemon may
    end, or be killed, without each other and without the runs. Each process leads a group, to which
    everything it starts belongs, and writes a log beside the home's settings.

    Args:
        home: the Dagster home, made with settings of its own where it has none.
        code: where the definitions are, as Dagster's commands take it: ``"-m", "example_project"``.
        name: what the code location is called.
        environment: further variables of the processes.
        patience: seconds that a process may take to answer.
    """

    def __init__(
        self,
        home: Path,
        *code: str,
        name: str = "example_project",
        environment: Mapping[str, str] | None = None,
        patience: float = 300,
    ) -> None:
        self.home = home
        self.patience = patience
        self.port = free_port()
        self._code_port = free_port()
        self._code = code
        self._environment = {**os.environ, **(environment or {}), "DAGSTER_HOME": str(home)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._guards: dict[str, subprocess.Popen[bytes]] = {}
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists():
            (home / "dagster.yaml").write_text(SETTINGS)
        self._workspace = home / "workspace.yaml"
        self._workspace.write_text(WORKSPACE.format(port=self._code_port, name=name))

    @property
    def url(self) -> str:
        """Where the webserver listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start all three and wait for the webserver."""
        try:
            for name in (CODE, WEBSERVER, DAEMON):
                self.start(name)
            self.wait_until("the webserver answers", self.answers)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what runs."""
        self.close()

    def start(self, name: str) -> None:
        """Start one of the processes; the code server is waited for, since the others call it.

        Args:
            name: ``"code"``, ``"webserver"`` or ``"daemon"``.
        """
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                self._command(name),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes[name] = process
        self._guards[name] = _guard_of(process)
        if name == CODE:
            self.wait_until("the code is loaded", lambda: _listens(self._code_port))

    def stop(self, *names: str, force: bool = False) -> None:
        """End processes and all that they started; what does not end by itself is killed.

        Args:
            names: which; all where none is named.
            force: kill at once, so that nothing can be tidied up.
        """
        chosen = [name for name in names or tuple(self._processes) if name in self._processes]
        ended = [self._processes.pop(name) for name in chosen]
        guards = [self._guards.pop(name) for name in chosen]
        for process in ended:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)
        until = time.monotonic() + _GRACE
        for process in ended:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
        for guard in guards:
            guard.communicate()
        for process in ended:
            process.wait()

    def close(self) -> None:
        """Stop all processes; a second time does nothing."""
        self.stop()

    def log(self, name: str) -> Path:
        """The file that holds what a process said."""
        return self.home / f"{name}.log"

    def answers(self) -> bool:
        """Whether the webserver does."""
        try:
            with urllib.request.urlopen(f"{self.url}/server_info", timeout=5) as response:  # noqa: S310 - our own server
                return bool(response.status == 200)  # noqa: PLR2004 - OK
        except (urllib.error.URLError, OSError):
            return False

    def wait_until(
        self, what: str, holds: Callable[[], bool], seconds: float | None = None
    ) -> None:
        """Look again and again until something holds.

        Args:
            what: what is waited for, for the message.
            holds: whether it does.
            seconds: how long to wait; ``patience`` where it is None.

        Raises:
            RuntimeError: a process ended meanwhile, or time is up; the message ends with the logs.
        """
        until = time.monotonic() + (self.patience if seconds is None else seconds)
        while not holds():
            ended = [
                name for name, process in self._processes.items() if process.poll() is not None
            ]
            if ended:
                raise RuntimeError(f"Until {what}: {self._said(ended)}")
            if time.monotonic() > until:
                raise RuntimeError(f"Waited in vain until {what}. {self._said(self._processes)}")
            time.sleep(_POLL)

    def _command(self, name: str) -> Sequence[str]:
        shared = ["-w", str(self._workspace)]
        listen = ["-h", "127.0.0.1", "-p"]
        program, *arguments = {
            CODE: ["dagster", "api", "grpc", *listen, str(self._code_port), *self._code],
            WEBSERVER: ["dagster-webserver", *listen, str(self.port), *shared],
            DAEMON: ["dagster-daemon", "run", *shared],
        }[name]
        return [str(Path(sys.executable).with_name(program)), *arguments]

    def _said(self, names: Sequence[str] | Mapping[str, object]) -> str:
        tails = (self.log(name).read_text("utf-8", "replace")[-2_000:] for name in names)
        return "\n".join(f"--- {name}\n{tail}" for name, tail in zip(names, tails, strict=True))


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(1)
        return caller.connect_ex(("127.0.0.1", port)) == 0


def _guard_of(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """Kills a process with its group when this program lets go of the pipe, or is itself killed."""
    kill = 'read _; kill -s KILL -- "-$0" 2>/dev/null'
    return subprocess.Popen(  # noqa: S603 - a fixed command
        ["/bin/sh", "-c", kill, str(process.pid)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
