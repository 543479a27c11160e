# SPDX-License-Identifier: Apache-2.0
"""The log of runs: `OUT/log/runs.jsonl`, a line when a run starts and one when it ends, however it ends.

A publication knows no clock, and a night without news leaves none; here stands what happened, when, how long it took
and with which exit code. A start without an end is a run that was killed, or that still works. Lines hold counts, days
and codes alone: no farm, no person, no place.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acreline.errors import EXIT_BUG, EXIT_INCOMPLETE, EXIT_INPUT, AcrelineError, SeveralErrors, StoreError
from acreline.hashing import canonical_json
from acreline.logs import redact
from acreline.store import read_manifest

RUNS_FILE = Path("log") / "runs.jsonl"
STARTED, ENDED, PRUNED = "started", "ended", "pruned"


@dataclass(frozen=True)
class Night:
    """One run as the log tells it."""

    run: str
    started: datetime
    """UTC."""
    ended: datetime | None = None
    """None: killed, or still at work."""
    exit: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    """The line of its end."""

    @property
    def seconds(self) -> float | None:
        """How long it took, by a clock that nobody sets back; None where it has no end."""
        told = self.values.get("seconds")
        return float(told) if isinstance(told, int | float) else None


def add_line(root: Path, event: str, values: Mapping[str, Any]) -> None:
    """Add a line to the log of runs of a run folder; a line that a crash cut is ended first.

    Raises:
        StoreError: it cannot be written.
    """
    path = root / RUNS_FILE
    text = canonical_json({**values, "event": event, "at": datetime.now(UTC).isoformat(timespec="seconds")}) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as stream:
            if stream.tell() > 0:
                stream.seek(-1, os.SEEK_END)
                text = text if stream.read(1) == b"\n" else "\n" + text
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}", hint="free some space") from error


@contextlib.contextmanager
def logged_run(root: Path, run_id: str, region: str) -> Iterator[dict[str, Any]]:
    """Log the start of a run, and its end with what is put into the mapping and the exit code it ends with.

    `exit` may be put in; else it follows from how the block is left.

    Raises:
        StoreError: the log cannot be written; what the run itself raises goes on as it is.
    """
    add_line(root, STARTED, {"run": run_id, "region": region})
    told: dict[str, Any] = {}
    begun, why = time.monotonic(), None
    try:
        yield told
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt)
        told["exit"] = getattr(error, "exit_code", EXIT_INCOMPLETE if stopped else EXIT_BUG)
        why = _why(error)
        raise
    finally:
        seconds = round(time.monotonic() - begun, 1)
        values = {"exit": 0, **told, "run": run_id, "region": region, "seconds": seconds}
        with contextlib.suppress(StoreError) if why is not None else contextlib.nullcontext():
            add_line(root, ENDED, values if why is None else values | {"why": why})


def _why(error: BaseException) -> str:
    """What stopped a run, without what a row of an input file says: a farm, a person."""
    if not isinstance(error, AcrelineError):
        return type(error).__name__
    several = error.errors if isinstance(error, SeveralErrors) else (error,)
    told = [one for one in several if one.exit_code != EXIT_INPUT]
    words = [redact(one.message) for one in told]
    return "; ".join([*words, "an input file is refused: the run's own output says why"][: len(several)])


def run_facts(result: Any) -> dict[str, Any]:
    """What the end of a run says of it.

    Args:
        result: a `run.RunResult`.
    """
    manifest = read_manifest(result.publication)
    fresh = result.freshness
    return {
        "publication_id": manifest["publication_id"],
        "published": result.published,
        "as_of": None if fresh is None else fresh.as_of.isoformat(),
        "counts": manifest["counts"],
        "blocks": {n: len(getattr(result, f"{n}_blocks")) for n in ("made", "kept", "failed")},
        "freshness": None if fresh is None else fresh.facts(),
        "provider": result.scenes.provider,
        "fell_over": list(result.fell_over),
    }


def read_nights(root: Path) -> list[Night]:
    """The runs of a run folder, oldest first; lines that cannot be read are passed over.

    A run folder of an earlier version has none.
    """
    nights: dict[str, Night] = {}
    for line in read_lines(root):
        try:
            at, run = datetime.fromisoformat(line["at"]), str(line["run"])
            if line["event"] == STARTED:
                nights[run] = Night(run, at)
            elif line["event"] == ENDED and run in nights:
                nights[run] = Night(run, nights[run].started, at, int(line["exit"]), line)
        except (KeyError, TypeError, ValueError):
            continue
    return list(nights.values())


def read_lines(root: Path) -> list[dict[str, Any]]:
    """Every line of the log of runs that can be read, oldest first."""
    path, lines = root / RUNS_FILE, []
    try:
        texts = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}", hint="check who may read it") from error
    for text in texts:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines


def holder_of(root: Path) -> str | None:
    """Id of the run that holds a run folder now; None where nobody does."""
    from acreline.store import is_locked

    if not is_locked(root):
        return None
    try:
        return str(json.loads((root / "log" / "holder.json").read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return "that has just started"
