# SPDX-License-Identifier: Apache-2.0
"""What the map page tells, gathered from a publication folder into plain values ready for JSON.

Curves are kept lean: four integers per look.
"""

from __future__ import annotations

import base64
import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.curves import clear_looks
from acreline.layers import EVIDENCE_COLUMNS, LOOK_COLUMNS, Looks
from acreline.records import NO_CROP, OUTCOMES, STATUSES
from acreline.report.areas import areas_line, farm_areas, parcel_areas
from acreline.report.detail_words import detail_said
from acreline.report.doubts import tell_doubts
from acreline.report.event_words import event_line
from acreline.report.png import palette_png
from acreline.report.portfolio_words import PORTFOLIO
from acreline.report.read import (
    MAP_LAYERS,
    Row,
    farm_files,
    legends,
    read_lines,
    read_manifest,
    read_rows,
    read_table,
)
from acreline.report.stages import season_line
from acreline.report.words import WORDS
from acreline.units import m2_to_acres, m2_to_ha, m2_to_mu, mu_to_m2

if TYPE_CHECKING:
    import pandas as pd

COORDINATE_DIGITS = 6
"""Six decimals of a degree are 0.11 m: finer than any parcel is drawn."""
GRADES = ("very_weak", "weak", "usual", "strong", "very_strong")
_STAGES = ("emergence", "peak", "harvest")


def tell_page(publication: Path) -> Row:
    """All that the map page shows of a publication.

    Returns:
        plain values for JSON: farms (sorted by id) with decision and trail, parcels with outline and curve, passes,
        legends, pictures of the maps, totals and the page's words. Same publication, same values.

    Raises:
        StoreError: a file of the publication is missing or cannot be read.
    """
    told = tell_farms(publication)
    return {
        **told,
        "rasters": _rasters(publication, told["classes"]),
        "totals": tell_totals(told["farms"], told["parcels"]),
        "words": {**WORDS, "portfolio": PORTFOLIO},
    }


def tell_farms(publication: Path) -> Row:
    """What a publication says of its farms, without the pictures of its maps: the part that farm pages need too.

    Raises:
        StoreError: a file of the publication is missing or cannot be read.
    """
    manifest = read_manifest(publication)
    passes, curves = _curves(publication)
    parcels = _parcels(publication, curves)
    farms = _farms(publication, parcels)
    tell_doubts(publication, manifest, farms, parcels)
    season = manifest.get("season") or {}
    return {
        "region": manifest.get("region"),
        "season": [season.get("start"), season.get("end")] if isinstance(season, Mapping) else [None, None],
        "as_of": manifest.get("as_of"),
        "classes": legends(manifest),
        "passes": passes,
        "farms": farms,
        "parcels": parcels,
    }


def vigour_grade(vigour: float | None) -> str | None:
    """One of five grades of a robust z: below -2, -1, to 1, to 2, above (science 3.1); None where it is not known."""
    if vigour is None:
        return None
    return GRADES[bisect.bisect_right((-2.0, -1.0), vigour) + bisect.bisect_left((1.0, 2.0), vigour)]


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)


def _split(value: str | None) -> list[str]:
    return [part for part in (value or "").split("|") if part]


def _group(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def _curves(publication: Path) -> tuple[list[str], dict[str, list[int | None]]]:
    """Days of all passes, and per parcel a flat list of four numbers a look.

    They are: index of the pass; NDVI x 10000, None without a clear pixel; clear share in percent; 1 for a look that may
    speak, 0 for a cloudy one, 2 for one set aside as haze or shadow. Which may speak is said by `curves.clear_looks`.
    """
    import numpy as np

    table = read_table(publication, "looks", list(LOOK_COLUMNS)).to_pandas()
    table = table[table["n_seen"] > 0].sort_values(["parcel_id", "time", "pass_id"], kind="stable")
    if table.empty:
        return [], {}
    keys = table[["time", "pass_id"]].sort_values(["time", "pass_id"], kind="stable").drop_duplicates("pass_id")
    place = {pass_id: index for index, pass_id in enumerate(keys["pass_id"])}
    n_clear, n_full = table["n_clear"], table.groupby("parcel_id")["n_seen"].transform("max")
    table["at"] = table["pass_id"].map(place)
    table["ndvi"] = np.rint(table["sum_ndvi"] / np.maximum(n_clear, 1)).astype(np.int64)
    table["share"] = 100 * n_clear // n_full
    table["kind"] = np.where(_speaks(table, n_full), 1, np.where((n_clear > 0) & (2 * n_clear >= n_full), 2, 0))
    curves: dict[str, list[int | None]] = {}
    for parcel_id, part in table.groupby("parcel_id", sort=True):
        columns = [part[name].tolist() for name in ("at", "ndvi", "n_clear", "share", "kind")]
        flat: list[int | None] = []
        for at, ndvi, seen, share, kind in zip(*columns, strict=True):
            flat += [at, ndvi if seen else None, share, kind]
        curves[str(parcel_id)] = flat
    return [f"{moment:%Y-%m-%d}" for moment in keys["time"]], curves


def _speaks(table: pd.DataFrame, n_full: pd.Series[int]) -> pd.Series[bool]:
    """Which looks the curve stages listen to; the most pixels ever seen stand for all full pixels of a parcel."""
    import pandas as pd

    land = pd.DataFrame({"parcel_id": table["parcel_id"], "n_full": n_full, "cover": 0}).drop_duplicates("parcel_id")
    looks = Looks(table[list(LOOK_COLUMNS)], pd.DataFrame(columns=list(EVIDENCE_COLUMNS)), land)
    clear = clear_looks(looks)
    kept = pd.MultiIndex.from_frame(clear[["parcel_id", "pass_id"]])
    return pd.Series(pd.MultiIndex.from_frame(table[["parcel_id", "pass_id"]]).isin(kept), index=table.index)


def _parcels(publication: Path, curves: Mapping[str, list[int | None]]) -> list[Row]:
    import shapely

    seasons = _group(read_rows(publication, "seasons"), "parcel_id")
    stands = _group(read_rows(publication, "stands"), "parcel_id")
    events = _group(read_rows(publication, "events"), "parcel_id")
    told = []
    for row in sorted(read_rows(publication, "parcels"), key=lambda r: (r["farm_id"] or "", r["id"], r["status"])):
        measured = row["status"] != "rejected"  # a refused row may share its id with another
        key = row["id"] if measured else None
        area, areas = row["metrics:area"], parcel_areas(row)
        told.append(
            {
                "id": row["id"],
                "farm": row["farm_id"],
                "rings": _rings(shapely.from_wkb(row["geometry"]) if row["geometry"] else None),
                "mu": None if area is None else _round(m2_to_mu(area), 2),
                "ha": None if area is None else _round(m2_to_ha(area), 3),
                "declared_crop": row.get("declared_crop"),
                "areas_m2": areas,
                "areas": areas_line(areas),
                "code": row.get("code"),
                "status": row["status"],
                "reason": row["reason"],
                "detail": row.get("detail"),
                "figures": detail_said(row.get("detail")),
                "crop": row["crop"],
                "confidence": _round(row["crop_confidence"], 5),
                "crop_set": _split(row["crop_set"]),
                "health": row["health"],
                "sure": row.get("health_confirmed"),
                "vigour": _round(row["vigour"], 2),
                "grades": [vigour_grade(row["vigour"]), vigour_grade(row.get("vigour_normal"))],
                "planted": _round(row["planted_fraction"], 3),
                "looks": row["clear_looks"],
                "last": row["last_clear"],
                "curve": curves.get(key, []) if key else [],
                "stages": [_stages(season) for season in seasons.get(key, [])] if key else [],
                "seasons": max((season["seasons"] or 0 for season in seasons.get(key, [])), default=0) if key else 0,
                "stands": [_stand(stand) for stand in stands.get(key, [])] if key else [],
                "events": [_event(event) for event in events.get(key, [])] if key else [],
            }
        )
    return told


def _rings(shape: Any) -> list[list[list[list[float]]]]:
    """Outlines as polygons of rings of (lat, lon), the order the map library wants; empty without a geometry."""
    import shapely

    if shape is None or shape.is_empty:
        return []
    polygons = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return [
        [
            [[round(y, COORDINATE_DIGITS), round(x, COORDINATE_DIGITS)] for x, y, *_ in ring.coords[:-1]]
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        for polygon in polygons
    ]


def _stages(row: Row) -> Row:
    stages = {stage: [row[stage], row[f"{stage}_doubt_days"]] for stage in _STAGES if row[stage]}
    said = season_line(row) if row["stage"] else None
    return {"slot": row["slot"], "crop": row["crop"], "stage": row["stage"], "said": said, **stages}


def _stand(row: Row) -> Row:
    return {
        "slot": row["slot"],
        "crop": row["crop"],
        "confidence": _round(row["crop_confidence"], 5),
        "crop_set": _split(row["crop_set"]),
        "mu": [_round(m2_to_mu(row[f"area_m2_{end}"]), 2) for end in ("low", "mid", "high")],
        "yield": _interval(row, "yield_kg_per_ha"),
        "value": _interval(row, "value"),
        "cash_cost": _interval(row, "cash_cost") if "cash_cost_mid" in row else None,
        "currency": row.get("currency"),
        "code": row.get("code"),
    }


def _event(row: Row) -> Row:
    return {
        "event": row["event"],
        "start": row["start"],
        "end": row["end"],
        "said": event_line(row),
    }


def _interval(row: Row, name: str) -> list[float] | None:
    ends = [row[f"{name}_{end}"] for end in ("low", "mid", "high")]
    return None if any(end is None for end in ends) else [round(float(end), 2) for end in ends]


def _farms(publication: Path, parcels: Sequence[Row]) -> list[Row]:
    decisions = {row["farm_id"]: row for row in read_rows(publication, "decisions")}
    lines = read_lines(publication)
    steps, asked = (
        _trails(lines),
        {line["farm_id"]: (line["farm"]["applicant"] or {}).get("requested") for line in lines},
    )
    mine: dict[str, list[int]] = defaultdict(list)
    for index, parcel in enumerate(parcels):
        mine[parcel["farm"]].append(index)
    told = []
    rows = sorted(read_rows(publication, "farms"), key=lambda r: str(r["farm_id"]))
    files = farm_files([row["farm_id"] for row in rows])
    for row in rows:
        farm_id = row["farm_id"]
        decision = decisions.get(farm_id)
        trail = steps.get(farm_id, [])
        ends = tuple(row[f"planted_mu{end}"] for end in ("_low", "", "_high"))
        planted = None if None in ends else tuple(mu_to_m2(end) for end in ends)
        kept = [one["areas_m2"] for one in (parcels[i] for i in mine.get(farm_id, [])) if one["status"] != "rejected"]
        told.append(
            {
                "id": farm_id,
                "page": _page(publication, files[farm_id]),
                "status": row["status"],
                "reason": row["reason"],
                "parcels": mine.get(farm_id, []),
                "mu": _round(row["area_mu"], 2),
                "ha": None if row["area_m2"] is None else _round(m2_to_ha(row["area_m2"]), 3),
                "acres": None if row["area_m2"] is None else _round(m2_to_acres(row["area_m2"]), 2),
                "planted": [_round(end, 2) for end in ends],
                "planted_ha": None if planted is None else _round(m2_to_ha(planted[1]), 3),
                "planted_acres": None if planted is None else _round(m2_to_acres(planted[1]), 2),
                "areas": areas_line(farm_areas(kept, planted)),
                "sown": _round(row["sown_mu"], 2),
                "crop": row["main_crop"],
                "confidence": _farm_confidence(row["main_crop"], [parcels[i] for i in mine.get(farm_id, [])]),
                "health": row["health"],
                "vigour": _round(row["vigour"], 2),
                "grade": vigour_grade(row["vigour"]),
                "looks": row["clear_looks"],
                "last": row["last_clear"],
                "value": _interval(row, "value"),
                "currency": row["currency"],
                "flags": _split(row["flags"]),
                "events": sorted({event["event"] for i in mine.get(farm_id, []) for event in parcels[i]["events"]}),
                "outcome": decision["outcome"] if decision else "none",
                "requested": asked.get(farm_id),
                "limit": decision["limit"] if decision else None,
                "limit_currency": decision["currency"] if decision else None,
                "binding": decision["binding_rule"] if decision else None,
                "reasons": _reasons(decision, trail),
                "policy": decision["policy_id"] if decision else None,
                "trail": trail,
            }
        )
    return told


def _page(publication: Path, file: str) -> str | None:
    """Where a farm's page lies, seen from the map page; None where none was made."""
    return f"farms/{file}" if (publication / "report" / "farms" / file).is_file() else None


def _farm_confidence(crop: str | None, parcels: Sequence[Row]) -> float | None:
    """Confidence in a farm's main crop: mean over its stands of that crop, in any slot, by area."""
    stands = [stand for parcel in parcels for stand in parcel["stands"] if stand["crop"] == crop]
    weighed = [(stand["confidence"], stand["mu"][1]) for stand in stands if stand["confidence"] and stand["mu"][1]]
    total = sum(mu for _, mu in weighed)
    return round(sum(confidence * mu for confidence, mu in weighed) / total, 5) if crop and total else None


def _trails(lines: Iterable[Row]) -> dict[str, list[Row]]:
    return {
        line["farm_id"]: [
            {
                "rule": step["rule"],
                "before": step["before"],
                "after": step["after"],
                "code": step["code"],
                "changed": step["changed"],
                "outcome": step.get("outcome"),
                "evidence": _evidence(step),
                "text": [step.get("text_en") or "", step.get("text_zh") or ""],
            }
            for step in line["trail"]
        ]
        for line in lines
    }


def _evidence(step: Row) -> list[list[str]]:
    """What a rule looked at: name and value in both languages; the English one where a trail has no other."""
    chinese = step.get("evidence_zh") or {}
    return [[name, value, chinese.get(name, value)] for name, value in sorted(step.get("evidence", {}).items())]


def _reasons(decision: Row | None, trail: Sequence[Row]) -> list[list[str]]:
    """Reason codes with their words, which are those of the step that gave the code."""
    texts = {step["code"]: step["text"] for step in reversed(trail)}
    return [[code, *texts.get(code, ["", ""])] for code in (decision["reasons"] or [] if decision else [])]


def _rasters(publication: Path, classes: Mapping[str, Sequence[Row]]) -> list[Row]:
    import numpy as np

    from acreline.rasters import web_map

    pictures = []
    for layer in MAP_LAYERS:
        colours = {row["code"]: row["colour"] for row in classes[layer] if row["code"]}
        empty = next((row["code"] for row in classes[layer] if row["slug"] == NO_CROP), 0)
        for path in sorted((publication / "maps").glob(f"*_{layer}.tif")):
            codes, bounds = web_map(path, weak=empty)
            png = base64.b64encode(palette_png(codes, colours)).decode()
            seen = np.flatnonzero(np.bincount(codes.ravel(), minlength=1)).tolist()
            pictures.append({"layer": layer, "png": png, "bounds": [round(b, 7) for b in bounds], "codes": seen})
    return pictures


def tell_totals(farms: Sequence[Row], parcels: Sequence[Row]) -> Row:
    """Counts and sums over farms and parcels, as the page tells both."""
    limits: dict[str, Decimal] = defaultdict(Decimal)
    planted: dict[str, float] = defaultdict(float)
    for farm in farms:
        if farm["limit"] is not None:
            limits[farm["limit_currency"]] += Decimal(farm["limit"])
        planted[farm["crop"] or "unknown"] += farm["planted"][1] or 0.0
    outcomes = {name: sum(farm["outcome"] == name for farm in farms) for name in (*OUTCOMES, "none")}
    return {
        "outcomes": {name: count for name, count in outcomes.items() if count or name != "none"},
        "limits": [[currency, str(total)] for currency, total in sorted(limits.items())],
        "planted": [[crop, round(mu, 1)] for crop, mu in sorted(planted.items(), key=lambda i: (-i[1], i[0]))],
        "statuses": {name: sum(parcel["status"] == name for parcel in parcels) for name in STATUSES},
        "farms": len(farms),
        "parcels": len(parcels),
    }
