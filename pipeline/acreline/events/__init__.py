# SPDX-License-Identifier: Apache-2.0
"""What struck a field, when, and how sure we are: one file per detector, found by its name.

A detector is a module of this folder with a frozen settings model `Settings`, the names of what looks alike
(`CONFOUNDERS`, in words in `acreline.confounders`), and `detect(land, settings) -> DataFrame` with the columns of
`EVENT_COLUMNS`, `confirmed` where the weather agrees. Reports and the network are heard here, for all kinds alike.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from acreline.config import Settings
from acreline.confounders import CONFOUNDER_WORDS
from acreline.doors import check_events
from acreline.errors import ConfigError, InputError
from acreline.events._runs import Land, as_events, reported
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
        detectors: names of the detectors to run, and the kinds of which the network is heard; the order does not
            matter.
        weather: daily weather or None.
        known: reported events, columns parcel_id (missing: the whole region), event, start, end, and the share of the
            parcel that was hit; or None.
        settings: a detector's own settings in place of its defaults, by name.

    Returns:
        one row per (parcel, event, start), sorted: start and end are the first and last look that show it, not_before
        the clear look before that did not, where there is one; share of the parcel and severity 0 to 1; could_be what
        else it could be; `confirmed` where weather, a report or the network's own class of the field agrees;
        `evidence` a JSON list of passes; code outside_growth where nothing that grows was hit, suspected where nothing
        else says so, reported_only where a parcel was reported and no sign of it was seen (severity 0), network_only
        where the network alone names a kind that was looked for: it tells neither day nor severity, so start and end
        are the parcel's last look, severity is 0, and share is that of the pixels which it gives to the kind.

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
    land = Land(looks, seasons, weather)
    tables = [empty_events()]
    for name in sorted(detectors):
        detector = find_detector(name)
        chosen = (settings or {}).get(name) or detector.Settings()
        tables.append(detector.detect(land, chosen).assign(could_be="|".join(detector.CONFOUNDERS)))
    filled = [table for table in tables if len(table)] or tables[:1]
    found = pd.concat(filled, ignore_index=True)[list(EVENT_COLUMNS)].astype(empty_events().dtypes.to_dict())
    found["confirmed"] |= reported(found, known) | _seconded(found, health)
    alone = ~found["confirmed"].to_numpy(dtype=bool) & found["code"].isna().to_numpy()
    found.loc[alone, "code"] = "suspected"
    if known is not None:
        found = _join(found, _unseen_reports(found, known, seasons, health))
    found = _join(found, _network_alone(found, land, health, detectors))
    return check_events(found.sort_values(["parcel_id", "event", "start"], kind="stable").reset_index(drop=True))


def _join(events: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([events, more], ignore_index=True) if len(more) else events


def _named(health: Health) -> pd.DataFrame:
    """What the network calls each parcel, as (parcel_id, event)."""
    said = health[["parcel_id", "health"]].drop_duplicates().rename(columns={"health": "event"})
    return said.astype({"parcel_id": "string", "event": "string"})


def _seconded(events: pd.DataFrame, health: Health) -> npt.NDArray[np.bool_]:
    """Rules and network side by side: the events that the network names as well."""
    both = events[["parcel_id", "event"]].merge(_named(health), on=["parcel_id", "event"], how="left", indicator="by")
    seconded: npt.NDArray[np.bool_] = (both["by"] == "both").to_numpy(dtype=bool)
    return seconded


def _unseen_reports(found: pd.DataFrame, known: pd.DataFrame, seasons: Seasons, health: Health) -> pd.DataFrame:
    """Reports of single parcels that no rule agrees with, as events of their own; the network may confirm them."""
    from acreline.curves import dates_of, join_codes

    reports = as_events(known).assign(share=known["share"].to_numpy() if "share" in known else 1.0)
    reports = reports[reports["parcel_id"].isin(seasons["parcel_id"].astype("string"))]
    left = reports[~reported(reports, found)].drop_duplicates(["parcel_id", "event", "start"])
    agrees = _seconded(left, health)
    rows = left.assign(
        severity=0.0, confirmed=agrees, evidence="[]", code=join_codes({"reported_only": ~agrees}, len(left)),
        not_before=dates_of(np.full(len(left), np.nan)), could_be=_could_be(left["event"]),
    )  # fmt: skip
    return rows[list(EVENT_COLUMNS)].astype(empty_events().dtypes.to_dict())


def _network_alone(found: pd.DataFrame, land: Land, health: Health, kinds: Sequence[str]) -> pd.DataFrame:
    """What the network calls a parcel and neither a rule nor a report of it does, dated by the parcel's last look."""
    from acreline.curves import dates_of, join_codes

    key = ["parcel_id", "event"]
    said = _named(health)
    said = said[said["event"].isin(list(kinds))].merge(found[key], on=key, how="left", indicator="by")
    said = said[said["by"] == "left_only"]
    last = land.table.drop_duplicates("parcel_id", keep="last")
    evidence = land.looks.evidence
    pixels = evidence[evidence["head"] == "health"].rename(columns={"cls": "event"})
    pixels = pixels.assign(share=pixels["n_px"] / pixels.groupby("parcel_id")["n_px"].transform("sum"))
    pixels = pixels.astype({"parcel_id": "string", "event": "string"})[[*key, "share"]]
    rows = said.merge(last[["parcel_id", "day", "pass_id"]], on="parcel_id").merge(pixels, on=key)
    told = np.ones(len(rows), dtype=bool)
    rows = rows.assign(
        start=dates_of(rows["day"].to_numpy(dtype="float64")),
        end=dates_of(rows["day"].to_numpy(dtype="float64")),
        share=rows["share"].round(4),
        severity=0.0,
        confirmed=False,
        evidence='["' + rows["pass_id"].astype("string") + '"]',
        code=join_codes({"network_only": told, "suspected": told}, len(rows)),
        not_before=dates_of(np.full(len(rows), np.nan)),
        could_be=_could_be(rows["event"]),
    )
    return rows[list(EVENT_COLUMNS)].astype(empty_events().dtypes.to_dict())


def _could_be(kinds: pd.Series[str]) -> pd.Series[str]:
    """What else events could be, as in the table; empty of a kind that no detector looks for."""
    known = {name: "|".join(find_detector(name).CONFOUNDERS) for name in list_detectors()}
    return kinds.map(lambda kind: known.get(kind, "")).astype("string")


def confounders(name: str) -> dict[str, tuple[str, str]]:
    """What else an event of a kind could be: code -> words, English and Chinese.

    Raises:
        ConfigError: no such detector; the hint lists what there is.
    """
    check_detectors([name])
    return {code: CONFOUNDER_WORDS[code] for code in find_detector(name).CONFOUNDERS}


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
            "not_before": "datetime64[ms, UTC]",
            "start": "datetime64[ms, UTC]",
            "end": "datetime64[ms, UTC]",
            "share": "float64",
            "severity": "float64",
            "confirmed": "bool",
            "evidence": "string",
            "could_be": "string",
            "code": "string",
        }
    )
