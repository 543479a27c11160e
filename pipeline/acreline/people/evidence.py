# SPDX-License-Identifier: Apache-2.0
"""Files that show why a person acted: kept by the hash of their content under `OUT/evidence`, for its owner alone.

The log names the hash, so a file that was changed, or is gone, is found. A file's own name is not kept: it may say who
somebody is. Photos lose all that is not the picture: place, time, maker, owner, comments and what lies behind its end.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acreline.errors import InputError, StoreError

FOLDER = "evidence"
MOST_BYTES = 20_000_000
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_PICTURES = {b"II*\x00": "TIFF", b"MM\x00*": "TIFF", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP"}
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs"}
_JPEG_KEPT = {0xE0, 0xEE}
"""Application segments without which a picture is shown wrong: JFIF and Adobe's colours."""


@dataclass(frozen=True)
class Kept:
    """One file as it is kept."""

    kind: str
    """photo, document, boundary, explanation, place or difference."""
    content: bytes
    ending: str

    @property
    def sha256(self) -> str:
        """Of what is kept, not of what was handed in."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def name(self) -> str:
        """Its name under the folder."""
        return f"{self.sha256}{self.ending}"

    def facts(self) -> dict[str, Any]:
        """As plain values for the log."""
        return {"kind": self.kind, "file": self.name, "bytes": len(self.content)}


def read_evidence(path: Path, *, photo: bool = False) -> Kept:
    """Read a file that is handed in; a photo comes out without what tells where, when and by whom it was taken.

    Args:
        path: a JPEG or PNG picture, a PDF, or text in UTF-8 (CSV, JSON, GeoJSON ...).
        photo: it must be a picture.

    Raises:
        InputError: it cannot be read, is empty or too large, or is of a kind that cannot be kept or cleaned.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}", hint="check the path") from error
    if not 0 < len(content) <= MOST_BYTES:
        raise InputError(f"{path}: {len(content)} bytes", hint=f"1 to {MOST_BYTES:,} bytes can be kept")
    if content.startswith(_JPEG):
        return Kept("photo", strip_jpeg(content, path.name), ".jpg")
    if content.startswith(_PNG):
        return Kept("photo", strip_png(content, path.name), ".png")
    other = next((name for start, name in _PICTURES.items() if content.startswith(start)), None)
    if other is None and content[4:8] == b"ftyp":
        other = "HEIC or a film"
    if other is not None or photo:
        raise InputError(
            f"{path}: {other or 'no picture'}: what it tells of place and owner cannot be taken out",
            hint="save it as JPEG or PNG",
        )
    if content.startswith(b"%PDF-"):
        return Kept("document", content, ".pdf")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: of a kind that is not kept", hint="JPEG, PNG, PDF, or text in UTF-8") from error
    if "\0" in text:
        raise InputError(f"{path}: of a kind that is not kept", hint="JPEG, PNG, PDF, or text in UTF-8")
    return Kept("document", content, ".txt")


def strip_jpeg(content: bytes, name: str) -> bytes:
    """A JPEG without its comments and application segments (EXIF, XMP, IPTC, previews), its picture byte for byte.

    Raises:
        InputError: it is cut short or damaged.
    """
    out, at = bytearray(_JPEG), 2
    while True:
        if at + 4 > len(content) or content[at] != 0xFF:
            raise _damaged(name)
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == 0xD9 or marker in range(0xD0, 0xD9) or marker == 0x01:
            raise _damaged(name)
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if end > len(content) or end < at + 4:
            raise _damaged(name)
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE) or marker in _JPEG_KEPT:
            out += _plain_jfif(content[at:end]) if marker == 0xE0 else content[at:end]
        at = end
        if marker == 0xDA:
            at = _scan_end(content, at, name)
            out += content[end:at]
            if content[at + 1] == 0xD9:
                return bytes(out + b"\xff\xd9")  # whatever lies behind it is dropped


def _plain_jfif(segment: bytes) -> bytes:
    """The JFIF segment without its small picture; a JFXX segment, which is one, goes whole."""
    if segment[4:9] != b"JFIF\0" or len(segment) < 18:
        return b""
    return segment[:2] + (16).to_bytes(2, "big") + segment[4:16] + b"\0\0"


def _scan_end(content: bytes, at: int, name: str) -> int:
    """Where the coded picture ends: the next marker that is neither a stuffed byte nor a restart."""
    while (at := content.find(b"\xff", at)) != -1 and at + 1 < len(content):
        following = content[at + 1]
        if following != 0 and not 0xD0 <= following <= 0xD7 and following != 0xFF:
            return at
        at += 1 if following == 0xFF else 2
    raise _damaged(name)


def strip_png(content: bytes, name: str) -> bytes:
    """A PNG with the pieces that make the picture and no others: no texts, no EXIF, no time.

    Raises:
        InputError: it is cut short or damaged.
    """
    out, at = bytearray(_PNG), len(_PNG)
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        kind = content[at + 4 : at + 8]
        if end > len(content):
            break
        if kind in _PNG_KEPT:
            out += content[at:end]
        if kind == b"IEND":
            return bytes(out)
        at = end
    raise _damaged(name)


def _damaged(name: str) -> InputError:
    return InputError(f"{name}: a damaged picture", hint="take or save it again: what cannot be read cannot be cleaned")


def keep_files(root: Path, files: Iterable[Kept]) -> list[dict[str, Any]]:
    """Write files under their hash, each once, for their owner's eyes alone; returns what the log says of them.

    Raises:
        StoreError: they cannot be written.
    """
    told, folder = [], root / FOLDER
    try:
        for one in files:
            folder.mkdir(mode=0o700, exist_ok=True)
            place, part = folder / one.name, folder / f".{one.name}-{os.getpid()}"
            if not place.is_file() or place.read_bytes() != one.content:
                handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(handle, "wb") as stream:
                    stream.write(one.content)
                    stream.flush()
                    os.fsync(stream.fileno())
                part.replace(place)
            told.append(one.facts())
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written: {error}", hint="check the run folder") from error
    return told


def check_evidence(root: Path, entries: Sequence[Mapping[str, Any]]) -> tuple[list[str], int]:
    """Hold every kept file that the log names against its hash.

    Args:
        root: the run folder.
        entries: of the log. Files that a deletion of a person took away are not missed.

    Returns:
        faults in words, and how many files hold.
    """
    removed = {name for entry in entries for name in entry.get("evidence_removed", ())}
    named = {one["file"]: entry for entry in entries for one in entry.get("evidence", ()) if one["file"] not in removed}
    faults = []
    for name, entry in named.items():
        path, of = root / FOLDER / name, f"({entry['event']} {entry['at']}, {entry['farm_id']})"
        if not path.is_file():
            faults.append(f"missing: {FOLDER}/{name} {of}")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != name.partition(".")[0]:
            faults.append(f"changed: {FOLDER}/{name} {of}")
    return faults, len(named) - len(faults)
