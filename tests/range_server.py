# SPDX-License-Identifier: Apache-2.0
"""A loopback HTTP server that knows byte ranges, keeps a list of what was asked, and fails as scripted.

with RangeServer(folder) as server:
    server.fail("b04.tif", "status", status=503, times=1)
    ... server.url("b04.tif") ...
    assert len(server.asked("b04.tif")) == 3
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

HTML = b"<!doctype html><html><body>Please sign in</body></html>"


@dataclass
class Fault:
    """What goes wrong: `status`, `cut` (half a body), `html`, `empty`, `no_range` (whole file), `redirect`, `slow`."""

    kind: str
    status: int = 503
    times: int | None = None
    """How often before all is well again; None: always."""
    skip: int = 0
    """Requests answered well before the fault starts."""
    every: int = 1
    """Only every n-th request from then on."""
    location: str = ""
    seen: int = 0
    done: int = 0

    def strikes(self) -> bool:
        """Whether this request is hit; counts it."""
        self.seen += 1
        if self.seen <= self.skip or (self.seen - self.skip - 1) % self.every:
            return False
        if self.times is not None and self.done >= self.times:
            return False
        self.done += 1
        return True


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    method: str
    target: str
    range: str | None
    status: int
    sent: int

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path).lstrip("/")


class RangeServer:
    """Serves the files of one folder on 127.0.0.1, port chosen by the system, in threads of its own."""

    def __init__(self, folder: Path, latency_s: float = 0.0) -> None:
        self.folder = folder
        self.latency_s = latency_s
        self.log: list[Asked] = []
        self.faults: dict[str, Fault] = {}
        self.once: dict[str, bytes] = {}
        self.lock = threading.Lock()
        outer = self

        class Handler(_Handler):
            server_state = outer

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> RangeServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def url(self, path: str) -> str:
        """Address of a file of the folder."""
        return f"http://127.0.0.1:{self.port}/{path}"

    def fail(self, path: str, kind: str, **how: Any) -> None:
        """Script a fault for one file."""
        self.faults[path] = Fault(kind, **how)

    def serve_once(self, path: str, content: bytes) -> None:
        """Answer the next request for a file from these bytes instead."""
        self.once[path] = content

    def heal(self) -> None:
        """All well again, and the list of requests empty."""
        with self.lock:
            self.faults.clear()
            self.log.clear()

    def asked(self, path: str | None = None) -> list[Asked]:
        """The requests so far, of one file or of all."""
        with self.lock:
            return [entry for entry in self.log if path is None or entry.path == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: RangeServer

    def log_message(self, *_: object) -> None:
        """Keep quiet: the tests read `RangeServer.log`."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        state = self.server_state
        if state.latency_s:
            time.sleep(state.latency_s)
        path = unquote(urlsplit(self.path).path).lstrip("/")
        with state.lock:
            fault = state.faults.get(path)
            struck = fault if fault is not None and fault.strikes() else None
        kind = struck.kind if struck else ""
        if struck is not None and kind == "status":
            return self._send(struck.status, b"", {}, body)
        if struck is not None and kind == "redirect":
            return self._send(302, b"", {"Location": struck.location or self.path}, body)
        if kind == "html":
            return self._send(200, HTML, {"Content-Type": "text/html; charset=utf-8"}, body)
        if kind == "empty":
            return self._send(200, b"", {"Content-Type": "image/tiff"}, body)
        file = state.folder / path
        if not file.is_file() or state.folder not in file.parents:
            return self._send(404, b"", {}, body)
        with state.lock:
            content = state.once.pop(path, None)
        content = file.read_bytes() if content is None else content
        headers = {"Content-Type": "image/tiff", "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range")
        if asked is None or kind == "no_range":
            if kind == "no_range":
                del headers["Accept-Ranges"]
            return self._send(200, content, headers, body, cut=kind == "cut", slow=kind == "slow")
        first, last = asked.removeprefix("bytes=").split("-")
        start, stop = int(first), min(int(last or len(content)) + 1, len(content))
        if start >= len(content):
            return self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"}, body)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
        return self._send(206, content[start:stop], headers, body, cut=kind == "cut", slow=kind == "slow")

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], body: bool, cut: bool = False, slow: bool = False
    ) -> None:
        sent = content[: len(content) // 2] if cut else content
        with self.server_state.lock:
            self.server_state.log.append(
                Asked(self.command, self.path, self.headers.get("Range"), status, len(sent) if body else 0)
            )
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if not body:
                return
            if slow:
                for k in range(0, len(sent), 4):
                    self.wfile.write(sent[k : k + 4])
                    time.sleep(1)
                return
            self.wfile.write(sent)
            if cut:
                self.wfile.flush()
                self.close_connection = True
        except OSError:
            self.close_connection = True
