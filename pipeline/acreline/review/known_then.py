# SPDX-License-Identifier: Apache-2.0
"""What the decisions of a run rest on, gathered from its publication and from the files its region names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.claims import earlier_parcels
from acreline.config import Region, packaged_crops, provider_of
from acreline.desk import read_farms
from acreline.errors import StoreError
from acreline.events import list_detectors
from acreline.lineage import read_lineage
from acreline.parcels import read_parcels
from acreline.plan import named_file
from acreline.records import Farm
from acreline.regional import (
    EVENT_COLUMNS,
    EVENT_TEXT,
    NORMAL_COLUMNS,
    STATISTIC_COLUMNS,
    TABLES,
    read_known_events,
    read_statistics,
)
from acreline.review.compare import records
from acreline.review.leaks import Evidence
from acreline.sheets import read_sheet
from acreline.store import read_manifest

if TYPE_CHECKING:
    import pandas as pd

FROM_DAY = re.compile(r"; from (\d{4}-\d{2}-\d{2})(?: 00:00:00)?$")
"""At the end of the source of a dated price or cost (`prices.with_prices`)."""
YEAR = re.compile(r"(?:19|20)\d\d")
SIMULATED_ORIGIN = "acreline simulate"


def gather_evidence(region: Region, publication: Path, outcomes: pd.DataFrame | None = None) -> Evidence:
    """The evidence of a publication's decisions, read again and apart from the run that made it.

    What a run took from a dated table is found again among the rows of the file: a figure in force without a row that
    was published by the day is a leak.

    Args:
        region: settings with which it was run.
        publication: its folder.
        outcomes: farm_id, known_on and, of loans, defaulted; of this season alone.

    Raises:
        StoreError: a table of the publication is missing.
        InputError: a file that the region names cannot be read.
    """
    head, lineage = read_manifest(publication), read_lineage(publication)
    farms, day = read_farms(publication)
    text = lineage["policy"]["text"]
    end = text.get("valid_to")
    policy = {"id": text["id"], "version": lineage["policy"]["version"],
              "valid_from": date.fromisoformat(text["valid_from"]),
              "valid_to": None if end is None else date.fromisoformat(end)}  # fmt: skip
    return Evidence(
        day=day,
        season=(region.season.start, region.season.end),
        lag_days=provider_of(region, head.get("provider")).lag_days,
        policy=policy,
        scenes=_table(publication, "scenes"),
        looks=_table(publication, "looks")[["parcel_id", "time"]],
        farms=_table(publication, "farms")[["farm_id", "last_clear"]],
        decisions=_table(publication, "decisions")[["farm_id", "as_of", "policy_id"]],
        events=_table(publication, "events")[["event", "parcel_id", "start"]],
        weather=_weather(region, day),
        prices=_dated(lineage["crops"], "price_per_kg"),
        costs=_dated(lineage["crops"], "cost"),
        statistics=_statistics(region, day),
        known_events=_known_events(region, day),
        normals=_sheet(named_file(region, "normals"), "normals", NORMAL_COLUMNS),
        parcels=_drawn(region),
        applicants=_sheet(named_file(region, "applicants"), "applicants", ("farm_id",)),
        features=_features(farms),
        outcomes=outcomes,
        earlier=_earlier(region),
        learned=_learned(region),
        model=f"{head['model']['name']}@{head['model']['version']}",
    )


def _table(publication: Path, name: str) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(publication / f"{name}.parquet")
    except (OSError, ValueError) as error:
        raise StoreError(f"{publication}: {name} cannot be read: {error}", hint="see `acreline verify`") from error


def _sheet(path: Path | None, key: str, columns: Sequence[str]) -> pd.DataFrame | None:
    return None if path is None else read_sheet(path, key, columns)


def _weather(region: Region, day: date) -> pd.DataFrame | None:
    """Days of weather that the run itself took in."""
    from acreline.weather import read_weather

    read = read_weather(named_file(region, "weather"), as_of=day)
    return None if read is None else read.daily[["date"]]


def _dated(crops: Mapping[str, Any], name: str) -> pd.DataFrame:
    """Crops whose price or cost in force comes from a dated table, with its day."""
    import pandas as pd

    rows = []
    for slug, values in crops.items():
        figure = values.get(name) or {}
        source = str((figure.get("per_ha") or figure).get("source", ""))
        told = FROM_DAY.search(source)
        if told:
            rows.append((slug, told[1]))
    return pd.DataFrame(rows, columns=["crop", "valid_from"])


def _statistics(region: Region, day: date) -> pd.DataFrame | None:
    """Rows of the file that say what the run took as the newest harvest of each crop, the first published of them."""
    import pandas as pd

    path = named_file(region, "statistics")
    table = _sheet(path, "statistics", STATISTIC_COLUMNS)
    taken = read_statistics(path, packaged_crops(), as_of=day, county=region.county)
    if table is None or not taken:
        return None
    rows = []
    for crop, (value, _) in taken.items():
        same = table[(table["crop"] == crop) & (table["yield_kg_per_ha"].astype("float64") == value)]
        first = same.sort_values("valid_from", kind="stable").iloc[0]
        rows.append((crop, int(float(first["year"])), str(first["valid_from"])[:10]))
    return pd.DataFrame(rows, columns=["crop", "year", "valid_from"])


def _known_events(region: Region, day: date) -> pd.DataFrame | None:
    """Reports that the run took in, with the day since which each is known; of outlines, where the file says it."""
    path = named_file(region, "known_events")
    if path is None:
        return None
    taken = read_known_events(path, read_parcels(region.parcels), list_detectors(), as_of=day)
    if taken is None or path.suffix not in TABLES:
        return None
    raw = read_sheet(path, "known_events", EVENT_COLUMNS, text=EVENT_TEXT)
    raw = raw.assign(valid_from=raw.get("valid_from"))
    keys = {(row["event"], f"{row['start']:%Y-%m-%d}", f"{row['end']:%Y-%m-%d}") for row in records(taken)}
    names = zip(raw["event"], raw["start"].str[:10], raw["end"].str[:10], strict=True)
    told: pd.DataFrame = raw[[name in keys for name in names]][["event", "start", "end", "valid_from"]]
    return told


def _drawn(region: Region) -> pd.DataFrame | None:
    parcels = read_parcels(region.parcels)
    return parcels[["parcel_id", "drawn_on"]] if "drawn_on" in parcels else None


def _features(farms: Sequence[Farm]) -> pd.DataFrame:
    """Numbers of each farm that a rule may look at."""
    import pandas as pd

    rows = []
    for farm in farms:
        asked = farm.applicant
        rows.append(
            {
                "farm_id": farm.farm_id,
                "planted_m2": farm.planted_m2.mid,
                "value_mid": None if farm.value is None else farm.value.mid,
                "vigour": farm.vigour,
                "clear_looks": farm.clear_looks,
                **{
                    name: None if asked is None else _number(getattr(asked, name))
                    for name in ("requested", "existing_debt", "record_years", "insured_sum", "household_need",
                                 "previous_limit")
                },
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _earlier(region: Region) -> dict[str, date] | None:
    if region.previous_run is None:
        return None
    head = read_manifest(earlier_parcels(region.previous_run).parent)
    return {"as_of": date.fromisoformat(head["as_of"]), "season_end": date.fromisoformat(head["season"]["end"])}


def _learned(region: Region) -> tuple[tuple[str, int], ...]:
    """Real land that the model learned from, with the harvest year in its name; drawn counties are of no year."""
    from acreline.model import load_model

    card = load_model(region.model, region.file.parent if region.file else None).card
    found = []
    for source in card.data:
        if source.origin != SIMULATED_ORIGIN:
            years = [int(year) for year in YEAR.findall(source.name)]
            found += [(source.name, max(years))] if years else []
    return tuple(found)
