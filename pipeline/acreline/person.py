# SPDX-License-Identifier: Apache-2.0
"""One person's data in finished runs: given out whole, or the person taken out and the evidence kept.

A person stands in a publication by the bank's pseudonym (`person_id`) in the trail, and nowhere else by any design of
this house. Deletion puts another in its place: a hash salted with random bytes that are kept nowhere, so nobody can
turn it back. Each publication is written anew under a new name, with a new chain; the log of decisions says which
became which, so `verify` holds before and after, and every decision can still be replayed. Acts on the person's farms
are given out too; what the person handed in for them is taken away, the acts stay (`people/personal.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from acreline.chain import Chain
from acreline.decision_log import append_log, log_head, names_of, pruned_files, read_log
from acreline.errors import ConfigError, CreditError, StoreError
from acreline.hashing import digest, file_sha256
from acreline.people.acts import Act
from acreline.people.personal import farm_acts, kept_files, refuse_open, remove_evidence, tell_acts
from acreline.privacy import kept_until, read_purposes
from acreline.retired import utc_now
from acreline.store import Store, open_publication, read_manifest, verify_publication
from acreline.store_files import sync_path, write_text

PSEUDONYM = "deleted-"
TEXTS = {".html", ".json", ".jsonl", ".csv", ".txt", ".geojson", ".svg", ".xml"}
"""Files in which a person's id would be replaced, or found left over."""


@dataclass(frozen=True)
class Held:
    """A publication in which a person stands."""

    root: Path | None
    """The run folder; None for a copied publication."""
    publication: Path
    lines: tuple[dict[str, Any], ...]
    """Lines of the trail that carry the person, parsed."""


def export_person(runs: Sequence[Path], person_id: str) -> dict[str, Any]:
    """All that finished runs hold of one person: applicants' rows, farms, parcels, decisions, acts, pages and letters.

    Args:
        runs: OUT folders of runs (every publication in them is looked at, and those of appeals that were judged
            again), or copied publications.
        person_id: the bank's pseudonym, as the applicants table has it.

    Raises:
        ConfigError: no run knows this person.
        StoreError: a trail or table is missing or damaged.
    """
    held = _find(runs, person_id)
    purposes = [row.model_dump(mode="json") for row in read_purposes().fields]
    files = [row.model_dump(mode="json") for row in read_purposes().files]
    acts = [row for root, mine in _acts(held, person_id).items() for row in tell_acts(root, mine)]
    publications = [_export(one) for one in held]
    told = {"purposes": purposes, "kept_files": files, "publications": publications, "acts": acts}
    return {"person_id": person_id, **told}


def write_export(export: dict[str, Any], out: Path) -> None:
    """Write an export as readable JSON.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        write_text(out, json.dumps(export, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror}", hint="check the folder of --out") from error


def delete_person(runs: Sequence[Path], person_id: str, asked_on: date, *, receipt: Path) -> dict[str, Any]:
    """Put a pseudonym that nobody can turn back in a person's place, in every publication of some runs.

    Args:
        runs: OUT folders of runs.
        person_id: the bank's pseudonym, as the applicants table has it.
        asked_on: day by which the legal term of every decision must be over; not after today (UTC).
        receipt: JSON file to write: counts, and hashes before and after.

    Returns:
        what the receipt says. It does not name the person.

    Raises:
        ConfigError: no run knows this person, or the day lies ahead.
        CreditError: the legal term of a decision or an act is not over, or an appeal is open; nothing was touched.
        StoreError: a publication is not as it was published (evidence must be whole before it is rewritten), or a
            folder cannot be written.
    """
    if asked_on > utc_now().date():
        raise ConfigError(f"--term-check: {asked_on} lies ahead", hint="the term must be over on the day of deletion")
    if receipt.exists() or not receipt.resolve().parent.is_dir():
        why = "is there already" if receipt.exists() else "its folder is not there"
        raise ConfigError(f"--receipt: {receipt}: {why}", hint="name a new file: a receipt is evidence")
    held = _find(runs, person_id)
    acts = _acts(held, person_id)
    _refuse_shared(held, person_id)
    _refuse_early(held, [act for mine in acts.values() for act in mine], asked_on)
    for root, mine in acts.items():
        refuse_open(root, mine)
    for one in held:
        faults = verify_publication(one.publication, pruned=pruned_files(one.publication))
        if one.root is None or faults:
            found = f"{len(faults)} faults, first: {faults[0]}" if faults else "a copy without its run folder"
            raise StoreError(
                f"{one.publication}: nothing was deleted: {found}",
                hint="give the OUT folder of a run, and see `acreline verify` first",
            )
    salt = secrets.token_bytes(32)
    pseudonym = PSEUDONYM + hashlib.sha256(salt + person_id.encode()).hexdigest()[:20]
    del salt
    done: list[dict[str, Any]] = []
    removed: list[str] = []
    stays: dict[str, dict[str, Any]] = {}
    roots = sorted({one.root for one in held if one.root is not None})
    for root in roots:
        here = [one for one in held if one.root == root]
        with Store(root).locked(uuid.uuid4().hex[:12], utc_now().isoformat(timespec="seconds")):
            removed += remove_evidence(root, acts.get(root, ()))
            stays |= kept_files(root, acts.get(root, ()))
            done += [_rewrite(one, root, person_id, pseudonym) for one in here]
    names = _file_names({line["farm_id"] for one in held for line in one.lines})
    whole = [root for root in roots if not any(other in root.parents for other in roots)]
    left = [path.relative_to(root).as_posix() for root in whole for path in _left(root, person_id, names)]
    told = {
        "at": utc_now().isoformat(timespec="seconds"),
        "pseudonym": pseudonym,
        "asked_on": asked_on.isoformat(),
        "publications": done,
        "decisions": sum(one["decisions"] for one in done),
        "evidence_removed": removed,
        "evidence_stays": [{"file": name, **told} for name, told in sorted(stays.items())],
        "log_heads": [log_head(root) for root in roots],
        "left": left,
        "pages_searched": _tellable(person_id),
    }
    write_export(told, receipt)
    return told


# --- finding ----------------------------------------------------------------------------------------------------------
def _find(runs: Sequence[Path], person_id: str) -> list[Held]:
    held: dict[Path, Held] = {}
    for run in runs:
        opened = open_publication(run)
        root = opened.parent.parent if opened.parent.name == "publications" else None
        folders = sorted(p for p in opened.parent.iterdir() if _is_publication(p)) if root is not None else [opened]
        for folder in [*folders, *(_judged_again(root) if root is not None else ())]:
            lines = tuple(line for line in _lines(folder) if _person(line) == person_id)
            if lines:
                held[folder] = Held(root and folder.parent.parent, folder, lines)
    if not held:
        raise ConfigError(
            f"person {person_id!r} stands in none of {len(runs)} runs", hint="check --person and the RUN folders"
        )
    return list(held.values())


def _judged_again(root: Path) -> list[Path]:
    """Publications of the runs in which appeals were judged again: each is of the whole region."""
    return sorted(path for path in root.glob("appeals/*/run/publications/*") if _is_publication(path))


def _acts(held: Sequence[Held], person_id: str) -> dict[Path, list[Act]]:
    """Acts on the person's farms by run folder."""
    told: dict[Path, list[Act]] = {}
    for root in sorted({one.root for one in held if one.root is not None}):
        farm_ids = {line["farm_id"] for one in held if one.root == root for line in one.lines}
        folders = [path for path in sorted((root / "publications").iterdir()) if _is_publication(path)]
        others = {(folder.name, line["farm_id"]) for folder in folders for line in _lines(folder)
                  if line["farm_id"] in farm_ids and _person(line) != person_id}  # fmt: skip
        told[root] = farm_acts(root, farm_ids, others)
    return told


def _is_publication(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and (path / "manifest.json").is_file()


def _lines(publication: Path) -> Iterator[dict[str, Any]]:
    path = publication / "trail.jsonl"
    try:
        with path.open(encoding="utf-8", newline="\n") as stream:
            for text in stream:
                yield json.loads(text)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read: {error}", hint="see `acreline verify`") from error


def _person(line: dict[str, Any]) -> str | None:
    applicant = (line.get("farm") or {}).get("applicant") or {}
    found = applicant.get("person_id")
    return found if isinstance(found, str) else None


def _refuse_early(held: Sequence[Held], acts: Sequence[Act], asked_on: date) -> None:
    acted = [date.fromisoformat(act.day) for act in acts]
    newest = max([*(_decided_on(one) for one in held), *acted])
    until = kept_until(newest)
    if asked_on <= until:
        row = next(row for row in read_purposes().fields if row.identifies)
        what = "act" if newest in acted else "decision"
        raise CreditError(
            f"the person must stay with the {what} of {newest} until {until}: {row.retention_why[0]}",
            hint=f"ask again after {until}; until then the data is locked for any other use",
        )


def _decided_on(one: Held) -> date:
    """The day from which a decision's term counts: on which it was first published, or that it is as of, if later.

    A season long past may be decided today: the day that it is decided as of is not the day of the decision.
    """
    entries = read_log(one.root) if one.root is not None else []
    names = names_of(entries, one.publication.name)
    made = [e["at"] for e in entries if e.get("event") == "published" and e.get("publication_id") in names]
    return max(date.fromisoformat(day[:10]) for day in [*(line["as_of"] for line in one.lines), *made[:1]])


def _refuse_shared(held: Sequence[Held], person_id: str) -> None:
    """An id that also names a farm or parcel cannot be taken out without taking the evidence along."""
    for one in held:
        for line in one.lines:
            if person_id in (line["farm_id"], *line["farm"]["parcel_ids"]):
                raise ConfigError(
                    f"person {person_id!r} is also the id of a farm or parcel of {one.publication.name}",
                    hint="nothing was deleted: give persons ids of their own in the applicants table",
                )


# --- giving out -------------------------------------------------------------------------------------------------------
def _export(one: Held) -> dict[str, Any]:
    from acreline.report.read import read_rows

    manifest = read_manifest(one.publication)
    farm_ids = {line["farm_id"] for line in one.lines}
    parcel_ids = {parcel for line in one.lines for parcel in line["farm"]["parcel_ids"]}
    names = _file_names(farm_ids)
    folders = [one.publication, *([one.root / "letters"] if one.root is not None else [])]
    pages = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") if path.suffix in TEXTS else path.name
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in {*TEXTS, ".pdf"} and _belongs(path, names)
    }
    return {
        "publication_id": manifest["publication_id"],
        **{name: manifest.get(name) for name in ("region", "season", "as_of", "policy", "model")},
        "applicants": [line["farm"]["applicant"] for line in one.lines],
        "farms": [line["farm"] for line in one.lines],
        "decisions": [{k: v for k, v in line.items() if k not in ("farm", "chain")} for line in one.lines],
        "parcels": _outlines(one.publication, farm_ids),
        "events": [row for row in read_rows(one.publication, "events") if row["parcel_id"] in parcel_ids],
        "pages_and_letters": pages,
        "log": [] if one.root is None else _entries(one.root, manifest["publication_id"]),
    }


def _file_names(farm_ids: set[str]) -> set[str]:
    """What the pages and letters of some farms are called, without their ending."""
    from acreline.report.read import farm_files

    return {Path(name).stem for name in farm_files(sorted(farm_ids)).values()}


def _belongs(path: Path, names: set[str]) -> bool:
    """A page or letter of these farms: `F-001.html`, `F-001_zh.pdf`; another farm's `F-0010` is none."""
    return path.stem in names or path.stem.split("_")[0].split(".")[0] in names


def _outlines(publication: Path, farm_ids: set[str]) -> list[dict[str, Any]]:
    """Rows of the parcels with their outline as WKT, in lon/lat."""
    import shapely

    from acreline.report.read import read_table

    rows = [row for row in read_table(publication, "parcels").to_pylist() if row["farm_id"] in farm_ids]
    for row in rows:
        row["geometry"] = shapely.from_wkb(row["geometry"]).wkt
    plain: list[dict[str, Any]] = json.loads(json.dumps(rows, default=str))
    return plain


def _entries(root: Path, publication_id: str) -> list[dict[str, Any]]:
    return [entry for entry in read_log(root) if entry.get("publication_id") == publication_id]


# --- taking out -------------------------------------------------------------------------------------------------------
def _rewrite(one: Held, root: Path, person_id: str, pseudonym: str) -> dict[str, Any]:
    """Write a publication anew beside its place, log it, point `latest` at it and take the old one away."""
    manifest = read_manifest(one.publication)
    staging = one.publication.parent / f".staging-{uuid.uuid4().hex[:8]}"
    try:
        shutil.copytree(one.publication, staging)
        trail = _replace_in_trail(staging / "trail.jsonl", person_id, pseudonym)
        there = {name for name in manifest["files"] if (staging / name).is_file()}  # the others were pruned
        for name in sorted(there):
            if name != "trail.jsonl" and Path(name).suffix in TEXTS and _tellable(person_id):
                _replace_in_text(staging / name, person_id, pseudonym)
        files = {n: file_sha256(staging / n) if n in there else sha for n, sha in sorted(manifest["files"].items())}
        told = {name: value for name, value in manifest.items() if name not in ("publication_id", "files")}
        told["trail"] = trail
        name = digest([told, files])
        whole = {"publication_id": name, **told, "files": files}
        write_text(staging / "manifest.json", json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        final = one.publication.parent / name
        if final.exists():
            shutil.rmtree(final)
        for path in staging.rglob("*"):
            sync_path(path)
        staging.rename(final)
        record: dict[str, Any] = {
            "publication_id": name,
            "instead_of": manifest["publication_id"],
            "trail_before": manifest.get("trail"),
            "trail": told["trail"],
            "decisions": len(one.lines),
            "files_changed": sorted(n for n in files if files[n] != manifest["files"][n]),
        }
        signed = {key: told[key] for key in ("region", "as_of", "policy", "model") if key in told}
        append_log(root, lambda: ("person_deleted", signed | record))
        latest = root / "latest"
        if latest.is_symlink() and latest.resolve() == one.publication:
            link = root / f".latest-{uuid.uuid4().hex[:8]}"
            link.symlink_to(Path("publications") / name)
            link.replace(latest)
        shutil.rmtree(one.publication)
        sync_path(root)
    except OSError as error:
        raise StoreError(
            f"{one.publication}: not rewritten: {error}", hint="free the folder and give the command again"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return record


def _replace_in_trail(path: Path, person_id: str, pseudonym: str) -> dict[str, Any]:
    """Replace the person in each line and make the chain anew; returns its lines and head, as a manifest has them."""
    chain, lines = Chain(), 0
    with path.open(encoding="utf-8", newline="\n") as old, path.with_suffix(".new").open("w", encoding="utf-8") as new:
        for text in old:
            line = json.loads(text)
            if _person(line) == person_id:
                line["farm"]["applicant"]["person_id"] = pseudonym
            new.write(chain.seal(line) + "\n")
            lines += 1
    path.with_suffix(".new").replace(path)
    return {"lines": lines, "chain": chain.head}


def _replace_in_text(path: Path, person_id: str, pseudonym: str) -> None:
    from acreline.report.portfolio import rewrite_packed

    text = path.read_text(encoding="utf-8")
    changed = rewrite_packed(text, lambda part: _bounded(person_id).sub(pseudonym, part))
    if changed != text:
        path.write_text(changed, encoding="utf-8", newline="\n")


def _left(root: Path, person_id: str, names: set[str]) -> Iterator[Path]:
    """Files of a run folder in which the person may still stand: texts with the id, letters as PDF (not searched)."""
    from acreline.report.portfolio import read_packed

    def names_them(path: Path) -> bool:
        text = path.read_text(encoding="utf-8", errors="replace")
        return any(_bounded(person_id).search(part) for part in (text, read_packed(text)))

    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        letter = path.suffix == ".pdf" and _belongs(path, names)
        text = path.suffix in TEXTS and _tellable(person_id)
        if letter or (text and names_them(path)):
            yield path


def _tellable(person_id: str) -> bool:
    """An id long enough to be told from other words and numbers of a page."""
    mixed = any(c.isalpha() for c in person_id) and any(c.isdigit() for c in person_id)
    return len(person_id) >= (4 if mixed else 10)


def _bounded(person_id: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(person_id)}(?![\w-])")
