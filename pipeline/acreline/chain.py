# SPDX-License-Identifier: Apache-2.0
"""A chain of lines: each line carries a hash of its content and of all before it, so a later edit shows, and where.

A line is JSON whose last key is `chain`: the SHA-256 of the chain before it and the line without that key. What was
changed, taken away, put in or moved breaks the chain at that line; a chain made anew from there on ends in another
head, and the head is kept elsewhere (in the manifest, in the log of decisions).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acreline.errors import StoreError
from acreline.hashing import canonical_json

START = "0" * 64
"""The chain before the first line."""
_KEY = b',"chain":"'
_TAIL = len(_KEY) + 64 + 2
"""Bytes of `,"chain":"<64 hex digits>"}` at the end of a line."""
MOST_FAULTS = 20
"""Lines that are named one by one; more are counted."""


class Chain:
    """A chain that is being written: `seal` each line in its order, then keep `head`."""

    def __init__(self, head: str = START) -> None:
        self.head = head

    def seal(self, values: Mapping[str, Any]) -> str:
        """One line of JSON with sorted keys and `chain` at its end; no line end."""
        body = canonical_json({name: value for name, value in values.items() if name != "chain"})
        self.head = _link(self.head.encode(), body.encode())
        return f'{body[:-1]},"chain":"{self.head}"}}'


@dataclass
class Checked:
    """What a chain was found to be."""

    lines: int = 0
    head: str = START
    faults: list[str] = field(default_factory=list)
    """In words, each with the number of its line, counted from 1; empty where the chain holds."""
    more: int = 0
    """Faults beyond those that are named."""

    def fault(self, words: str) -> None:
        """Name a fault, or count it where many were named already."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(words)
        else:
            self.more += 1


def check_chain(path: Path, *, head: str | None = None, lines: int | None = None) -> Checked:
    """Walk a chain file once, line by line, and say where it does not hold; the file is never held in memory.

    Args:
        path: one line of JSON per entry, each sealed by `Chain`.
        head: chain of the last line as it was kept elsewhere; None: nobody kept it.
        lines: how many lines there were; None: nobody kept it.

    Raises:
        StoreError: the file cannot be read.
    """
    found = Checked()
    before = START.encode()
    try:
        with path.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                found.lines = number
                if not raw.endswith(b"\n"):
                    found.fault(f"{path.name}: line {number} was cut short")
                line = raw.rstrip(b"\n")
                if len(line) < _TAIL or line[-_TAIL : -_TAIL + len(_KEY)] != _KEY or not line.endswith(b'"}'):
                    found.fault(f"{path.name}: line {number} has no chain: it was edited or put in{_named(line)}")
                    continue
                told = line[-66:-2]
                if _link(before, line[:-_TAIL] + b"}") != told.decode(errors="replace"):
                    found.fault(
                        f"{path.name}: line {number} does not follow from the one before it: it was edited or moved, "
                        f"or a line was taken out or put in here{_named(line)}"
                    )
                before = told
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}", hint="run the region again") from error
    found.head = before.decode(errors="replace")
    if lines is not None and found.lines != lines:
        found.fault(f"{path.name}: {found.lines} lines, there were {lines}")
    if head is not None and found.head != head:
        found.fault(f"{path.name}: line {found.lines} ends the chain in {found.head[:16]}, it ended in {head[:16]}")
    return found


def extend_chain(path: Path, values: Mapping[str, Any]) -> str:
    """The text of a chain file with one more line; `path` is only read, and may not be there yet.

    Raises:
        StoreError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: cannot be read: {error}", hint="see what happened to it: it is evidence") from error
    if text and not text.endswith("\n"):
        text += "\n"
    last = text.rstrip("\n").rpartition("\n")[2]
    head = last[-66:-2] if last[-_TAIL : -_TAIL + len(_KEY)] == _KEY.decode() else START
    return text + Chain(head).seal(values) + "\n"


def seal_all(rows: Iterable[Mapping[str, Any]], chain: Chain) -> Iterator[str]:
    """Lines of a chain file, each with its line end; `chain.head` is the head once all were taken."""
    for row in rows:
        yield chain.seal(row) + "\n"


def _link(before: bytes, body: bytes) -> str:
    return hashlib.sha256(before + body).hexdigest()


def _named(line: bytes) -> str:
    """The farm or publication a line speaks of, for the message; a damaged line may not say."""
    import json

    try:
        values = json.loads(line)
        name = values.get("farm_id") or values.get("publication_id")
    except (ValueError, AttributeError):
        return ""
    return f" ({name})" if name else ""
