# SPDX-License-Identifier: Apache-2.0
"""The conversation with a STAC API: pages asked for one by one, each proven new, within a deadline.

pystac-client opens the catalogue and words the query; the paging is ours, because its own stops at an empty page and
goes round for ever when a server repeats its next link (pystac-client issues 334 and 629).
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from pystac import STACError
from pystac_client import Client, ItemSearch
from pystac_client.errors import ClientTypeError
from pystac_client.exceptions import APIError

from acreline.config import Provider
from acreline.errors import SourceError
from acreline.search.proof import prove_by_windows, worse
from acreline.search.talk import AGAIN, Talk, quiet_logs, refuse
from acreline.search.tally import Box, Tally

log = logging.getLogger(__name__)

MAX_EMPTY_PAGES = 20
PAGING_KEYS = ("token", "page", "next", "cursor", "offset", "pt", "search_after")


def read_api(
    provider: Provider, boxes: Sequence[Box], start: date, end: date, tally: Tally
) -> Iterator[tuple[dict[str, Any], str]]:
    """Every item a STAC API has for some boxes and days, page by page.

    Args:
        provider: address, collection, page size, budgets and time limits.
        boxes: west, south, east, north in degrees; one query each.
        start: first day, inclusive.
        end: last day, inclusive.
        tally: filled while items are drawn.

    Yields:
        (item as JSON, address that its relative hrefs count from), each item once.

    Raises:
        SourceError: the server cannot be reached, breaks off, repeats itself or gives fewer items than it states.
    """
    if provider.href is None:
        raise SourceError(f"{provider.name}: no address", hint="set `catalog:` in the region file", retryable=False)
    talk = Talk(provider, tally)
    met: set[tuple[str, str]] = set()
    with quiet_logs(), talk.session:
        client = _open(talk, provider)
        links = [link for link in client.links if link.rel == "search"]
        posts = not links or any(link.extra_fields.get("method") == "POST" for link in links)
        for box in boxes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a server may do more or less than it advertises: items are proven
                search = client.search(
                    method="POST" if posts else "GET",
                    collections=[provider.collection] if provider.collection else None,
                    bbox=list(box),
                    datetime=_interval(start, end),
                    limit=provider.page_size,
                )
            for item in _read_query(talk, search, provider, tally, (start, end)):
                key = (str(item.get("collection")), str(item.get("id")))
                if key in met:
                    tally.shared += 1
                    continue
                met.add(key)
                yield item, _self_link(item) or search.url
    counts = (tally.received, tally.requests, tally.retries)
    log.info("%s: %d items in %d requests, %d of them tries again", provider.name, *counts)


def _open(talk: Talk, provider: Provider) -> Client:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            talk.page = "the entry page"
            client = Client.open(str(provider.href), stac_io=talk, timeout=talk.timeout)
            if client.conforms_to("ITEM_SEARCH") or client.get_search_link() is not None:
                client.add_conforms_to("ITEM_SEARCH")
                return client
        except (APIError, ClientTypeError, STACError, KeyError, TypeError, ValueError, AttributeError) as error:
            # from None: the cause's words may hold the address with its query
            raise refuse(provider, "the entry page is not that of a STAC API", type(error).__name__) from None
    raise refuse(provider, "the catalogue has no item search", "no search link")


def _read_query(
    talk: Talk, search: ItemSearch, provider: Provider, tally: Tally, days: tuple[date, date]
) -> Iterator[dict[str, Any]]:
    """The items of one query; each page must bring something new or say that it is the last."""
    url, method, body = search.url, str(search.method), dict(search.get_parameters())
    headers: dict[str, str] | None = None
    asked: set[str] = set()
    ids: set[tuple[str, str]] = set()
    stated: int | None = None
    number = stale = empty = largest = 0
    while True:
        number += 1
        talk.page = f"page {number}"
        page = talk.fetch(url, method, headers, body)
        features = page.get("features")
        if not isinstance(features, list):
            raise refuse(provider, f"page {number} of the search holds no list of features", _shape(page))
        tally.pages += 1
        largest = max(largest, len(features))
        if number == 1:
            stated = _stated(page)
            if stated is not None:
                tally.stated = (tally.stated or 0) + stated
                if stated > provider.max_items:
                    raise _too_many(provider, stated)
        before = len(ids)
        for item in features:
            item = item if isinstance(item, dict) else {"id": None}
            key = (str(item.get("collection")), str(item.get("id")))
            if key in ids and item.get("id") is not None:
                tally.duplicates += 1
                continue
            ids.add(key)
            tally.received += 1
            if len(ids) > provider.max_items:
                raise _too_many(provider, len(ids))
            yield item
        link = next((ln for ln in page.get("links") or () if isinstance(ln, dict) and ln.get("rel") == "next"), None)
        if link is None:
            break
        empty = empty + 1 if not features else 0
        stale = stale + 1 if features and len(ids) == before else 0
        asked.add(_fingerprint(url, method, body))
        url, method, headers, body = _follow(link, url, body, provider)
        where = _token(url, body, provider)
        if _fingerprint(url, method, body) in asked:
            raise _repeats(provider, f"the next link of page {number} was followed before ({where})")
        if stale > 1:
            raise _repeats(provider, f"pages {number - 1} and {number} brought no new items ({where})")
        if empty > MAX_EMPTY_PAGES:
            raise _repeats(provider, f"{empty} pages in a row were empty, each with a next link ({where})")
    if stated is None:
        _prove(talk, search, provider, tally, days, ids, last_page=len(features), largest=largest)
        return
    if len(ids) < stated:
        raise SourceError(
            f"{provider.name}: catalogue said {stated} items, received {len(ids)}",
            hint="the list is not complete and is not used; " + AGAIN,
        )
    tally.proof = worse(tally.proof, "stated")


def _prove(
    talk: Talk,
    search: ItemSearch,
    provider: Provider,
    tally: Tally,
    days: tuple[date, date],
    known: set[tuple[str, str]],
    *,
    last_page: int,
    largest: int,
) -> None:
    """Show that a list without a count is whole; raises `SourceError` where it is not."""
    if last_page < largest:
        tally.proof = worse(tally.proof, "last_page")
        return

    def ask(first: date, last: date) -> tuple[set[tuple[str, str]], bool]:
        talk.page = f"the page that proves {first} to {last}"
        body = {**search.get_parameters(), "datetime": _interval(first, last)}
        page = talk.fetch(search.url, str(search.method), None, body)
        items, links = page.get("features"), page.get("links") or ()
        if not isinstance(items, list):
            raise refuse(provider, f"{talk.page} of the search holds no list of features", _shape(page))
        ids = {(str(item.get("collection")), str(item.get("id"))) for item in items if isinstance(item, dict)}
        return ids, any(isinstance(link, dict) and link.get("rel") == "next" for link in links)

    proof, new = prove_by_windows(ask, *days, known, largest)
    tally.proof = worse(tally.proof, proof)
    if new:
        raise SourceError(
            f"{provider.name}: the last page had no next link, received {len(known)} items, there are more: "
            f"{min(new)[1]!r} for one",
            hint="the list is not complete and is not used; " + AGAIN,
        )


def _interval(first: date, last: date) -> str:
    return f"{first}T00:00:00Z/{last}T23:59:59.999Z"


def _follow(
    link: Mapping[str, Any], url: str, body: dict[str, Any], provider: Provider
) -> tuple[str, str, dict[str, str] | None, dict[str, Any]]:
    """The request a next link asks for."""
    method = str(link.get("method") or "GET").upper()
    href, more = link.get("href"), link.get("body")
    if method not in ("GET", "POST") or not isinstance(href, str):
        raise refuse(provider, "a next link cannot be followed", f"method {method}, href {type(href).__name__}")
    fields = dict(more) if isinstance(more, dict) else {}
    if method == "GET":
        fields = {}
    elif link.get("merge"):
        fields = {**body, **fields}
    headers = link.get("headers")
    return urljoin(url, href), method, dict(headers) if isinstance(headers, dict) else None, fields


def _fingerprint(url: str, method: str, body: Mapping[str, Any]) -> str:
    return json.dumps([url, method, body], sort_keys=True, default=str)


def _token(url: str, body: Mapping[str, Any], provider: Provider) -> str:
    """The paging words of a request, for a message; all else in a query may be a secret and is left out."""
    own = {value for _, value in parse_qsl(urlsplit(str(provider.href)).query)}
    words = {**dict(parse_qsl(urlsplit(url).query)), **body}
    shown = [f"{key} {str(words[key])[:80]!r}" for key in PAGING_KEYS if key in words and words[key] not in own]
    return ", ".join(shown) or "no token"


def _stated(page: Mapping[str, Any]) -> int | None:
    context = page.get("context")
    for value in (page.get("numberMatched"), context.get("matched") if isinstance(context, dict) else None):
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _self_link(item: Mapping[str, Any]) -> str | None:
    links = item.get("links")
    own = [ln for ln in links if isinstance(ln, dict) and ln.get("rel") == "self"] if isinstance(links, list) else []
    return next((str(ln["href"]) for ln in own if "://" in str(ln.get("href"))), None)


def _shape(page: Mapping[str, Any]) -> str:
    return f"an object with {', '.join(sorted(map(str, page))[:6]) or 'nothing in it'}"


def _too_many(provider: Provider, count: int) -> SourceError:
    return SourceError(
        f"{provider.name}: {count} items, more than max_items {provider.max_items}",
        hint="make the region or season smaller, name a collection, or raise `max_items`",
        retryable=False,
    )


def _repeats(provider: Provider, what: str) -> SourceError:
    return SourceError(
        f"{provider.name}: the catalogue goes round in a circle: {what}",
        hint="the list is not complete and is not used; tell the catalogue's keeper, or use another provider",
    )
