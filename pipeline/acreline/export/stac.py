# SPDX-License-Identifier: Apache-2.0
"""The STAC catalogue of a publication with its maps and field boundaries, as a folder to move or to put on a server.

It is the catalogue that stands in the publication, by its own bytes where links stay relative; the collection has the
parcels as one asset more. With an address, every link and asset is absolute, as a published catalogue wants it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from acreline.errors import ConfigError, StoreError
from acreline.export._places import new_folder
from acreline.export.fiboa import write_fiboa
from acreline.hashing import file_sha256
from acreline.report.catalog import MULTIHASH_SHA256

if TYPE_CHECKING:
    from acreline.export import Wanted
    from acreline.export._source import Source

TITLE = "STAC collection of the maps and field boundaries, as a folder; --base-url for absolute links"
PLACE = "folder"
ENDING = ""
PERSONS = False
FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
PARCELS = "parcels.parquet"


def write(source: Source, wanted: Wanted) -> list[str]:
    """Write the folder: `catalog.json`, `maps/collection.json`, an item and its maps per block, `parcels.parquet`.

    Raises:
        ConfigError: the folder is there already, or the address is none.
        StoreError: it cannot be written, or the publication has no maps.
    """
    assert wanted.out is not None
    base = None if wanted.base_url is None else _address(wanted.base_url)
    maps = source.publication / "maps"
    items = sorted(path for path in maps.glob("*.json") if path.name != "collection.json")
    if not items or not (maps / "collection.json").is_file():
        raise StoreError(
            f"{source.region}: this run has no maps: nothing to catalogue", hint="run the region again, then export it"
        )
    with new_folder(wanted.out, replace=wanted.replace) as folder:
        (folder / "maps").mkdir()
        for path in (source.publication / "catalog.json", *sorted(maps.iterdir())):
            shutil.copyfile(path, folder / path.relative_to(source.publication))
        kept, _ = write_fiboa(source, folder / PARCELS)
        _add_parcels(folder, kept)
        if base is not None:
            for path in (folder / "catalog.json", *sorted((folder / "maps").glob("*.json"))):
                _make_absolute(path, urljoin(base, path.relative_to(folder).as_posix()))
    where = "relative links" if base is None else f"links below {base}"
    return [f"{wanted.out}: STAC collection {source.region}: {len(items)} items, {kept} parcels; {where}"]


def _address(url: str) -> str:
    """The address with one slash at its end.

    Raises:
        ConfigError: it is no plain address; a user, password or signature would stand in every link.
    """
    parts = urlsplit(url)
    plain = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    if parts.scheme not in ("http", "https", "s3") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ConfigError(
            f"--base-url: {plain} is no plain address of a folder",
            hint="write https://host/folder: no user, no password, no signature, since every link would show it",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/"


def _add_parcels(folder: Path, count: int) -> None:
    """Name the file of field boundaries in the collection, with its check sum."""
    path = folder / "maps" / "collection.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    file = folder / PARCELS
    told.setdefault("assets", {})["parcels"] = {
        "href": f"../{PARCELS}",
        "title": f"{count} field boundaries with what was found on them (fiboa GeoParquet)",
        "type": "application/vnd.apache.parquet",
        "roles": ["data"],
        "file:checksum": MULTIHASH_SHA256 + file_sha256(file),
        "file:size": file.stat().st_size,
    }
    told["stac_extensions"] = sorted({*told.get("stac_extensions", ()), FILE_EXTENSION})
    _write(path, told)


def _make_absolute(path: Path, address: str) -> None:
    """Write a file of the catalogue anew, as it is at that address; URNs of scenes stay."""
    told = json.loads(path.read_text(encoding="utf-8"))
    for one in (*told["links"], *told.get("assets", {}).values()):
        if not urlsplit(one["href"]).scheme:
            one["href"] = urljoin(address, one["href"])
    kind = "application/geo+json" if told["type"] == "Feature" else "application/json"
    told["links"].append({"rel": "self", "href": address, "type": kind})
    _write(path, told)


def _write(path: Path, told: dict[str, Any]) -> None:
    text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
