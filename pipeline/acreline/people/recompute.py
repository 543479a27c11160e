# SPDX-License-Identifier: Apache-2.0
"""A case is judged again: through the ordinary river on the corrected outline, else on the facts as they are.

With a corrected outline and the region file, the region is run again as of the same day with that outline in the place
of the old one, into `OUT/appeals/<case>/run`; blocks that did not change are taken from the run. Old and new are both
kept, and the difference is told and kept by hash. Nothing that was published is changed, and no other farm is touched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.config import ParcelSource, Region, read_region
from acreline.credit import decide_alone, decision_from_json
from acreline.errors import ConfigError, StoreError
from acreline.lineage import read_compiled, read_lineage
from acreline.parcels import read_parcels
from acreline.people.acts import RECOMPUTED, Act, Amount, acting_root, read_acts, record_act, stand
from acreline.people.appeals import Case, find_case
from acreline.people.evidence import FOLDER, Kept, keep_files
from acreline.people.ground import with_outlines
from acreline.records import Decision, Farm
from acreline.report.read import Row, read_lines, read_manifest
from acreline.tables import farm_from_json
from acreline.units import m2_to_mu

if TYPE_CHECKING:
    from concurrent.futures import Executor

APPEALS = "appeals"
RIVER, FACTS = "river", "facts"


@dataclass(frozen=True)
class Difference:
    """A farm before and after it was judged again."""

    how: str
    """river: the corrected outline was measured; facts: the facts as they were, decided again."""
    rows: tuple[tuple[str, str, str], ...]
    """Name of the figure, before, after; those that differ and those that do not."""
    notes: tuple[str, ...]
    act: Act


def recompute_case(
    publication: Path, name: str, *, region: Path | None = None, executor: Executor | None = None
) -> Difference:
    """Judge the farm of an open case again and log the outcome; it decides nothing: a person does, by closing the case.

    Args:
        publication: the farm's, in its run folder.
        name: of the case.
        region: the region file of the run; without it, or without a corrected outline, the facts stay as they are.
        executor: where blocks are measured.

    Raises:
        ConfigError: no such case, or another region's file.
        CreditError: the case is closed.
        AcrelineError: the river cannot go on: scenes, policy or model are not there; nothing is logged.
    """
    root = acting_root(publication)
    case = find_case(read_acts(root), name)
    lines = {line["farm_id"]: line for line in read_lines(publication)}
    if case.farm_id not in lines:
        raise ConfigError(f"farm {case.farm_id} of {name} is not in this publication", hint="give the run it is in")
    old = lines[case.farm_id]
    notes: list[str] = []
    if region is not None and case.boundary is not None:
        how, again = RIVER, _run_again(root, publication, case, region, executor, notes)
        [new] = [line for line in read_lines(again) if line["farm_id"] == case.farm_id]
        after, farm, where = decision_from_json(new), farm_from_json(new["farm"]), again.name
    else:
        if case.boundary is not None:
            notes.append("the corrected outline was not measured: name the region file with --region")
        how, where = FACTS, None
        after, farm = _decide_again(publication, old), farm_from_json(old["farm"])
    before = decision_from_json(old)
    now = stand(before, read_acts(root)[case.farm_id])
    rows = _compare(farm_from_json(old["farm"]), before, now.machine, farm, after)
    kept = Kept("difference", json.dumps({"how": how, "rows": rows, "notes": notes}, indent=1).encode(), ".json")

    def make(acts: Mapping[str, tuple[Act, ...]]) -> tuple[str, Mapping[str, Any]]:
        find_case(acts, name)
        return RECOMPUTED, {
            "case": name,
            "farm_id": case.farm_id,
            "decided_in": read_manifest(publication)["publication_id"],
            "judged_in": where,
            "how": how,
            "machine": now.machine.facts(),
            "new": Amount(after.outcome, after.limit).facts(),
            "currency": after.currency,
            "evidence": keep_files(root, [kept]),
        }

    return Difference(how, rows, tuple(notes), record_act(root, make))


def _decide_again(publication: Path, line: Row) -> Decision:
    """The rules asked again of the facts as they were, from what the publication kept."""
    lineage, farm = read_lineage(publication), farm_from_json(line["farm"])
    day = date.fromisoformat(line["as_of"])
    policy, person = read_compiled(lineage), line["lineage"]["person"]
    return decide_alone(farm, policy, lineage["totals"], person, as_of=day, county=lineage["county"])


def _run_again(
    root: Path, publication: Path, case: Case, region_file: Path, executor: Executor | None, notes: list[str]
) -> Path:
    """The whole region once more with the corrected outline; its publication."""
    from acreline.ops.backfill import share_parts
    from acreline.plan import input_hashes
    from acreline.run import run_region
    from acreline.store import Store

    region, manifest = read_region(region_file), read_manifest(publication)
    if region.name != manifest["region"]:
        raise ConfigError(
            f"{region_file}: region {region.name}, the run is of {manifest['region']}", hint="give the run's own file"
        )
    here = input_hashes(region)
    notes += [f"{role}: not the file of the run" for role, sha in manifest["inputs"].items() if here.get(role) != sha]
    folder = root / APPEALS / case.name
    store = Store(folder / "run")
    parcels = _corrected(root, case, region, folder / "parcels.parquet")
    changed = region.model_copy(update={"parcels": parcels, "farm_pages": 0})
    share_parts(root, store.root)
    done = run_region(changed, store, as_of=date.fromisoformat(manifest["as_of"]), executor=executor)
    notes += [f"block {name} was not measured: {why}" for name, why in sorted(done.failed_blocks.items())]
    return done.publication


def _corrected(root: Path, case: Case, region: Region, path: Path) -> ParcelSource:
    """The farm file with the corrected outline, on the ground already; rows that were refused are left out."""
    import shapely

    assert case.boundary is not None
    try:
        raw = json.loads((root / FOLDER / case.boundary).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{FOLDER}/{case.boundary}: cannot be read: {error}", hint="see what happened to it with `acreline verify`"
        ) from error
    told = raw["features"]
    shapes = {one["properties"]["parcel_id"]: shapely.from_geojson(json.dumps(one["geometry"])) for one in told}
    table = read_parcels(region.parcels)
    kept = with_outlines(table[(table["status"] != "rejected") | table["parcel_id"].isin(list(shapes))], shapes)
    kept = kept.rename(columns={"declared_area_m2": "declared_area", "registry_area_m2": "registry_area"})
    names = ("farm_id", "parcel_id", "declared_crop", "declared_area", "registry_area", "drawn_on", "geometry")
    path.parent.mkdir(parents=True, exist_ok=True)
    kept[[name for name in names if name in kept.columns]].to_parquet(path)
    columns = {name: name for name in names[:-1] if name in kept.columns}
    return ParcelSource(path=path, datum="wgs84", declared_area_unit="m2", columns=columns)


def _compare(
    farm: Farm, old: Decision, machine: Amount, again: Farm, new: Decision
) -> tuple[tuple[str, str, str], ...]:
    """Figures before and after, in words."""

    def told(one: Farm) -> dict[str, str]:
        planted = one.planted_m2
        return {
            "land, mu": "-" if one.area_m2 is None else f"{m2_to_mu(one.area_m2):.1f}",
            "planted, mu": " to ".join(f"{m2_to_mu(end):.1f}" for end in (planted.low, planted.high)),
            "main crop": one.main_crop or "-",
            "clear looks": str(one.clear_looks),
            "harvest, low": "-" if one.value is None else f"{one.value.low:,.0f} {one.currency}",
            "status": one.status if one.reason is None else f"{one.status}: {one.reason}",
            "flags": ", ".join(one.flags) or "-",
        }

    before, after = told(farm), told(again)
    before |= {"decided": machine.words(old.currency), "reasons": ", ".join(old.reasons) or "-"}
    after |= {"decided": Amount(new.outcome, new.limit).words(new.currency), "reasons": ", ".join(new.reasons) or "-"}
    return tuple((name, before[name], after[name]) for name in before)


def difference_lines(found: Difference) -> list[str]:
    """What changed, a line each, and what did not in one."""
    how = {RIVER: "measured again with the corrected outline", FACTS: "decided again on the facts as they are"}
    same = [name for name, before, after in found.rows if before == after]
    lines = [f"{found.act.values['case']}, {found.act.farm_id}: {how[found.how]}", *found.notes]
    lines += [f"{name}: {before} -> {after}" for name, before, after in found.rows if before != after]
    lines += [f"same: {', '.join(same)}"] if same else []
    return [*lines, "nothing is decided by this: a person closes the case"]
