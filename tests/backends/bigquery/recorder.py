"""A service that takes whatever a store asks of BigQuery, and writes it down.

It keeps what is known of tables, so that heads are found again, and runs no statement: each is done
at once, changes as many rows as it is told, and a query that counts gives that number too.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

PROJECT: Final = "films"
DATASET: Final = "metaxy"

_ROOT: Final = f"/bigquery/v2/projects/{PROJECT}"
_TABLES: Final = f"/datasets/{DATASET}/tables"
_FRAME: Final = re.compile(r"metaxy__frame_[0-9a-f]{32}")
_HOURS: Final = 3_600_000
_FORMAT_LATER: Final = "{} h from now"


class Recorder:
    """What was asked.

    Attributes:
        rows: how many rows every statement changes, and every count gives.
        asked: the requests but for those that only look, as lines of text.
    """

    def __init__(self) -> None:
        self.rows = 1
        self.asked: list[str] = []
        self._tables: dict[str, dict[str, Any]] = {}
        self._frames: dict[str, str] = {}
        self._jobs: dict[str, dict[str, Any]] = {}

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """The status and the answer to a request."""
        if path == f"/datasets/{DATASET}":
            return 200, {"datasetReference": {"projectId": PROJECT, "datasetId": DATASET}}
        if path.startswith(_TABLES):
            return self._table(method, path.removeprefix(_TABLES).strip("/"), body)
        if path == "/jobs":
            return 200, self._job(body)
        if path.startswith("/jobs/"):
            return 200, self._jobs[path.split("/")[2]]
        if path.startswith("/queries/"):
            return 200, self._rows()
        return 404, {"error": {"message": f"nothing is at {path}"}}

    # ------------------------------------------------------------------ details

    def _table(self, method: str, name: str, body: Any) -> tuple[int, Any]:
        if not name and method == "GET":
            return 200, {"tables": [*self._tables.values()]}
        made = body["tableReference"]["tableId"] if method == "POST" else name
        if method == "GET":
            known = self._tables.get(name)
            return (404, {"error": {"message": "no table"}}) if known is None else (200, known)
        self._asked(f"{method} table {made}", _of_table(body) if body else {})
        if method == "DELETE":
            self._tables.pop(name, None)
            return 200, {}
        if method == "POST" and made in self._tables:
            return 409, {"error": {"message": "there is one"}}
        now = str(int(time.time() * 1_000))
        before = self._tables.get(made, {"creationTime": now, "etag": "1"})
        self._tables[made] = {**before, **{k: v for k, v in body.items() if v is not None}}
        return 200, self._tables[made]

    def _job(self, body: Any) -> Any:
        given = body["configuration"]
        kind = next(each for each in ("query", "copy", "load") if each in given)
        told = _of_job(kind, given)
        if kind == "copy":
            self._tables[told["to"]] = {
                **self._tables[told["from"]],
                "tableReference": _named(told["to"]),
            }
        self._asked(f"{kind}{' (dry run)' if given.get('dryRun') else ''}", told)
        job = {
            "jobReference": {"projectId": PROJECT, **body.get("jobReference", {})},
            "configuration": given,
            "status": {"state": "DONE"},
            "statistics": {
                "query": {"numDmlAffectedRows": str(self.rows), "totalBytesProcessed": "0"}
            },
        }
        job["jobReference"].setdefault("jobId", "1")
        self._jobs[job["jobReference"]["jobId"]] = job
        return job

    def _rows(self) -> Any:
        return {
            "jobComplete": True,
            "totalRows": "1",
            "schema": {"fields": [{"name": "n", "type": "INTEGER"}]},
            "rows": [{"f": [{"v": str(self.rows)}]}],
        }

    def _asked(self, what: str, told: dict[str, Any]) -> None:
        sql = told.pop("query", "")
        lines = [what, *(f"  {name}: {json.dumps(value)}" for name, value in told.items())]
        lines += [f"  {sql}"] if sql else []
        self.asked.append(_FRAME.sub(self._frame, "\n".join(lines)))

    def _frame(self, found: re.Match[str]) -> str:
        return self._frames.setdefault(found[0], f"metaxy__frame_{len(self._frames) + 1}")


def _named(table: str) -> dict[str, str]:
    return {"projectId": PROJECT, "datasetId": DATASET, "tableId": table}


def _of_table(body: Any) -> dict[str, Any]:
    told = {}
    for name, value in body.items():
        if name == "schema":
            fields = value["fields"]
            told["columns"] = {each["name"]: each["type"] for each in fields}
            told["described"] = sum("description" in each for each in fields)
        elif name == "expirationTime":
            hours = round((int(value) - time.time() * 1_000) / _HOURS)
            told["expires"] = _FORMAT_LATER.format(hours)
        elif name in ("rangePartitioning", "clustering"):
            told[name] = value
    return {name: value for name, value in told.items() if value}


def _of_job(kind: str, given: Any) -> dict[str, Any]:
    job = given[kind]
    if kind == "query":
        most = job.get("maximumBytesBilled")
        return {"query": job["query"], **({"maximumBytesBilled": most} if most else {})}
    told = {"to": job["destinationTable"]["tableId"]}
    if kind == "copy":
        return {"from": job["sourceTables"][0]["tableId"], **told}
    return {**told, "format": job["sourceFormat"]}


@contextmanager
def recording() -> Iterator[tuple[Recorder, str]]:
    """A recorder, and the address at which it listens."""
    recorder = Recorder()
    uploads: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer is sent whole

        def _handle(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            path = url.path.removeprefix("/upload").removeprefix(_ROOT)
            headers = {}
            if "uploadType=resumable" in url.query and self.command == "POST":
                uploads.append(json.loads(raw))
                headers["Location"] = f"{address}{url.path}?upload={len(uploads) - 1}"
                status, answer = 200, {}
            elif "upload=" in url.query:  # the file, which is not read
                body = uploads[int(url.query.removeprefix("upload="))]
                status, answer = recorder.answer("POST", path, body)
            else:
                body = json.loads(raw) if raw else None
                status, answer = recorder.answer(self.command, path, body)
            self._answer(status, answer, headers)

        def _answer(self, status: int, answer: Any, headers: dict[str, str]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - its names

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield recorder, address
    finally:
        server.shutdown()
        server.server_close()
