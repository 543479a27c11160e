# SPDX-License-Identifier: Apache-2.0
"""Acts on one person's farms: given out, and the files that the person handed in taken away; the log stays whole.

The lines of the log are never changed: they hold no name and no exact place, and the person's id stands in none. What a
person handed in (photos with their place, papers, outlines) goes; what was told and reckoned on the day (explanation,
difference) is evidence of the decision and stays under the pseudonym.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acreline.decision_log import append_log, read_log
from acreline.errors import CreditError, StoreError
from acreline.people.acts import Act, read_acts
from acreline.people.appeals import read_appeals
from acreline.people.evidence import FOLDER
from acreline.privacy import file_purpose

DELETED = "evidence_deleted"
SHARED = ("stays: an act on another person's farm rests on the same file", "保留：另一农户的操作记录以同一文件为依据")
"""Of a file that one person handed in, where an act on another's farm names it as well."""
WITHHELD = ("by", "people_sha256")
"""Of an act: who the officer is, which is the officer's own data; the role is told."""


def farm_acts(root: Path, farm_ids: set[str], not_theirs: set[tuple[str, str]]) -> list[Act]:
    """Acts on some farms, in the order of the log.

    Args:
        root: the run folder.
        farm_ids: one person's.
        not_theirs: publication and farm where the farm was another person's: acts on such a decision are left out.

    Raises:
        StoreError: the log does not hold.
    """
    became = {one["instead_of"]: one["publication_id"] for one in read_log(root) if "instead_of" in one}

    def name_now(name: Any) -> Any:
        while name in became:
            name = became[name]
        return name

    mine = [act for farm_id, acts in read_acts(root).items() if farm_id in farm_ids for act in acts]
    kept = [act for act in mine if (name_now(act.values.get("decided_in")), act.farm_id) not in not_theirs]
    places = {str(one.get("chain")): place for place, one in enumerate(read_log(root))}
    return sorted(kept, key=lambda act: places[str(act.values["chain"])])


def tell_acts(root: Path, acts: Sequence[Act]) -> list[dict[str, Any]]:
    """Acts as the person gets them: reasons, amounts, each kept file by hash with what becomes of it, by role alone."""
    told = []
    for act in acts:
        files = [
            {**one, "sha256": one["file"].partition(".")[0], "there": (root / FOLDER / one["file"]).is_file(),
             "on_deletion": list(file_purpose(one["kind"]).told)}
            for one in act.values.get("evidence", ())
        ]  # fmt: skip
        told.append({**{k: v for k, v in act.values.items() if k not in WITHHELD}, "evidence": files})
    return told


def refuse_open(root: Path, acts: Sequence[Act]) -> None:
    """An objection that waits for its answer cannot be answered once its evidence is gone.

    Raises:
        CreditError: an appeal on one of the farms is open.
    """
    farms = {act.farm_id for act in acts}
    waits = [one for one in read_appeals(read_acts(root)).values() if one.farm_id in farms and one.closed is None]
    if waits:
        raise CreditError(
            f"appeal {waits[0].name} of {waits[0].farm_id} is open", hint="close it first: acreline appeal close"
        )


def remove_evidence(root: Path, acts: Sequence[Act]) -> list[str]:
    """Take away the files that a person handed in, and say so in the log first: `verify` then misses none of them.

    Args:
        root: the run folder.
        acts: on the person's farms.

    Returns:
        the files, by name. One that an act on another's farm names as well stays.

    Raises:
        StoreError: the log cannot be written, or a file cannot be taken away.
    """
    mine = {str(act.values["chain"]) for act in acts}
    others = {
        name for some in read_acts(root).values() for act in some if str(act.values["chain"]) not in mine
        for name in _files(act.values)
    }  # fmt: skip
    names = sorted({name for act in acts for name in _files(act.values)} - others)
    names = [name for name in names if (root / FOLDER / name).is_file()]
    if not names:
        return []
    try:
        append_log(root, lambda: (DELETED, {"evidence_removed": names}))
        for name in names:
            (root / FOLDER / name).unlink()
    except OSError as error:
        raise StoreError(
            f"{root / FOLDER}: a file cannot be taken away: {error}", hint="free the folder and give the command again"
        ) from error
    return names


def kept_files(root: Path, acts: Sequence[Act]) -> dict[str, dict[str, Any]]:
    """Files of some acts that are still there after `remove_evidence`, by name: kind, and why in both languages."""
    return {
        one["file"]: {
            "kind": one["kind"],
            "told": list(SHARED if (row := file_purpose(one["kind"])).on_deletion == "removed" else row.told),
        }
        for act in acts
        for one in act.values.get("evidence", ())
        if (root / FOLDER / one["file"]).is_file()
    }


def _files(values: Mapping[str, Any]) -> list[str]:
    return [one["file"] for one in values.get("evidence", ()) if file_purpose(one["kind"]).on_deletion == "removed"]
