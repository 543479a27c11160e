# SPDX-License-Identifier: Apache-2.0
"""One request to a catalogue: tried again while it may pass, never beyond the deadline, never to another host."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pystac_client.stac_api_io import StacApiIO
from urllib3.exceptions import HTTPError, IncompleteRead

from acreline.config import Provider
from acreline.errors import SourceError
from acreline.search.tally import Tally

if TYPE_CHECKING:
    from requests import Response

log = logging.getLogger(__name__)

BACKOFF_S = 0.5
BACKOFF_MAX_S = 30.0
MAX_REDIRECTS = 5
MAX_ANSWER_BYTES = 256 * 1024 * 1024
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP states that may be gone at the next try."""
PORTS = {"http": 80, "https": 443}
AGAIN = "run again later; what was done is kept"


class Talk(StacApiIO):
    """Requests with patience: what may pass is tried again, nothing waits beyond the deadline."""

    def __init__(self, provider: Provider, tally: Tally) -> None:
        super().__init__(timeout=provider.timeout_s, max_retries=None)
        self.provider = provider
        self.tally = tally
        self.page = "the entry page"
        self.end = time.monotonic() + provider.deadline_s
        self.home = _host(str(provider.href))
        self.host = ":".join(str(part) for part in self.home if part is not None)

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """The text of an answer that is valid JSON (what pystac-client calls)."""
        return json.dumps(self.fetch(href, method or "GET", headers, parameters))

    def fetch(
        self, href: str, method: str, headers: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """The JSON object at an address, tried again while it may still come."""
        for tries in range(1, self.provider.max_retry + 2):
            if tries > 1:
                self.tally.retries += 1
            try:
                return self._once(href, method, headers, body)
            except _Passing as trouble:
                reason, wait = trouble.reason, trouble.wait_s
            if tries == self.provider.max_retry + 1:
                break
            pause = min(BACKOFF_S * 2 ** (tries - 1), BACKOFF_MAX_S)
            pause = wait if wait is not None else random.uniform(pause / 2, pause)  # noqa: S311
            if time.monotonic() + pause > self.end:
                raise self._late(f"{reason}; the next try would be in {pause:.0f} s")
            words = "rate limited, waited" if reason.startswith("HTTP 429") else f"{reason}; waited"
            log.info("%s: %s: %s %.3g s", self.provider.name, self.page, words, pause)
            time.sleep(pause)
        raise SourceError(f"{self.provider.name}: {self.page} of {self.host}: {reason} ({tries} tries)", hint=AGAIN)

    def _once(
        self, href: str, method: str, headers: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        response = self._send(href, method, headers, body)
        with response:
            state = response.status_code
            if state in PASSING:
                raise _Passing(f"HTTP {state}", _retry_after(response.headers.get("Retry-After")))
            if not 200 <= state < 300:
                sign_in = " (sign-in?)" if state in (401, 403) else ""
                raise refuse(self.provider, f"{self.page} was refused", f"HTTP {state}{sign_in}")
            content = self._read(response)
            kind = response.headers.get("Content-Type", "no content type").split(";")[0]
        try:
            answer = json.loads(content.decode("utf-8"))
        except UnicodeDecodeError:
            raise _Passing(f"{len(content)} bytes that are not UTF-8 text") from None
        except ValueError:
            raise _Passing(f"{len(content)} bytes of {kind} that are not whole JSON") from None
        if not isinstance(answer, dict):
            raise _Passing(f"JSON that is not an object but {type(answer).__name__}")
        return answer

    def _send(
        self, href: str, method: str, headers: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> Response:
        """One request, with redirects followed on the catalogue's own host only."""
        for _ in range(MAX_REDIRECTS + 1):
            if _host(href) != self.home:
                raise refuse(self.provider, f"{self.page} leads to another host", urlsplit(href).netloc)
            remaining = self.end - time.monotonic()
            if remaining <= 0:
                raise self._late("time is up")
            limit = min(self.provider.timeout_s, remaining)
            self.tally.requests += 1
            try:
                response = self.session.request(
                    method,
                    href,
                    params=dict(body or {}) if method != "POST" else None,
                    json=dict(body or {}) if method == "POST" else None,
                    headers=dict(headers or {}),
                    timeout=(min(self.provider.read.connect_timeout_s, limit), limit),
                    allow_redirects=False,
                    stream=True,
                )
            except (OSError, HTTPError) as error:
                # from None: the text of the cause holds the address with its query, and signatures live there
                raise _Passing(_why(error)) from None
            except ValueError:
                raise refuse(self.provider, f"{self.page} has an address that cannot be used", "not a URL") from None
            if not 300 <= response.status_code < 400 or "Location" not in response.headers:
                return response
            href = urljoin(href, response.headers["Location"])
            response.close()
        raise refuse(self.provider, f"{self.page} is redirected in a circle", f"{MAX_REDIRECTS} redirects")

    def _read(self, response: Response) -> bytes:
        """The body, drop by drop, so that a server that trickles cannot outlast the time limit."""
        content = bytearray()
        end = min(self.end, time.monotonic() + self.provider.timeout_s)
        pour = getattr(response.raw, "read1", response.raw.read)
        try:
            while chunk := pour(65536, decode_content=True):
                content += chunk
                if time.monotonic() > end:
                    raise _Passing(f"timed out after {len(content)} bytes")
                if len(content) > MAX_ANSWER_BYTES:
                    raise refuse(self.provider, f"{self.page} is too large", f"over {MAX_ANSWER_BYTES} bytes")
        except (OSError, HTTPError) as error:
            raise _Passing(f"cut off after {len(content)} bytes, {_why(error)}") from None
        return bytes(content)

    def _late(self, reason: str) -> SourceError:
        return SourceError(
            f"{self.provider.name}: {self.page} of {self.host}: {reason}, "
            f"beyond the deadline of {self.provider.deadline_s:g} s",
            hint="run again later, or raise `deadline_s` of the provider",
        )


class _Passing(Exception):  # noqa: N818 - not an error yet: it may be gone at the next try
    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


def refuse(provider: Provider, what: str, found: str) -> SourceError:
    """The error for an answer that will not get better by asking again."""
    return SourceError(
        f"{provider.name}: {what}: {found}", hint="check `href` and `collection` of the provider", retryable=False
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a number or an HTTP date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _host(href: str) -> tuple[str, int | None]:
    parts = urlsplit(href)
    if parts.scheme not in PORTS:
        return f"{parts.scheme}:", None
    try:
        port = parts.port
    except ValueError:
        port = -1
    # http and https on their usual ports are one place: a catalogue behind a TLS proxy may word its links with http
    return (parts.hostname or "").lower(), None if port in (None, PORTS[parts.scheme]) else port


def _why(error: BaseException) -> str:
    """What a network error was, in words without addresses."""
    seen: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(seen) < 20:
        one = todo.pop()
        if not isinstance(one, BaseException) or one in seen:
            continue
        seen.append(one)
        todo += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    for one in seen:
        if isinstance(one, IncompleteRead):
            return f"{one.expected} more were announced"
    names = " ".join(type(one).__name__ for one in seen)
    for sign, words in (
        ("NameResolution", "host name does not resolve"),
        ("gaierror", "host name does not resolve"),
        ("Refused", "connection refused"),
        ("Timeout", "timed out"),
        ("SSL", "no secure connection"),
        ("Reset", "connection reset"),
        ("Decode", "content does not unpack"),
    ):
        if sign in names:
            return words
    return "connection broke"


class _StripQuery(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the line, drop what follows a question mark in it."""
        if isinstance(record.args, tuple):
            record.args = tuple(a.split("?")[0] if isinstance(a, str) else a for a in record.args)
        return True


@contextmanager
def quiet_logs() -> Iterator[None]:
    """At debug level urllib3 would log every address with its query."""
    talker, strip = logging.getLogger("urllib3.connectionpool"), _StripQuery()
    talker.addFilter(strip)
    try:
        yield
    finally:
        talker.removeFilter(strip)
