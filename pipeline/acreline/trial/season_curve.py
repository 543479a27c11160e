# SPDX-License-Identifier: Apache-2.0
"""A region told again as it was known at the end of each month: what can be said in April, and what in October."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.config import Region, SeasonSettings, packaged_crops
from acreline.errors import InputError
from acreline.plan import decision_day
from acreline.run import run_region
from acreline.store import Store
from acreline.trial.beside_truth import acreage_beside, farm_land, harvests, nrmse, told_land
from acreline.trial.curves_drawn import lines
from acreline.trial.page import render_page

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int, str], None]
Tables = Mapping[str, "pd.DataFrame"]

FIRST_DAYS = 120
"""Before this many days of a season there is hardly anything to be told."""
COLUMNS = (
    "as_of", "scenes", "parcels", "judged_share", "told_share", "crop_accuracy", "crop_n", "area_error", "area_n",
    "yield_error", "yield_n", "farms", "decided_share",
)  # fmt: skip
SHARES = {
    "judged_share": "parcels judged",
    "told_share": "parcels whose crop is told",
    "crop_accuracy": "crops told right",
    "decided_share": "farms decided",
}
ERRORS = {"area_error": "planted land of farms", "yield_error": "harvest of stands"}


@dataclass(frozen=True)
class SeasonCurve:
    """Where the curve of a season lies."""

    rows: list[dict[str, Any]]
    """One a date, `COLUMNS`."""
    table: Path
    page: Path


def draw_curve(
    region: Region,
    out: Path,
    *,
    truth: Path | None = None,
    days: Sequence[date] | None = None,
    progress: Progress | None = None,
) -> SeasonCurve:
    """Run a region as of the end of each month and lay every answer beside the truth, or beside the last one.

    Args:
        region: the region file's settings; what was not known on a day takes no part (`acreline run --as-of`).
        out: folder; the runs lie in `out/runs`, and those that are done are kept.
        truth: folder with `parcels.parquet` (parcel_id, farm_id, slot, class, planted_m2) and `yields.parquet`
            (parcel_id, slot, crop, yield_kg_per_ha), as `acreline simulate` leaves it. None: the last date's own word
            is the measure, and the curve tells how soon it was said, not whether it is right.
        days: instead of the ends of months until the region's day of decision.
        progress: called with (dates done, dates in all, date).

    Returns:
        the rows, `curve.csv` and `index.html` in `out`. crop_accuracy: share of the stands told with one crop that are
        of it; area_error: mean of |told / true - 1| over farms above 1 ha; yield_error: NRMSE over stands of crops
        whose harvest is modelled; None where nothing could be compared.

    Raises:
        AcrelineError: a run as a whole cannot go on.
        InputError: the truth is missing or lacks columns.
    """
    told_truth = None if truth is None else read_truth(truth)
    plain = region.model_copy(update={"farm_pages": 0})
    chosen = list(days) if days else month_ends(region.season, decision_day(region))
    publications = []
    for done, day in enumerate(chosen):
        if progress is not None:
            progress(done, len(chosen), str(day))
        store = Store(out / "runs" / str(day))
        with store.locked(f"curve-{day}", str(day)):
            publications.append(run_region(plain, store, as_of=day).publication)
    tables = [_tables(publication) for publication in publications]
    measure = told_truth or own_word(tables[-1])
    rows = [row_of(day, table, measure) for day, table in zip(chosen, tables, strict=True)]
    return _write(region, rows, out, simulated=_simulated(publications[-1]), truth=truth is not None)


def month_ends(season: SeasonSettings, until: date) -> list[date]:
    """Ends of the season's months from its 120th day on, and its last day; none later than a day, which is the last.

    Args:
        season: of the region.
        until: the day of decision: of what lies after it nothing is known.

    Raises:
        InputError: the day lies before the season.
    """
    if until < season.start:
        raise InputError(
            f"curve: the day of decision {until} lies before the season, which starts on {season.start}",
            hint="mend `as_of:` of the region file, or wait until the season has begun",
        )
    last = min(season.end, until)
    days, day = [], season.start + timedelta(days=FIRST_DAYS)
    while day < last:
        end = (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        if end < last:
            days.append(end)
        day = end + timedelta(days=1)
    return [*days, last]


def read_truth(folder: Path) -> dict[str, pd.DataFrame]:
    """Tables of what is true: `parcels`, `yields` and `land` (farm_id, planted_m2).

    Raises:
        InputError: a table is missing or lacks columns.
    """
    import pandas as pd

    needed = {
        "parcels": ("parcel_id", "farm_id", "slot", "crop", "class", "planted_m2"),
        "yields": ("parcel_id", "slot", "crop", "yield_kg_per_ha"),
    }
    out = {}
    for name, columns in needed.items():
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise InputError(f"{path}: no such table", hint="a truth folder has parcels.parquet and yields.parquet")
        out[name] = pd.read_parquet(path)
        missing = [column for column in columns if column not in out[name].columns]
        if missing:
            raise InputError(
                f"{path}: columns {missing} are missing; found {list(out[name].columns)}",
                hint=f"it has the columns {', '.join(columns)}",
            )
    classes = out["parcels"].drop_duplicates("crop").set_index("crop")["class"]
    out["yields"] = out["yields"].assign(**{"class": classes.reindex(out["yields"]["crop"]).to_numpy()})
    out["land"] = farm_land(out["parcels"]).rename("planted_m2").rename_axis("farm_id").reset_index()
    return out


def own_word(tables: Tables) -> dict[str, pd.DataFrame]:
    """What a publication says, in the shape of a truth.

    Crops and harvests are those of the stands that are told with one crop; land is what its farms have planted,
    whatever grows on it.
    """
    stands = tables["stands"]
    sure = stands[~stands["crop_set"].str.contains("|", regex=False) & (stands["crop"] != "unknown")]
    told = sure.rename(columns={"area_m2_mid": "planted_m2"}).assign(**{"class": sure["crop"]})
    yields = told.assign(yield_kg_per_ha=told["yield_kg_per_ha_mid"]).dropna(subset=["yield_kg_per_ha"])
    land = told_land(tables["farms"]).rename("planted_m2").reset_index()
    return {"parcels": told, "yields": yields, "land": land}


def row_of(day: date, tables: Tables, truth: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """One date beside the truth."""
    parcels, stands, decisions = tables["parcels"], tables["stands"], tables["decisions"]
    judged = parcels["status"].isin(["ok", "degraded"])
    told = stands[~stands["crop_set"].fillna("").str.contains("|", regex=False) & (stands["crop"] != "unknown")]
    true = truth["parcels"].drop_duplicates(["parcel_id", "slot"], keep=False)
    both = told.merge(true, on=["parcel_id", "slot"], suffixes=("", "_true"))
    land = truth["land"].set_index("farm_id")["planted_m2"]
    acreage = acreage_beside(land, tables["farms"], parcels)["error"]
    grain = [slug for slug, crop in packaged_crops().items() if crop.modelled_yield]
    harvest = harvests(truth["yields"], told, grain)
    return {
        "as_of": str(day),
        "scenes": int((tables["scenes"]["status"] == "used").sum()),
        "parcels": len(parcels),
        "judged_share": _share(judged),
        "told_share": _share(parcels["id"].isin(told["parcel_id"]) & judged),
        "crop_accuracy": _share(both["crop"] == both["class"]),
        "crop_n": len(both),
        "area_error": round(float(np.abs(acreage).mean()), 4) if len(acreage) else None,
        "area_n": len(acreage),
        "yield_error": round(nrmse(harvest), 4) if len(harvest) else None,
        "yield_n": len(harvest),
        "farms": len(decisions),
        "decided_share": _share(decisions["outcome"] != "refer"),
    }


def _share(holds: pd.Series[bool]) -> float | None:
    return round(float(holds.mean()), 4) if len(holds) else None


def _tables(publication: Path) -> dict[str, pd.DataFrame]:
    import pandas as pd

    names = ("parcels", "stands", "farms", "decisions", "scenes")
    return {name: pd.read_parquet(publication / f"{name}.parquet") for name in names}


def _simulated(publication: Path) -> bool:
    from acreline.store import read_manifest

    return bool(read_manifest(publication).get("simulated"))


def _write(region: Region, rows: list[dict[str, Any]], out: Path, *, simulated: bool, truth: bool) -> SeasonCurve:
    import pandas as pd

    table, page = out / "curve.csv", out / "index.html"
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(table, index=False, lineterminator="\n")
    page.write_text(render_curve(region.name, rows, simulated=simulated, truth=truth), encoding="utf-8", newline="\n")
    return SeasonCurve(rows, table, page)


def render_curve(name: str, rows: Sequence[Mapping[str, Any]], *, simulated: bool, truth: bool) -> str:
    """The page of a curve; same rows, same bytes."""
    place = {row["as_of"]: (k + 0.5) / len(rows) for k, row in enumerate(rows)}
    ticks = [(x, day[5:]) for day, x in place.items()]
    if len(ticks) > 7:
        ticks = ticks[:: -(-len(ticks) // 7)]

    def drawn(columns: Mapping[str, str]) -> dict[str, Any] | None:
        named = [(words, [(place[row["as_of"]], min(float(row[column]), 1.0)) for row in rows
                          if row[column] is not None]) for column, words in columns.items()]  # fmt: skip
        return lines(named, ticks, low=0.0)

    return render_page(
        "season_curve.html.j2", "report.css", "four_tests.css", name=name, rows=rows, shares=drawn(SHARES),
        errors=drawn(ERRORS), simulated=simulated, truth=truth,
    )  # fmt: skip


def curve_lines(rows: Sequence[Mapping[str, Any]], *, truth: bool) -> list[str]:
    """The curve in a few lines for a terminal; `truth`: whether the dates were held against one."""
    out = (
        []
        if truth
        else ["no --truth: held against the last date's own word, how soon it was said, not whether it is right"]
    )
    out += ["as of        judged  told  right   area error  harvest error  decided"]
    for row in rows:
        numbers = [row[name] for name in ("judged_share", "told_share", "crop_accuracy", "area_error", "yield_error",
                                          "decided_share")]  # fmt: skip
        words = ["   –" if number is None else f"{number:4.0%}" for number in numbers]
        out.append("{}  {:>6}  {:>5} {:>5}  {:>9}  {:>12}  {:>9}".format(row["as_of"], *words))
    return out
