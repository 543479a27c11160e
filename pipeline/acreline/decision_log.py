# SPDX-License-Identifier: Apache-2.0
"""The log of decisions beside the publications: who decided what under which policy, and when. Only ever added to.

`OUT/log/decisions.jsonl`, one chained line per event: `published` (each time `latest` is pointed at a publication),
`person_deleted` (a publication was written anew without one person's id), `evidence_deleted` (files that a person
handed in were taken away), `pruned` (pages and maps of an old publication, or all of it, were taken away to free the
disk), and the acts of people (`people/acts.py`). A publication knows no clock, so that the same inputs give the same
bytes; when and by whom stands here.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acreline.chain import START, Checked, check_chain, extend_chain
from acreline.retired import utc_now
from acreline.store_files import write_text

LOG_FILE = Path("log") / "decisions.jsonl"
PRUNED = "pruned"


@dataclass
class LogChecked:
    """What `check_log` found beside a publication."""

    path: Path | None = None
    """None: no log belongs to the publication (a copy, or a run of an earlier version)."""
    chain: Checked = field(default_factory=Checked)
    entry: Mapping[str, Any] | None = None
    """The newest line that made this publication what it is."""
    gone: list[str] = field(default_factory=list)
    """Logged publications whose folder is not there any more, and that no deletion of a person explains."""
    pruned: list[Mapping[str, Any]] = field(default_factory=list)
    """Lines that say which publications were taken away whole to free the disk."""
    faults: list[str] = field(default_factory=list)


def append_log(root: Path, make: Callable[[], tuple[str, Mapping[str, Any]]]) -> str:
    """Add one line to the log of a run folder; the file is written anew and renamed, so no line is ever half there.

    Args:
        root: the run folder.
        make: gives the event's name and what is to be kept, to which `at`, `by` and `event` are put; it is called when
            nobody else may add a line, and what it raises leaves the log as it was.

    Returns:
        the new head of the chain, to be kept elsewhere by whoever wants proof against a whole new log.

    Raises:
        StoreError: the log cannot be read.
        OSError: it cannot be written.
    """
    from filelock import FileLock

    path = root / LOG_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        event, values = make()
        at = utc_now().isoformat(timespec="seconds")
        text = extend_chain(path, {**values, "event": event, "at": at, "by": user_name()})
        write_text(path, text)
    return text[-67:-3]


def log_published(root: Path, manifest: Mapping[str, Any], publication_id: str) -> None:
    """Say that a publication became the current one: its chain, its policy with the two who signed, its model."""
    told = ("region", "as_of", "policy", "model", "model_retired", "trail")
    values = {"publication_id": publication_id, **{n: manifest[n] for n in told if n in manifest}}
    append_log(root, lambda: ("published", values))


def check_log(publication: Path, manifest: Mapping[str, Any]) -> LogChecked:
    """Whether the log beside a publication is whole and tells of this very publication.

    Args:
        publication: its folder.
        manifest: what `read_manifest` gave.

    Raises:
        StoreError: the log cannot be read.
    """
    root = publication.parent.parent
    found = LogChecked()
    path = root / LOG_FILE
    if publication.parent.name != "publications" or "trail" not in manifest:
        return found
    found.path = path
    if not path.is_file():
        found.faults.append(f"missing: {LOG_FILE.as_posix()}: the log of decisions was taken away")
        return found
    found.chain = check_chain(path)
    found.faults += found.chain.faults
    found.faults += [f"{path.name}: {found.chain.more} lines more do not hold"] if found.chain.more else []
    name = manifest["publication_id"]
    entries = read_log(root)
    found.entry = next((one for one in reversed(entries) if one.get("publication_id") == name), None)
    rewritten = {one.get("instead_of") for one in entries}
    found.pruned = [one for one in entries if one.get("event") == PRUNED and one.get("whole")]
    rewritten |= {one["publication"] for one in found.pruned}
    found.gone = [
        one
        for one in {str(entry["publication_id"]): entry for entry in entries if "publication_id" in entry}
        if one not in rewritten and not (publication.parent / one).is_dir()
    ]
    if found.entry is None:
        found.faults.append(f"{path.name}: no line tells of publication {name}: a line was taken out, or it is forged")
    elif found.entry.get("trail") != manifest["trail"]:
        found.faults.append(
            f"{path.name}: publication {name} was logged with another chain of decisions: the trail was written anew"
        )
    return found


def read_log(root: Path) -> list[dict[str, Any]]:
    """Every line of a run folder's log that can be read, oldest first; `check_log` says whether it is whole."""
    path = root / LOG_FILE
    entries: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def names_of(entries: Sequence[Mapping[str, Any]], name: str) -> set[str]:
    """All names that a publication has borne: it gets another when a person is taken out of it.

    Args:
        entries: of the log, oldest first.
        name: that it bears now.
    """
    names = {name}
    for entry in reversed(entries):
        if entry.get("publication_id") in names and entry.get("instead_of"):
            names.add(str(entry["instead_of"]))
    return names


def pruned_files(publication: Path) -> dict[str, str]:
    """What the log says was taken from a publication to free the disk: name of a file or folder in it -> when.

    A copy without its run folder has no log, so nothing is known of it.
    """
    if publication.parent.name != "publications":
        return {}
    told: dict[str, str] = {}
    entries = read_log(publication.parent.parent)
    names = names_of(entries, publication.name)
    for entry in reversed(entries):
        if entry.get("event") == PRUNED and entry.get("publication") in names:
            told.update(dict.fromkeys(map(str, entry.get("removed", ())), str(entry.get("at"))))
    return told


def log_head(root: Path) -> str:
    """The chain of the log's last line."""
    entries = read_log(root)
    return str(entries[-1].get("chain", START)) if entries else START


def user_name() -> str:
    """Who runs this: the user that the operating system knows, whatever LOGNAME says; else the number of it."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
    except ImportError:  # no such table on this system
        return getpass.getuser()
