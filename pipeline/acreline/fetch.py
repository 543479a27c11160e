# SPDX-License-Identifier: Apache-2.0
"""Parts of files, from disk or over HTTP, with a deadline for everything and one clear reason when it fails.

Standard library only. HTTP is done here and not in GDAL because GDAL remembers a failure, follows a redirect
anywhere, waits on a server that drips, and calls a sign-in page an "unsupported file format".
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import SplitResult, quote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from acreline.config import ReadSettings
from acreline.errors import SourceError

HEAD_BYTES = 32_768
"""First read of a file: enough for the tables of a tile's whole COG, so a file costs one request before its pixels."""
MERGE_GAP_BYTES = 4_096
"""Ranges closer than this are asked for together: a request costs more than the few bytes between."""
WHOLE_FILE_BYTES = 64 << 20
"""Cap for a server that ignores ranges and sends the whole file."""
MAX_HOPS = 5
STALL_S = 5.0
SLOW_BYTES_PER_S = 1_024
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 30.0
SAY_SIGN_IN = "the address may need signing, or its signature has run out"

_SAFE = "%/:?@!$&'()*+,;=~"
_QUERY = re.compile(r"(\w+://)(?:[^\s/@'\"]*@)?([^\s?#'\"]*)[^\s'\"]*")


def redact(text: str) -> str:
    """The text without what may be secret in its addresses: user, query and fragment."""
    return _QUERY.sub(r"\1\2", text)


def address_problem(href: str, hosts: Iterable[str] | None = None) -> str | None:
    """Why an address must not be opened, or None: only plain paths, and http(s) to hosts that are not off limits.

    Args:
        href: path or address.
        hosts: hosts (name:port) that may be reached; None: any.
    """
    scheme = href.split(":", 1)[0].lower() if re.match(r"[A-Za-z][\w+.-]+:", href) else ""
    if re.search(r"[\x00-\x1f\x7f]", href):
        return "not a valid address"
    if scheme not in ("", "http", "https"):
        return f"scheme {scheme!r} is not one that may be opened"
    if not scheme:
        return "GDAL's own paths may not be opened" if href.startswith("/vsi") else None
    try:
        url = urlsplit(href)
        host = url.hostname
        port = url.port or (443 if scheme == "https" else 80)
    except ValueError:
        return "not a valid address"
    if not host:
        return "address without a host"
    if hosts is not None and url.netloc.rpartition("@")[2].lower() not in hosts:
        return f"leads to {url.netloc.rpartition('@')[2]}, which no scene names"
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError:
        return None  # an unknown name fails when it is opened, in words of its own
    for one in sorted(str(address) for address in found):
        address = ipaddress.ip_address(one.split("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        if mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified or str(mapped) == "fd00:ec2::254":
            return "leads to a link-local or metadata address, which is never read"
    return None


@dataclass
class Fetcher:
    """Opens the files of one block; safe to use from several threads, each with its own connections."""

    read: ReadSettings
    hosts: frozenset[str]
    """Hosts (name:port as written) that may be reached."""
    _local: threading.local = field(default_factory=threading.local)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _problems: dict[str, str | None] = field(default_factory=dict)
    _silent: dict[str, int] = field(default_factory=dict)
    _opened: list[http.client.HTTPConnection] = field(default_factory=list)

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()

    def open(self, href: str) -> LocalFile | RemoteFile:
        """Open one file and read its head.

        Raises:
            SourceError: it cannot be had; `retryable` says whether it may be there later, `context["missing"]` that it
                is not there at all.
        """
        problem = address_problem(href) if "://" not in href else self._host_problem(href)
        if problem is not None:
            raise SourceError(f"refused: {problem}", hint="check the item's asset address", retryable=False)
        return RemoteFile(self, href) if "://" in href else LocalFile(Path(href))

    def _host_problem(self, href: str) -> str | None:
        key = href.split("?")[0].rpartition("/")[0].lower()
        with self._lock:
            if key in self._problems:
                return self._problems[key]
        problem = address_problem(href, self.hosts)
        with self._lock:
            self._problems[key] = problem
        return problem

    # --- one GET, with patience ---------------------------------------------------------------------------------
    def get(self, href: str, start: int, stop: int) -> Answer:
        """Bytes `start` to `stop` (exclusive) of a remote file; what may pass is tried again, within the deadline.

        Raises:
            SourceError: see `open`.
        """
        host = urlsplit(href).netloc.rpartition("@")[2]
        patience = 2 * self.read.threads + 2
        with self._lock:
            if self._silent.get(host, 0) >= patience:
                raise SourceError(f"{host} failed {patience} times in a row: given up", hint="run again later")
        until = time.monotonic() + self.read.timeout_s
        for attempt in range(self.read.max_retry + 1):
            try:
                answer = self._follow(href, start, stop, until)
            except SourceError as error:
                wait = FIRST_WAIT_S * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311 - only spreads the load
                asked = error.context.get("retry_after_s")
                wait = max(wait, min(float(asked), LONGEST_WAIT_S)) if isinstance(asked, float) else wait
                if not error.retryable:
                    raise
                if attempt == self.read.max_retry or time.monotonic() + wait > until:
                    with self._lock:
                        if self._silent.get(host, 0) >= 0:
                            self._silent[host] = self._silent.get(host, 0) + 1
                    raise
                time.sleep(wait)
            else:
                with self._lock:
                    self._silent[host] = -1  # it answered once: from now on each file is judged by itself
                return answer
        raise AssertionError("unreachable")

    def _follow(self, href: str, start: int, stop: int, until: float) -> Answer:
        for _ in range(MAX_HOPS + 1):
            answer = self._once(urlsplit(href), start, stop, until)
            if answer.location is None:
                return answer
            href = urljoin(href, answer.location)
            problem = self._host_problem(href) if "://" in href else "not an http address"
            if problem is not None:
                raise SourceError(f"redirected (sign-in?), and that {problem}", hint=SAY_SIGN_IN, retryable=False)
        raise SourceError(f"more than {MAX_HOPS} redirects", hint="check the item's asset address", retryable=False)

    def _once(self, url: SplitResult, start: int, stop: int, until: float) -> Answer:
        connection = self._connection(url)
        whole = False
        try:
            target = quote(url.path or "/", safe=_SAFE)
            target += f"?{quote(url.query, safe=_SAFE)}" if url.query else ""
            if getattr(connection, "by_proxy", False) and url.scheme == "http":
                target = f"http://{url.netloc.rpartition('@')[2]}{target}"
            connection.request(
                "GET", target, headers={"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
            )
            if connection.sock is not None:
                connection.sock.settimeout(min(self.read.timeout_s, 2 * STALL_S))
            answer = _judge(connection.getresponse(), url, start, until)
            whole = True
            return answer
        except TimeoutError as error:
            raise SourceError("no answer in time", hint="run again later") from error
        except ssl.SSLError as error:
            raise SourceError(
                f"no trusted connection to {url.hostname}", hint="check certificates", retryable=False
            ) from error
        except socket.gaierror as error:
            raise SourceError(f"host {url.hostname} is not known", hint="check the address and the network") from error
        except ConnectionRefusedError as error:
            raise SourceError(f"{url.hostname} refuses connections", hint="run again later") from error
        except (OSError, http.client.HTTPException) as error:
            raise SourceError("connection cut", hint="run again later") from error
        finally:
            if not whole:
                connection.close()  # what is left on this line belongs to nobody

    def _connection(self, url: SplitResult) -> http.client.HTTPConnection:
        """The connection of this thread to a host; a closed one opens again by itself."""
        pool: dict[str, http.client.HTTPConnection] = self._local.__dict__.setdefault("pool", {})
        key = f"{url.scheme}://{url.netloc}"
        if key not in pool:
            host, port = url.hostname or "", url.port
            proxy = getproxies().get(url.scheme)
            proxied = proxy is not None and not proxy_bypass(host)
            at = urlsplit(proxy if proxied and proxy is not None and "://" in proxy else f"http://{proxy}")
            where = (at.hostname or "", at.port or 3128) if proxied else (host, port)
            timeout = self.read.connect_timeout_s
            if url.scheme == "https":
                bundle = os.environ.get("CURL_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
                tls = ssl.create_default_context(cafile=bundle)
                pool[key] = http.client.HTTPSConnection(*where, timeout=timeout, context=tls)
                if proxied:
                    pool[key].set_tunnel(host, port or 443)
            else:
                pool[key] = http.client.HTTPConnection(*where, timeout=timeout)
                pool[key].by_proxy = proxied  # type: ignore[attr-defined]
            with self._lock:
                self._opened.append(pool[key])
        return pool[key]


@dataclass(frozen=True)
class Answer:
    """What a server said: bytes from `start` on, the file's size where told, or another place to ask."""

    body: bytes
    start: int
    size: int | None
    whole: bool = False
    location: str | None = None


def _judge(response: http.client.HTTPResponse, url: SplitResult, start: int, until: float) -> Answer:
    status, kind = (
        response.status,
        (response.headers.get_content_type() if response.headers.get("Content-Type") else ""),
    )
    if status in (301, 302, 303, 307, 308):
        response.read()
        return Answer(b"", start, None, location=response.headers.get("Location", ""))
    length = int(response.headers.get("Content-Length") or 0)
    if status in (404, 410):
        response.read()
        raise SourceError(f"not there (HTTP {status})", hint="check the item", retryable=False, missing=True)
    if status in (200, 206) and kind in ("text/html", "application/xhtml+xml"):
        raise SourceError(
            f"expected a GeoTIFF, got {kind} from {url.hostname} (sign-in?)", hint=SAY_SIGN_IN, retryable=False
        )
    if status == 416 or (status == 200 and length == 0 and response.headers.get("Content-Length") is not None):
        response.read()
        raise SourceError("empty file" if start == 0 else "shorter than it says", hint="check it", retryable=False)
    if status in (401, 403):
        raise SourceError(f"access refused (HTTP {status})", hint=SAY_SIGN_IN, retryable=False)
    if status in (408, 425, 429) or status >= 500:
        response.read()
        after = response.headers.get("Retry-After", "")
        raise SourceError(
            f"server error (HTTP {status})",
            hint="run again later",
            retry_after_s=float(after) if after.isdigit() else None,
        )
    if status == 200:
        if length > WHOLE_FILE_BYTES:
            raise SourceError(
                f"{url.hostname} does not serve parts of files, and this one has {length >> 20} MiB",
                hint="serve it from a server that knows byte ranges",
                retryable=False,
            )
        body = _body(response, length, until)
        return Answer(body, 0, len(body), whole=True)
    told = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", ""))
    if status != 206 or told is None or int(told[1]) != start:
        raise SourceError(f"unexpected answer (HTTP {status})", hint="check the server", retryable=False)
    body = _body(response, int(told[2]) - start + 1, until)
    return Answer(body, start, None if told[3] == "*" else int(told[3]))


def _body(response: http.client.HTTPResponse, length: int, until: float) -> bytes:
    """All the bytes promised, unless they come too slowly or stop."""
    parts: list[bytes] = []
    got, began = 0, time.monotonic()
    while got < length:
        part = response.read1(min(length - got, 1 << 20))
        if not part:
            raise SourceError(f"connection cut after {got} of {length} bytes", hint="run again later")
        parts.append(part)
        got += len(part)
        now = time.monotonic()
        if now > until or (now - began > STALL_S and got < SLOW_BYTES_PER_S * (now - began)):
            raise SourceError(f"too slow: {got} of {length} bytes in time", hint="run again later")
    response.read()
    return b"".join(parts)


@dataclass
class LocalFile:
    """A file on disk, read in parts."""

    path: Path
    head: bytes = b""
    size: int = 0

    def __post_init__(self) -> None:
        try:
            if not self.path.is_file():
                raise SourceError("no such file", hint="check the catalogue and its folder", retryable=False)
            self.size = self.path.stat().st_size
            with self.path.open("rb") as stream:
                self.head = stream.read(HEAD_BYTES)
        except (OSError, ValueError) as error:
            raise SourceError(
                f"cannot be read: {getattr(error, 'strerror', None) or 'not a path'}",
                hint="check the file and its permissions",
                retryable=False,
            ) from error
        if not self.head:
            raise SourceError("empty file", hint="get the file again", retryable=False)

    def ranges(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes of each (start, stop), in the order asked; short where the file ends."""
        out = []
        try:
            with self.path.open("rb", buffering=0) as stream:
                for start, stop in wanted:
                    if stop <= len(self.head):
                        out.append(self.head[start:stop])
                        continue
                    stream.seek(start)
                    out.append(stream.read(stop - start))
        except OSError as error:
            raise SourceError(
                f"cannot be read: {error.strerror}", hint="check the disk and run again", retryable=False
            ) from error
        return out


class RemoteFile:
    """A file on a server, read in parts; ranges that lie close together are one request."""

    def __init__(self, fetcher: Fetcher, href: str) -> None:
        self._fetcher, self._href = fetcher, href
        answer = fetcher.get(href, 0, HEAD_BYTES)
        self.head = answer.body  # all of it where the server ignores ranges
        self.size = answer.size

    def ranges(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes of each (start, stop), in the order asked; short where the file ends."""
        far = sorted(span for span in set(wanted) if span[1] > len(self.head))
        if self.size is not None:
            far = [span for span in far if span[0] < self.size]
        merged: list[list[int]] = []
        for start, stop in far:
            if merged and start - merged[-1][1] <= MERGE_GAP_BYTES:
                merged[-1][1] = max(merged[-1][1], stop)
            else:
                merged.append([start, stop])
        got: dict[tuple[int, int], bytes] = {}
        k = 0
        for start, stop in merged:
            answer = self._fetcher.get(self._href, start, stop)
            base = answer.start
            while k < len(far) and far[k][1] <= stop:
                got[far[k]] = answer.body[far[k][0] - base : far[k][1] - base]
                k += 1
        return [got.get(span, self.head[span[0] : span[1]]) for span in wanted]
