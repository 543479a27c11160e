# SPDX-License-Identifier: Apache-2.0
"""What struck a field, when, and how sure we are: one file per detector, found by its name.

A detector is a module of this folder with a frozen settings model `Settings`, the names of what looks alike
(`CONFOUNDERS`), and `detect(looks, seasons, health, weather, known, settings) -> DataFrame` with the columns of
`EVENT_COLUMNS`.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from acreline.config import Settings
from acreline.doors import check_events
from acreline.errors import ConfigError, InputError
from acreline.layers import EVENT_COLUMNS, Events, Health, Looks, Seasons, Weather

if TYPE_CHECKING:
    import pandas as pd

KNOWN_COLUMNS = ("parcel_id", "event", "start", "end")


def list_detectors() -> list[str]:
    """Names of the event detectors there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def check_detectors(detectors: Sequence[str]) -> None:
    """Refuse a name that is no detector.

    Raises:
        ConfigError: no such detector, or one is named twice; the hint lists what there is.
    """
    known = list_detectors()
    for name in detectors:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            nearest = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(f"events: {name!r} is not known", hint=f"{nearest}known: {', '.join(known)}")
    if len(set(detectors)) != len(detectors):
        raise ConfigError(f"events: a detector stands twice in {list(detectors)}", hint="name each detector once")


def detect_events(
    looks: Looks,
    seasons: Seasons,
    health: Health,
    detectors: Sequence[str],
    weather: Weather | None = None,
    known: pd.DataFrame | None = None,
    settings: Mapping[str, Settings] | None = None,
) -> Events:
    """Look for the named kinds of event in every field's looks.

    Args:
        looks: what was seen.
        seasons: crop and dates of each parcel.
        health: grades of each parcel.
        detectors: names of the detectors to run; the order does not matter.
        weather: daily weather or None.
        known: reported events, columns parcel_id (missing: the whole region), event, start, end, and the share of the
            parcel that was hit; or None.
        settings: a detector's own settings in place of its defaults, by name.

    Returns:
        one row per (parcel, event, start), sorted: start and end are the first and last look that show it; share of the
        parcel and severity 0 to 1; `confirmed` where weather, a report or the network's own class of the field agrees;
        `evidence` a JSON list of passes; code outside_growth where nothing that grows was hit, suspected where
        nothing but the rule says so, reported_only where a parcel was reported and no sign of it was seen (severity 0).

    Raises:
        ConfigError: a detector is not known.
        InputError: the table of known events lacks a column.
    """
    import pandas as pd

    check_detectors(detectors)
    if known is not None:
        missing = [name for name in KNOWN_COLUMNS if name not in known.columns]
        if missing:
            raise InputError(
                f"known events: columns {missing} are missing; found {list(known.columns)}",
                hint=f"a table of known events has the columns {', '.join(KNOWN_COLUMNS)}",
            )
    tables = [empty_events()]
    for name in sorted(detectors):
        detector = find_detector(name)
        chosen = (settings or {}).get(name) or detector.Settings()
        tables.append(detector.detect(looks, seasons, health, weather, known, chosen))
    filled = [table for table in tables if len(table)] or tables[:1]
    found = pd.concat(filled, ignore_index=True)[list(EVENT_COLUMNS)].astype(empty_events().dtypes.to_dict())
    found = _hear_network(found, health)
    if known is not None:
        unseen = _unseen_reports(found, known, seasons)
        found = pd.concat([found, unseen], ignore_index=True) if len(unseen) else found
    return check_events(found.sort_values(["parcel_id", "event", "start"], kind="stable").reset_index(drop=True))


def _hear_network(events: pd.DataFrame, health: Health) -> pd.DataFrame:
    """Rules and network side by side: an event that both name is confirmed; what nobody seconds is suspected."""
    said = health[["parcel_id", "health"]].drop_duplicates().rename(columns={"health": "event"})
    said = said.astype({"parcel_id": "string", "event": "string"}).assign(seconded=True)
    seconded = events[["parcel_id", "event"]].merge(said, on=["parcel_id", "event"], how="left")["seconded"]
    events["confirmed"] |= seconded.notna().to_numpy()
    alone = ~events["confirmed"].to_numpy(dtype=bool) & events["code"].isna().to_numpy()
    events.loc[alone, "code"] = "suspected"
    return events


def _unseen_reports(found: pd.DataFrame, known: pd.DataFrame, seasons: Seasons) -> pd.DataFrame:
    """Reports of single parcels of which no sign was seen, as events of their own."""
    import pandas as pd

    from acreline.curves import UTC_MS

    reports = known[known["parcel_id"].notna()].reset_index(drop=True)
    reports = reports[reports["parcel_id"].isin(seasons["parcel_id"])].astype({"parcel_id": "string"})
    for name in ("start", "end"):
        reports[name] = pd.to_datetime(reports[name], utc=True).astype(UTC_MS)
    reports = reports.reset_index(drop=True).reset_index(names="report")
    pairs = reports.merge(found, on=["parcel_id", "event"], suffixes=("", "_seen"))
    met = pairs[(pairs["start_seen"] <= pairs["end"]) & (pairs["end_seen"] >= pairs["start"])]["report"]
    left = reports[~reports["report"].isin(met)]
    share = left.get("share", 1.0)
    rows = left[["parcel_id", "event", "start", "end"]].assign(
        share=share, severity=0.0, confirmed=False, evidence="[]", code="reported_only"
    )
    rows = rows.drop_duplicates(["parcel_id", "event", "start"])
    return rows[list(EVENT_COLUMNS)].astype(empty_events().dtypes.to_dict())


def confounders(name: str) -> tuple[str, ...]:
    """What else an event of a kind could be."""
    names: tuple[str, ...] = find_detector(name).CONFOUNDERS
    return names


def find_detector(name: str) -> ModuleType:
    """The module of one detector."""
    return importlib.import_module(f"{__name__}.{name}")


def empty_events() -> pd.DataFrame:
    """A table of events without rows."""
    from acreline.curves import empty_table

    return empty_table(
        {
            "parcel_id": "string",
            "event": "string",
            "start": "datetime64[ms, UTC]",
            "end": "datetime64[ms, UTC]",
            "share": "float64",
            "severity": "float64",
            "confirmed": "bool",
            "evidence": "string",
            "code": "string",
        }
    )
