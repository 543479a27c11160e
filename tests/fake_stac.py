# SPDX-License-Identifier: Apache-2.0
"""A STAC API on a loopback port that answers as scripted and keeps a list of what it was asked; and a maker of items.

    with FakeStac([make_item(k) for k in range(50)], page_size=20) as api:
        api.fault(2, "status", status=429, headers={"Retry-After": "1"})     # page 2, once
        ... Provider(kind="api", href=api.url, ...) ...
        assert len(api.asked) == 5

Faults: `status`; `cut` (a quarter of the body); `bytes` (the body given); `cut_gzip`; `hang` (never answers);
`trickle`.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import shapely
import shapely.geometry

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12", "SCL")
BANDS_TO_ASSETS: dict[str, str | list[str]] = {band: band for band in BANDS}
START = datetime(2018, 3, 1, 10, 50, 24, tzinfo=UTC)
SQUARE = (2.9, 50.4, 4.6, 51.5)
Item = dict[str, Any]


def make_item(
    number: int = 0,
    *,
    item_id: str | None = None,
    time: datetime | str | None = None,
    tile: str = "31UDS",
    box: tuple[float, float, float, float] = SQUARE,
    base: str = "https://data.example.org",
    cloud: float | str | None = 10.0,
    offset: float | None = 0,
    drop: tuple[str, ...] = (),
    **properties: Any,
) -> Item:
    """A Sentinel-2 item of tile 31UDS, one every five days; `drop` leaves assets out, other words become properties."""
    moment = time if time is not None else START + timedelta(days=5 * number)
    text = moment if isinstance(moment, str) else moment.isoformat().replace("+00:00", "Z")
    name = item_id or f"S2A_{tile}_{text[:10].replace('-', '')}_{number}_L2A"
    told = {} if offset is None else {"raster:scale": 0.0001, "raster:offset": offset}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": name,
        "collection": "sentinel-2-l2a",
        "geometry": shapely.geometry.mapping(shapely.box(*box)),
        "bbox": list(box),
        "properties": {
            "datetime": text,
            "platform": "sentinel-2a",
            "grid:code": f"MGRS-{tile}",
            "eo:cloud_cover": cloud,
            **properties,
        },
        "links": [],
        "assets": {
            band: {"href": f"{base}/{name}/{band}.tif", **({} if band == "SCL" else told)}
            for band in BANDS
            if band not in drop
        },
    }


@dataclass
class Fault:
    """One answer that goes wrong; used up after `times` answers."""

    kind: str
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    times: int = 1


@dataclass
class FakeStac:
    """The server; `stated` is what numberMatched says (None: left out), `pages` may replace the pages as a whole."""

    items: list[Item]
    page_size: int = 20
    stated: int | None = None
    pages: list[list[Item]] | None = None
    next_of: Callable[[int, int], int | None] | None = None
    """(page, pages) -> number of the page that its next link names, None for no link."""
    get_links: bool = False
    """Next links for GET instead of POST, and no POST advertised."""
    extra_query: str = ""
    """Added to the addresses the server hands out, e.g. `sig=SECRET`."""
    knows_time: bool = False
    """Only items of the days asked for, in pages of `page_size`; else the days asked for are passed over."""
    search_host: str | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[int, list[Fault]] = field(default_factory=dict)
    url: str = ""

    def fault(self, page: int, kind: str, **words: Any) -> None:
        """Let answers about a page (0: the entry page) go wrong, one fault after the other."""
        self.faults.setdefault(page, []).append(Fault(kind, **words))

    def __enter__(self) -> FakeStac:
        stac = self
        self._over = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                query = {key: values[-1] for key, values in parse_qs(urlsplit(self.path).query).items()}
                stac._answer(self, query)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
                stac._answer(self, body)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    # --- answers ------------------------------------------------------------------------------------------------
    def _all_pages(self, asked: dict[str, Any]) -> list[list[Item]]:
        if self.pages is not None:
            return self.pages
        items = self.items
        if self.knows_time:
            first, last = str(asked["datetime"]).split("/")
            items = [item for item in items if first <= item["properties"]["datetime"] <= last]
        cuts = range(0, max(len(items), 1), self.page_size)
        return [items[k : k + self.page_size] for k in cuts]

    def _answer(self, handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        path = urlsplit(handler.path).path
        number = int(str(asked.get("token", "page:1")).removeprefix("page:")) if path == "/search" else 0
        self.asked.append({"method": handler.command, "path": path, "page": number, "body": asked})
        queue = self.faults.get(number, [])
        fault = queue[0] if queue else None
        if fault is not None:
            fault.times -= 1
            if fault.times == 0:
                queue.pop(0)
        body = json.dumps(self._page(number, asked) if number else self._entry()).encode()
        self._send(handler, body, fault)

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes, fault: Fault | None) -> None:
        status, headers = 200, {"Content-Type": "application/geo+json"}
        length = None
        if fault is not None:
            headers |= fault.headers
            if fault.kind == "hang":
                self._over.wait(10)
                return
            if fault.kind == "status":
                status, body = fault.status, b"trouble"
            elif fault.kind == "cut":
                length, body = len(body), body[: len(body) // 4]
            elif fault.kind == "cut_gzip":
                headers["Content-Encoding"] = "gzip"
                packed = gzip.compress(body)
                body = packed[: len(packed) // 2]
            elif fault.kind == "bytes":
                body = fault.body
        handler.send_response(status)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(length or len(body)))
        handler.end_headers()
        if fault is not None and fault.kind == "trickle":
            for k in range(0, len(body), 4):
                if self._over.wait(0.05):
                    return
                handler.wfile.write(body[k : k + 4])
        else:
            handler.wfile.write(body)
        if fault is not None and fault.kind == "cut":
            handler.close_connection = True

    def _entry(self) -> dict[str, Any]:
        query = f"?{self.extra_query}" if self.extra_query else ""
        methods = ("GET",) if self.get_links else ("GET", "POST")
        search = f"{self.search_host or self.url}search{query}"
        return {
            "type": "Catalog",
            "id": "fake",
            "stac_version": "1.0.0",
            "description": "a fake",
            "conformsTo": ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"],
            "links": [
                {"rel": "self", "href": self.url},
                {"rel": "root", "href": self.url},
                *({"rel": "search", "type": "application/geo+json", "href": search, "method": m} for m in methods),
            ],
        }

    def _page(self, number: int, asked: dict[str, Any]) -> dict[str, Any]:
        pages = self._all_pages(asked)
        features = pages[number - 1] if number <= len(pages) else []
        follow = self.next_of(number, len(pages)) if self.next_of else number + 1 if number < len(pages) else None
        links: list[dict[str, Any]] = []
        if follow is not None and self.get_links:
            links = [{"rel": "next", "href": f"{self.url}search?token=page:{follow}&limit=9&{self.extra_query}"}]
        elif follow is not None:
            href = f"{self.url}search?{self.extra_query}"
            links = [
                {"rel": "next", "href": href, "method": "POST", "merge": True, "body": {"token": f"page:{follow}"}}
            ]
        counts = {} if self.stated is None else {"numberMatched": self.stated}
        return {"type": "FeatureCollection", "features": features, "links": links, **counts}
