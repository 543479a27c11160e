# SPDX-License-Identifier: Apache-2.0
"""A catalogue on disk: a static STAC catalogue, a folder of items, or a saved answer of a search. No network."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from acreline.config import Provider
from acreline.errors import SourceError
from acreline.search.tally import Tally

ENTRY_NAMES = ("catalog.json", "collection.json")
CONTAINERS = ("Catalog", "Collection")
SIMULATED = "SIMULATED"
"""With this word the title of a catalogue or collection begins whose pictures no satellite took."""


def read_folder(provider: Provider, tally: Tally) -> Iterator[tuple[dict[str, Any], str]]:
    """Every item of a catalogue on disk, in the order of its links or of the file names.

    The JSON is read as it stands, link by link: 118 items take a tenth of a second, and an item that is not quite
    valid can still be named in the list of scenes set aside.

    Args:
        provider: its address is a file (catalogue, collection, item, item collection) or a folder. In a folder
            without catalog.json or collection.json every .json file is read.
        tally: filled while items are drawn.

    Yields:
        (item as JSON, path that its relative hrefs count from), each item once.

    Raises:
        SourceError: a file is missing or no JSON, or a link leads out of the folder or to the network.
    """
    path = Path(str(provider.href))
    if path.is_dir():
        entry = next((path / name for name in ENTRY_NAMES if (path / name).is_file()), None)
        todo, top = ([entry] if entry else sorted(path.rglob("*.json"), reverse=True)), path
    else:
        todo, top = [path], path.parent
    if not todo:
        raise _refuse(provider, path, "the folder holds no .json file")
    top = _absolute(top)
    done: set[Path] = set()
    met: set[tuple[str, str]] = set()
    while todo:
        file = _absolute(todo.pop())
        if file in done:
            continue
        done.add(file)
        tally.pages += 1
        document = _read(provider, file)
        if document.get("type") in CONTAINERS:
            tally.simulated |= str(document.get("title")).startswith(SIMULATED)
            todo += reversed(_links(provider, document, file, top))
            continue
        features = document.get("features")
        for item in features if isinstance(features, list) else [document]:
            item = item if isinstance(item, dict) else {}
            key = (str(item.get("collection")), str(item.get("id")))
            if key in met and item.get("id") is not None:
                tally.duplicates += 1
                continue
            met.add(key)
            tally.received += 1
            if tally.received > provider.max_items:
                raise _refuse(provider, path, f"more than max_items {provider.max_items} items")
            yield item, str(file)


def _links(provider: Provider, document: dict[str, Any], file: Path, top: Path) -> list[Path]:
    paths = []
    links = document.get("links")
    for link in links if isinstance(links, list) else []:
        if not isinstance(link, dict) or link.get("rel") not in ("item", "child"):
            continue
        parts = urlsplit(str(link.get("href")))
        if parts.scheme not in ("", "file") or parts.netloc:
            raise _refuse(
                provider, file, f"a {link['rel']} link leads to the network ({parts.scheme}://{parts.netloc})"
            )
        path = _absolute(file.parent / unquote(parts.path))
        if not path.is_relative_to(top):
            raise _refuse(provider, file, f"a {link['rel']} link leads out of the folder {top.name}")
        paths.append(path)
    return paths


def _read(provider: Provider, file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise _refuse(provider, file, "no such file") from error
    except OSError as error:
        raise _refuse(provider, file, f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise _refuse(provider, file, "not whole JSON") from error
    if not isinstance(document, dict):
        raise _refuse(provider, file, f"expected a STAC object, found {type(document).__name__}")
    return document


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - `..` is folded, links are the user's own


def _refuse(provider: Provider, file: Path, what: str) -> SourceError:
    return SourceError(
        f"{provider.name}: {file}: {what}",
        hint="point `catalog:` at a catalog.json, a saved item collection or a folder of STAC items",
        retryable=False,
    )
