# SPDX-License-Identifier: Apache-2.0
"""Whether a publication, its decisions and the log beside it are as they were on the day: files, chain, log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from acreline.chain import check_chain
from acreline.decision_log import LOG_FILE, check_log, pruned_files, read_log
from acreline.people.evidence import FOLDER, check_evidence
from acreline.store import read_manifest, verify_publication


@dataclass(frozen=True)
class Verdict:
    """What `verify_run` found."""

    faults: tuple[str, ...]
    """Each edit, deletion, insertion or move, with file and line; empty where nothing was touched."""
    lines: tuple[str, ...]
    """What was looked at and found whole, and the heads to be kept elsewhere."""


def verify_run(publication: Path) -> Verdict:
    """Look at every file of a publication, at every decision of its trail and at the log of decisions beside it.

    Args:
        publication: folder of one publication; without its run folder (a copy) there is no log to look at.

    Returns:
        faults and what holds. Whoever may write the whole run folder can also forge all of it anew: against that only
        the heads help, kept where he cannot write.

    Raises:
        StoreError: there is no manifest, or a file cannot be read.
    """
    manifest = read_manifest(publication)
    pruned = pruned_files(publication)
    faults = verify_publication(publication, pruned=pruned)
    name = manifest["publication_id"]
    lines = [] if faults else [f"{name}: every file is as it was published{_without(publication, pruned)}"]
    trail, told = publication / "trail.jsonl", manifest.get("trail")
    if not isinstance(told, dict):
        lines.append("trail: made by an earlier version, which kept no chain")
    elif trail.is_file():
        found = check_chain(trail, head=told.get("chain"), lines=told.get("lines"))
        faults += found.faults
        faults += [f"{trail.name}: {found.more} lines more do not hold"] if found.more else []
        if not found.faults:
            lines.append(f"trail: {found.lines} decisions in an unbroken chain, head {found.head}")
    log = check_log(publication, manifest)
    faults += log.faults
    if log.path is None:
        lines.append(f"{LOG_FILE.name}: no log of decisions belongs to this folder, so none was looked at")
    elif not log.faults and log.entry is not None:
        lines.append(f"{LOG_FILE.name}: {log.chain.lines} lines in an unbroken chain, head {log.chain.head}")
        lines.append(f"{log.entry['event']} {log.entry['at']} by {log.entry['by']}{_signed(log.entry.get('policy'))}")
    if log.path is not None:
        entries = read_log(publication.parent.parent)
        gone, kept = check_evidence(publication.parent.parent, entries)
        faults += gone
        lines += [f"{FOLDER}: {kept} files that people showed are as they were handed in"] if kept and not gone else []
        lines += [
            f"{FOLDER}: {len(entry['evidence_removed'])} files were taken away {entry['at']} by {entry['by']} with a "
            "person who was deleted; the acts that name them stay"
            for entry in entries
            if entry.get("evidence_removed")
        ]
    lines += [f"{LOG_FILE.name}: publication {one} was logged and is not there any more" for one in log.gone]
    lines += [
        f"{LOG_FILE.name}: publication {one['publication']} was pruned {one['at']} by {one['by']}, evidence too"
        for one in log.pruned
    ]
    return Verdict(tuple(faults), tuple(lines))


def _without(publication: Path, pruned: Mapping[str, str]) -> str:
    """What the log says was taken from a publication to free the disk, and is not there."""
    gone = {name: at for name, at in sorted(pruned.items()) if not (publication / name).exists()}
    return f"; pruned {max(gone.values())[:10]}: {', '.join(gone)}" if gone else ""


def _signed(policy: object) -> str:
    """The policy with the two who answer for it."""
    if not isinstance(policy, dict):
        return ""
    name = f"{policy.get('id')}@{policy.get('version')}"
    return f"; policy {name}, author {policy.get('author')}, approver {policy.get('approver')}"
