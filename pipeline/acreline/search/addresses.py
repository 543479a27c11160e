# SPDX-License-Identifier: Apache-2.0
"""Where an item says its pixels are: made absolute, and refused where a catalogue has no business to point."""

from __future__ import annotations

import ipaddress
import os
import socket
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urljoin, urlsplit

from acreline.config import Provider

Reach = Literal["loopback", "private", "public", "never"]
METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data"})


@dataclass(frozen=True)
class Home:
    """Where a catalogue was read from."""

    folder: Path | None
    """Top folder of a catalogue on disk; its items may name files in it, and nothing else on this machine."""
    reach: Reach
    """What kind of network address the catalogue has; a folder counts as loopback."""


class RefusedAddress(Exception):  # noqa: N818 - becomes a line of the list of scenes set aside
    """An address that is not used: the reason's code, and words that show no query."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def home_of(provider: Provider) -> Home:
    """Where the catalogue of a provider is."""
    href = str(provider.href)
    if provider.kind == "folder":
        path = Path(href)
        folder = path if path.is_dir() else path.parent
        return Home(Path(os.path.abspath(folder)), "loopback")  # noqa: PTH100 - resolve() would follow links
    return Home(None, reach_of(urlsplit(href).hostname or ""))


@lru_cache(maxsize=1024)
def reach_of(host: str) -> Reach:
    """What kind of address a host name is, without asking a name server.

    Numbers in every form that the C library takes for an address (decimal, octal, hexadecimal, percent signs, wide
    digits) are seen through. Link-local addresses, where clouds keep their credentials, are `never`.
    """
    host = unicodedata.normalize("NFKC", unquote(host)).rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return "loopback"
    if host in METADATA_NAMES:
        return "never"
    try:
        number: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        try:
            number = ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return "public"
    if isinstance(number, ipaddress.IPv6Address):
        number = number.ipv4_mapped or number.sixtofour or number
    if number.is_loopback:
        return "loopback"
    if number.is_link_local or number.is_multicast or number.is_unspecified or number.is_reserved:
        return "never"
    if number in ipaddress.ip_network("fd00:ec2::/32"):  # the metadata service of AWS over IPv6
        return "never"
    return "public" if number.is_global else "private"


def open_address(href: str, base: str, provider: Provider, home: Home) -> str:
    """An address that can be opened as it stands: an absolute path, or a URL.

    Args:
        href: as the item gives it, absolute or relative.
        base: address or path of the item.
        provider: its kind and its way of signing decide which schemes are allowed.
        home: where the catalogue is.

    Raises:
        RefusedAddress: another scheme (`foreign_scheme`), or a place the catalogue may not name (`foreign_address`).
    """
    scheme = urlsplit(href).scheme.lower()
    if home.folder is not None and scheme in ("", "file"):
        return _file_address(href, base, home.folder)
    if scheme == "":
        href = urljoin(base, href)
        scheme = urlsplit(href).scheme.lower()
    if scheme == "s3":
        if provider.signing != "s3":
            raise RefusedAddress("foreign_scheme", "s3:// is not among this provider's ways (signing is not s3)")
        return href
    if scheme not in ("http", "https"):
        raise RefusedAddress("foreign_scheme", f"scheme {scheme[:20]!r} is not allowed")
    try:
        host = urlsplit(href).hostname
    except ValueError:
        host = None
    if not host:
        raise RefusedAddress("foreign_address", "an address without a host")
    reach = reach_of(host)
    if reach == "never" or (reach in ("loopback", "private") and reach != home.reach):
        raise RefusedAddress("foreign_address", "an internal network address, which this catalogue may not name")
    return href


def _file_address(href: str, base: str, folder: Path) -> str:
    parts = urlsplit(href)
    if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
        raise RefusedAddress("foreign_address", "a file on another machine")
    text = unquote(parts.path) if parts.scheme == "file" else href
    path = Path(os.path.abspath(Path(base).parent / text))  # noqa: PTH100 - `..` is folded, links are the user's own
    if "\0" in text or not path.is_relative_to(folder):
        raise RefusedAddress("foreign_address", f"a file outside the catalogue's folder {folder.name}")
    return str(path)
