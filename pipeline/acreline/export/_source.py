# SPDX-License-Identifier: Apache-2.0
"""The publication that is exported, read once: whole and unchanged since it was published, or refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from acreline.errors import InputError, StoreError
from acreline.privacy import personal_value
from acreline.report.read import read_table
from acreline.store import open_publication, read_manifest, verify_publication


@dataclass(frozen=True)
class Source:
    """One publication and what of it may leave."""

    publication: Path
    manifest: dict[str, Any]
    persons: dict[str, str] | None = field(default=None, repr=False)
    """Farm id -> the bank's pseudonym of the person; None: it stays here."""

    @property
    def region(self) -> str:
        """Name of the region."""
        return str(self.manifest["region"])

    @property
    def publication_id(self) -> str:
        """Hash of the publication's content, 16 hex digits."""
        return str(self.manifest["publication_id"])

    @property
    def as_of(self) -> str:
        """Day of the decisions, YYYY-MM-DD."""
        return str(self.manifest["as_of"])

    @property
    def simulated(self) -> bool:
        """The land is invented."""
        return bool(self.manifest.get("simulated"))

    @cached_property
    def words(self) -> str:
        """Region, day, publication, and what stands above it, as one line of English."""
        notices = [one["en"] if isinstance(one, dict) else str(one) for one in self.manifest.get("notices") or ()]
        told = [f"{self.region}, as of {self.as_of}, acreline publication {self.publication_id}"]
        return "; ".join([*told, *(["on simulated data"] if self.simulated else []), *notices])

    def table(self, name: str) -> Any:
        """One table of the publication, as an Arrow table."""
        return read_table(self.publication, name)


def open_source(run: Path, *, persons: bool = False) -> Source:
    """The publication a user means by RUN, as it was published.

    Args:
        run: OUT folder of a run, or one publication.
        persons: who a person is may leave too (the bank's pseudonym of the person, and farm ids that tell who it is).

    Raises:
        StoreError: not a run, or a file of it was edited since.
        InputError: farm ids that look like a name or a number of a person, and persons may not leave.
    """
    publication = open_publication(run)
    faults = verify_publication(publication)
    if faults:
        raise StoreError(
            f"{publication}: not exported: {len(faults)} files are not as published, first {faults[0]}",
            hint="what leaves must be what was published: see `acreline verify`, then run the region again",
        )
    if not persons:
        _refuse_personal(publication)
    return Source(publication, read_manifest(publication), _persons(publication) if persons else None)


def _refuse_personal(publication: Path) -> None:
    farm_ids = read_table(publication, "farms", ["farm_id"])["farm_id"].to_pylist()
    found = [told for told in map(personal_value, farm_ids) if told is not None]
    if found:
        raise InputError(
            f"{len(found)} of {len(farm_ids)} farm ids look like {found[0]}: they would say who a person is",
            hint="give farms ids of their own in the parcel file, or let persons leave with --with-persons",
        )


def _persons(publication: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    path = publication / "trail.jsonl"
    try:
        with path.open(encoding="utf-8", newline="\n") as stream:
            for text in stream:
                line = json.loads(text)
                person = ((line.get("farm") or {}).get("applicant") or {}).get("person_id")
                if isinstance(person, str):
                    found[line["farm_id"]] = person
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read: {error}", hint="see `acreline verify`") from error
    return found
