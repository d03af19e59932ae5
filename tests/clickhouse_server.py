"""A ClickHouse server for tests: the real engine in one process, behind the HTTP of its drivers.

Arguments: the folder of the data, and a folder in which each process that uses the server has put a
file named after its id. The server says its port in the file ``port``, and ends with the last user.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb

NO_SETTINGS = {
    "query",
    "database",
    "query_id",
    "client_protocol_version",
    "wait_end_of_query",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "enable_http_compression",
    "compress",
    "decompress",
}
INSERT = re.compile(rb"\s*(INSERT\s+INTO\s+[^\n]*?)\s+FORMAT\s+(\w+)[ \t]*\n", re.IGNORECASE)
CODE = re.compile(r"Code: (\d+)")


class Engine:
    """One session; requests wait for each other."""

    def __init__(self, folder: Path) -> None:
        self._connection = chdb.connect(str(folder))
        self._settings: dict[str, str] = {}
        self._turn = threading.Lock()

    def answer(self, statement: bytes, settings: dict[str, str]) -> bytes:
        with self._turn:
            for name, value in settings.items():
                if self._settings.get(name) != value:
                    self._connection.query(f"SET {name} = '{value}'", "TabSeparated")
                    self._settings[name] = value
            inserted = INSERT.match(statement)
            if inserted is None:
                return self._run(statement.decode())
            with tempfile.NamedTemporaryFile() as data:
                data.write(statement[inserted.end() :])
                data.flush()
                into, form = (part.decode() for part in inserted.groups())
                return self._run(f"{into} FROM INFILE '{data.name}' FORMAT {form}")

    def _run(self, statement: str) -> bytes:
        try:
            return bytes(self._connection.query(statement, "TabSeparated").bytes() or b"")
        except Exception:
            self._connection.query("SELECT 1")  # with what the other one left of its answer
            raise


class Requests(BaseHTTPRequestHandler):
    """What a driver asks."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is sent as a whole
    engine: Engine

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/ping":
            self._say(200, b"Ok.\n")
        else:
            self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, body: bytes) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query))
        settings = {name: value for name, value in given.items() if name not in NO_SETTINGS}
        query = given.get("query", "").encode()
        statement = b"\n".join(part for part in (query, body) if part)
        try:
            self._say(200, self.engine.answer(statement, settings))
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            text = str(error)
            code = CODE.search(text)
            self._say(500, text.encode(), {"X-ClickHouse-Exception-Code": code[1] if code else "0"})

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        told = {"Content-Length": str(len(body)), "X-ClickHouse-Format": "TabSeparated"}
        for name, value in {**told, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: Any) -> None:
        """Nothing."""


def end_with_the_last(users: Path, server: ThreadingHTTPServer) -> None:
    """Stop once no process that used the server is running."""
    with suppress(FileNotFoundError):
        while any(Path(f"/proc/{user.name}").exists() for user in users.iterdir()):
            time.sleep(1)
    server.shutdown()


if __name__ == "__main__":
    folder, users = Path(sys.argv[1]), Path(sys.argv[2])
    Requests.engine = Engine(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    server.daemon_threads = True
    said = users.with_name("clickhouse.port.new")
    said.write_text(str(server.server_port))
    said.rename(users.with_name("clickhouse.port"))
    threading.Thread(target=end_with_the_last, args=(users, server), daemon=True).start()
    server.serve_forever()
