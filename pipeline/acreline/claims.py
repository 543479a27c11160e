# SPDX-License-Identifier: Apache-2.0
"""What else speaks against a claim on land: an earlier claim, the land register, water, and the day it was drawn."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.codes import all_codes
from acreline.config import ClaimSettings, SeasonSettings
from acreline.coverage import COVER_ONE
from acreline.curves import clear_looks
from acreline.doors import check_parcels
from acreline.errors import InputError
from acreline.geo import geodesic_area_m2
from acreline.layers import PIXEL_M, UNKNOWN, Looks, Parcels, Seasons
from acreline.records import NO_CROP, NOT_FARMLAND

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

log = logging.getLogger(__name__)

CLAIM_COLUMNS = ("parcel_id", "claim", "figure", "detail")
MIN_EARLIER_M2 = 100.0
"""A smaller cut with an earlier outline is a crossing edge, whatever its share of a small parcel."""
FEWEST_LOOKS = 4
"""Clear looks from which `most of them` means anything."""
MOST = 0.5
GREENEST = 0.75
"""The greenest quarter of a parcel's looks: a flooded paddy hides its water there, a pond does not."""
FEWEST_PX = 2
"""One pixel of wood in a field is a tree, or the network's mistake."""
CHUNK = 100_000


@dataclass(frozen=True)
class Earlier:
    """The parcels of an earlier season's run."""

    parcels: gpd.GeoDataFrame
    """farm_id, parcel_id and outline (lon/lat) of every parcel that the run did not reject."""
    season_end: date


# --- the earlier run ----------------------------------------------------------------------------------------------
def earlier_parcels(run: Path) -> Path:
    """The table of parcels of a finished run: its OUT folder, its `latest`, or a publication itself.

    Raises:
        InputError: there is none.
    """
    for folder in (run / "latest", run):
        if (folder / "manifest.json").is_file() and (folder / "parcels.parquet").is_file():
            return (folder / "parcels.parquet").resolve()
    raise InputError(
        f"previous_run: {run}: no finished run here",
        hint="give the OUT folder of `acreline run`; the path counts from the region file",
    )


def read_earlier(run: Path | None, season: SeasonSettings) -> Earlier | None:
    """Read who claimed which land in an earlier season.

    Args:
        run: folder of a finished run; None: nothing is known of earlier seasons.
        season: of this run.

    Raises:
        InputError: no finished run, its files cannot be read, or its season does not end before this one's.
    """
    if run is None:
        return None
    import geopandas as gpd

    path = earlier_parcels(run)
    try:
        manifest = json.loads((path.parent / "manifest.json").read_text(encoding="utf-8"))
        end = date.fromisoformat(manifest["season"]["end"])
        table = gpd.read_parquet(path)  # type: ignore[no-untyped-call]
        kept = table[table["status"] != "rejected"]
        parcels = kept.rename(columns={"id": "parcel_id"})[["farm_id", "parcel_id", "geometry"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"previous_run: {path.parent}: cannot be read: {type(error).__name__}: {error}",
            hint="see `acreline verify` for what was changed in it, or run that season again",
        ) from error
    if end >= season.end:
        raise InputError(
            f"previous_run: {run}: its season ends on {end}, not before this one's ({season.end})",
            hint="name a run of an earlier season",
        )
    return Earlier(parcels.reset_index(drop=True).set_crs("EPSG:4326", allow_override=True), end)


# --- the claims ---------------------------------------------------------------------------------------------------
def check_claims(
    parcels: Parcels, looks: Looks, seasons: Seasons, earlier: Earlier | None, settings: ClaimSettings
) -> pd.DataFrame:
    """Find what speaks against a claim; nothing is corrected, each finding comes with its figure.

    - claimed_before_by_other: another farm held a part of the parcel in the earlier season (figure: share, 0 to 1).
      Farm ids must mean the same farms in both runs.
    - beyond_registry: drawn larger than the register has it (figure: surplus as a share of the registered area).
    - water_inside: open water on most clear looks, and on the greenest quarter of them as well, which leaves out
      paddies (figure: median share of water pixels over the clear looks, 0 to 1).
    - not_farmland_inside: a part of it is road, roof or wood by the network, which calls its pixels so in both slots
      (figure: the lower of their share and of the mean probability, over full pixels, 0 to 1); of land that is told to
      be nothing else the season speaks.
    - area_disagrees: the ground that its pixels cover is not that of its outline on the ellipsoid: its pixels were not
      all measured, or in a zone that is not that of the place (figure: the difference as a share, signed). In its own
      zone UTM itself is off by -0.1 to 0.2 % of an area.
    - drawn_after_harvest: drawn after the last of its stands was cut; the doubt of that date and some days of grace are
      granted (figure: days after the harvest).

    Args:
        parcels: all rows; rejected ones claim nothing. `drawn_on` (UTC midnight) is optional.
        looks: what was seen up to the day of the decision.
        seasons: harvest dates with their doubt, before anything is taken out of them.
        earlier: parcels of an earlier season, or None.
        settings: from which share or surplus a finding is told.

    Returns:
        one row per parcel and finding, sorted by parcel, the gravest first: parcel_id, claim (a code), figure, detail.
    """
    import pandas as pd

    alive = parcels[parcels["status"] != "rejected"].reset_index(drop=True)
    judged = alive[alive["status"].isin(["ok", "degraded"])]  # of the others nothing that was seen is told
    codes = {
        "claimed_before_by_other": _claimed_before(alive, earlier, settings.earlier_share),
        "drawn_after_harvest": _drawn_late(judged, seasons, settings.grace_days),
        "water_inside": _water_inside(judged, looks, settings.water_share),
        "not_farmland_inside": _not_farmland_inside(judged, looks, seasons, settings.not_farmland_share),
        "area_disagrees": _area_disagrees(judged, looks, settings.area_tolerance),
        "beyond_registry": _beyond_registry(alive, settings.registry_tolerance),
    }
    if earlier is not None and 2 * len(codes["claimed_before_by_other"]) > len(alive) > 0:
        log.warning("most parcels belonged to another farm in the earlier run: do its farm ids mean the same farms?")
    weight = {code: k for k, code in enumerate(all_codes())}
    table = pd.concat([rows.assign(claim=code) for code, rows in codes.items()], ignore_index=True)
    table["weight"] = table["claim"].map(weight)
    table = table.sort_values(["parcel_id", "weight"], kind="stable").reset_index(drop=True)
    kinds = {"parcel_id": "string", "claim": "string", "figure": "float64", "detail": "string"}
    return table[list(CLAIM_COLUMNS)].astype(kinds)


def note_claims(parcels: Parcels, claims: pd.DataFrame) -> Parcels:
    """Write each finding to its parcel: a measured one becomes `degraded`, the gravest of its doubts its reason.

    The others, and those of a parcel that is not judged, stand in `detail` as `was <code>` with their words.
    """
    import pandas as pd

    if claims.empty:
        return parcels
    weight = {code: k for k, code in enumerate(all_codes())}
    table = parcels.copy()
    status, reason, detail = (table[name].to_numpy(dtype=object).copy() for name in ("status", "reason", "detail"))
    place = {str(name): i for i, name in enumerate(table["parcel_id"]) if status[i] != "rejected"}
    for name, rows in claims.groupby("parcel_id", sort=True):
        i = place[str(name)]
        found = [(str(code), str(words)) for code, words in zip(rows["claim"], rows["detail"], strict=True)]
        before = reason[i] if isinstance(reason[i], str) and reason[i] else None
        said = [detail[i]] if isinstance(detail[i], str) and detail[i] else []
        if status[i] in ("ok", "degraded"):
            (code, words), graver = found[0], before is None or weight[found[0][0]] < weight.get(before, len(weight))
            status[i] = "degraded"
            if graver:
                reason[i], found = code, found[1:]
                said = [words, *([f"was {before}"] if before else []), *said]
        detail[i] = "; ".join([*said, *(f"was {code}; {words}" for code, words in found)])
    for column, values in (("status", status), ("reason", reason), ("detail", detail)):
        table[column] = pd.Series(values, index=table.index, dtype=object)  # None must stay None
    return check_parcels(table)


def _rows(parcel_id: Any, figure: Any, detail: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "parcel_id": np.asarray(parcel_id, dtype=object),
            "figure": np.asarray(figure, dtype="float64"),
            "detail": np.asarray(list(detail), dtype=object),
        }
    )


def _claimed_before(parcels: gpd.GeoDataFrame, earlier: Earlier | None, least_share: float) -> pd.DataFrame:
    """Ground that another farm held in the earlier season; of several farms the one with the most is told."""
    import geopandas as gpd
    import pandas as pd
    import shapely

    if earlier is None or len(parcels) == 0:
        return _rows([], [], [])
    mine, theirs = parcels.geometry.to_numpy(), earlier.parcels.geometry.to_numpy()
    row, other = shapely.STRtree(theirs).query(mine, predicate="intersects")
    owner = earlier.parcels["farm_id"].to_numpy(dtype=object)
    foreign = parcels["farm_id"].to_numpy(dtype=object)[row] != owner[other]
    row, other = row[foreign], other[foreign]
    shared_m2 = np.zeros(len(row))
    for start in range(0, len(row), CHUNK):
        part = slice(start, start + CHUNK)
        common = shapely.intersection(mine[row[part]], theirs[other[part]])
        shared_m2[part] = geodesic_area_m2(gpd.GeoSeries(list(common), crs="EPSG:4326"))
    table = pd.DataFrame({"row": row, "farm": owner[other].astype(str), "shared_m2": shared_m2})
    by_farm = table.groupby(["row", "farm"])["shared_m2"].sum().reset_index()
    area_m2 = parcels["area_m2"].to_numpy(dtype="float64")[by_farm["row"].to_numpy()]
    # To a ten-thousandth: the last bits of an intersection must not decide which farm is told.
    by_farm["share"] = (by_farm["shared_m2"] / area_m2).clip(upper=1.0).round(4)
    by_farm = by_farm[(by_farm["share"] >= least_share) & (by_farm["shared_m2"] >= MIN_EARLIER_M2)]
    by_farm = by_farm.sort_values(["row", "share", "farm"], ascending=[True, False, True], kind="stable")
    more = by_farm.groupby("row")["farm"].transform("size") - 1
    first = ~by_farm["row"].duplicated()
    top, more = by_farm[first], more[first]
    words = (
        f"in the season to {earlier.season_end} {share:.1%} of it lay with farm {farm}"
        + (f", and parts with {rest} more" if rest else "")
        for share, farm, rest in zip(top["share"], top["farm"], more, strict=True)
    )
    return _rows(parcels["parcel_id"].to_numpy()[top["row"].to_numpy(dtype="int64")], top["share"], words)


def _beyond_registry(parcels: gpd.GeoDataFrame, tolerance: float) -> pd.DataFrame:
    """Parcels drawn larger than the land register has them."""
    drawn, registered = (parcels[name].to_numpy(dtype="float64") for name in ("area_m2", "registry_area_m2"))
    with np.errstate(invalid="ignore", divide="ignore"):
        surplus = drawn / registered - 1
    hit = surplus > tolerance
    words = (
        f"drawn {a:.0f} m2, registered {b:.0f} m2 ({more:+.1%})"
        for a, b, more in zip(drawn[hit], registered[hit], surplus[hit], strict=True)
    )
    return _rows(parcels["parcel_id"].to_numpy()[hit], surplus[hit], words)


def _water_inside(parcels: gpd.GeoDataFrame, looks: Looks, least_share: float) -> pd.DataFrame:
    """Parcels of which a good part is water on most of their clear looks, at their greenest too."""
    table = clear_looks(looks)
    table = table[table["parcel_id"].isin(parcels["parcel_id"])]
    green = table.groupby("parcel_id")["ndvi"].rank(pct=True, method="max") > GREENEST
    table = table.assign(wet=table["water"] >= least_share, wet_when_green=table["water"].where(green))
    found = table.groupby("parcel_id").agg(
        looks=("wet", "size"), wet=("wet", "sum"), share=("water", "median"), green=("wet_when_green", "median")
    )
    hit = (found["looks"] >= FEWEST_LOOKS) & (found["wet"] > MOST * found["looks"]) & (found["green"] >= least_share)
    found = found[hit]
    words = (
        f"water on {wet} of {count} clear looks, {share:.0%} of its pixels in the middle of them"
        for wet, count, share in zip(found["wet"], found["looks"], found["share"], strict=True)
    )
    return _rows(found.index.to_numpy(dtype=object), found["share"].round(4), words)


def _not_farmland_inside(parcels: gpd.GeoDataFrame, looks: Looks, seasons: Seasons, least_share: float) -> pd.DataFrame:
    """Parcels with roads, roofs or woods on a part of their full pixels, where they are farmland at all."""
    whole = seasons.loc[seasons["crop"] == NOT_FARMLAND, "parcel_id"]
    mine = parcels.loc[~parcels["parcel_id"].isin(whole), "parcel_id"]
    full = looks.land.set_index("parcel_id")["n_full"]
    said = looks.evidence[(looks.evidence["head"] == "land") & (looks.evidence["cls"] == "not_farmland")]
    said = said[said["parcel_id"].isin(mine)]
    count = full.reindex(said["parcel_id"]).to_numpy(dtype="float64")
    px = said["n_px"].to_numpy(dtype="int64")
    share = np.minimum(
        px / np.maximum(count, 1), said["prob"].to_numpy(dtype="float64") / np.maximum(count, 1) / 10_000
    )
    hit = (share >= least_share) & (px >= FEWEST_PX)
    words = (
        f"road, roof or wood on {n} of {of:.0f} full pixels ({part:.0%} by probability)"
        for n, of, part in zip(px[hit], count[hit], share[hit], strict=True)
    )
    return _rows(said["parcel_id"].to_numpy()[hit], share[hit].round(4), words)


def _area_disagrees(parcels: gpd.GeoDataFrame, looks: Looks, tolerance: float) -> pd.DataFrame:
    """Parcels of which pixels cover more or less ground than their outline has."""
    drawn = parcels["area_m2"].to_numpy(dtype="float64")
    cover = looks.land.set_index("parcel_id")["cover"].reindex(parcels["parcel_id"])
    covered = cover.to_numpy(dtype="float64") * (PIXEL_M**2 / COVER_ONE)
    with np.errstate(invalid="ignore", divide="ignore"):
        more = covered / drawn - 1
    hit = np.abs(more) > tolerance
    words = (
        f"drawn {a:.0f} m2, its pixels cover {b:.0f} m2 ({share:+.1%})"
        for a, b, share in zip(drawn[hit], covered[hit], more[hit], strict=True)
    )
    return _rows(parcels["parcel_id"].to_numpy()[hit], more[hit].round(4), words)


def _drawn_late(parcels: gpd.GeoDataFrame, seasons: Seasons, grace_days: int) -> pd.DataFrame:
    """Parcels whose outline is younger than their harvest; where a stand is not known to be cut, nothing is said."""
    import pandas as pd

    if "drawn_on" not in parcels.columns:
        return _rows([], [], [])
    stands = seasons[~seasons["crop"].isin([UNKNOWN, NO_CROP])]
    cut = stands["harvest"]
    doubt = pd.to_timedelta(stands["harvest_doubt_days"].astype("float64").fillna(0), unit="D")
    rows = pd.DataFrame({"parcel_id": stands["parcel_id"], "cut": cut, "latest": cut + doubt, "standing": cut.isna()})
    by_parcel = rows.groupby("parcel_id").agg(
        cut=("cut", "max"), latest=("latest", "max"), standing=("standing", "any")
    )
    by_parcel = by_parcel[~by_parcel["standing"]]
    drawn = parcels[["parcel_id", "drawn_on"]].merge(by_parcel, left_on="parcel_id", right_index=True, how="inner")
    late = drawn[drawn["drawn_on"] > drawn["latest"] + pd.Timedelta(days=grace_days)]
    days = (late["drawn_on"] - late["cut"]) / pd.Timedelta(days=1)
    words = (
        f"drawn on {drawn_on:%Y-%m-%d}, {count:.0f} days after the harvest of about {cut:%Y-%m-%d}"
        for drawn_on, count, cut in zip(late["drawn_on"], days, late["cut"], strict=True)
    )
    return _rows(late["parcel_id"], days, words)
