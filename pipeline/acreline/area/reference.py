# SPDX-License-Identifier: Apache-2.0
"""What a run told of each parcel and slot, and a sample of parcels whose crop was seen on the ground."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from acreline.errors import InputError
from acreline.farms.land import JUDGED
from acreline.records import NO_CROP

if TYPE_CHECKING:
    import pandas as pd

REFERENCE_COLUMNS = ("parcel_id", "slot", "crop")
SLOTS = ("A", "B", "AB")
OTHER = "other"
LAND_COLUMNS = ("parcel_id", "slot", "crop", "crop_confidence", "crop_set", "area_m2")


def land_told(publication: Path) -> pd.DataFrame:
    """What a run told of its judged land, slot by slot: `LAND_COLUMNS`.

    One row per stand, and one of crop `none` for each slot of a judged parcel in which nothing was told, with the land
    as it was drawn: what a run missed can only be found where it told nothing.

    Raises:
        StoreError: a table is missing or cannot be read.
    """
    import pandas as pd

    from acreline.report.read import read_table

    columns = ["parcel_id", "slot", "crop", "crop_confidence", "crop_set", "area_m2_mid"]
    stands = read_table(publication, "stands", columns).to_pandas().rename(columns={"area_m2_mid": "area_m2"})
    parcels = _parcels(publication)
    judged = parcels[parcels["status"].isin(JUDGED)]
    parts = [stands]
    for slot in ("A", "B"):
        told = stands.loc[stands["slot"].isin([slot, "AB"]), "parcel_id"]
        idle = judged[~judged["parcel_id"].isin(told)][["parcel_id", "area_m2"]]
        if len(idle):
            parts.append(idle.assign(slot=slot, crop=NO_CROP, crop_confidence=float("nan"), crop_set=NO_CROP))
    land: pd.DataFrame = pd.concat(parts, ignore_index=True)[list(LAND_COLUMNS)]
    return land.astype({"parcel_id": "string", "slot": "string", "crop": "string", "crop_set": "string"})


def unjudged_land(publication: Path) -> tuple[int, float]:
    """Parcels of which too little was seen to say what grows, and their land in m2; refused ones claim none.

    Raises:
        StoreError: the table is missing or cannot be read.
    """
    parcels = _parcels(publication)
    rest = parcels[~parcels["status"].isin([*JUDGED, "rejected"])]
    return len(rest), float(rest["area_m2"].sum())


def crop_words(publication: Path) -> dict[str, str]:
    """Words for the crops of a run, as a sample may write them, in small letters -> slug: slug, Chinese, English.

    Raises:
        StoreError: the manifest is missing or cannot be read.
    """
    from acreline.report.read import legends, read_manifest

    rows = legends(read_manifest(publication))["crop"]
    words = {str(row[name]).casefold(): str(row["slug"]) for name in ("en", "zh", "slug") for row in rows if row[name]}
    return words | {NO_CROP: NO_CROP, OTHER: OTHER}


def read_reference(path: Path, land: pd.DataFrame, words: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A sample of parcels whose crop is known, with what was told of them and their land.

    A parcel on which nothing was told all year may stand in slot AB: what was seen on it then counts in both slots.

    Args:
        path: CSV in UTF-8 with `REFERENCE_COLUMNS`; crops by slug or name, `none` where nothing grew, `other` for any
            crop that the run does not know.
        land: what was told, of `land_told`.
        words: of `crop_words`; None: the crops of `land`.

    Returns:
        parcel_id, slot, crop (slug), told, area_m2; one row per parcel and slot.

    Raises:
        InputError: it cannot be read, has no line, lacks columns, names a slot or a crop that is none, or a parcel
            twice or not told; the message says which.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype="string", encoding="utf-8-sig").apply(lambda column: column.str.strip())
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            f"{path}: the sample cannot be read: {error}", hint=f"CSV in UTF-8 with {', '.join(REFERENCE_COLUMNS)}"
        ) from error
    missing = [name for name in REFERENCE_COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: columns {missing} are missing; found {list(table.columns)}",
            hint=f"a sample has the columns {', '.join(REFERENCE_COLUMNS)}",
        )
    if table.empty:
        raise InputError(f"{path}: a header and no line: nothing was sampled", hint="one line per parcel and slot")
    empty = table[list(REFERENCE_COLUMNS)].isna().any(axis=1)
    if empty.any():
        raise InputError(f"{path}, line {int(empty.argmax()) + 2}: an empty cell", hint="leave the line out")
    slots = sorted(set(table["slot"]) - set(SLOTS))
    if slots:
        raise InputError(f"{path}: slot {slots[0]!r} is none", hint=f"known: {', '.join(SLOTS)}")
    table = table.assign(crop=_slugs(path, table["crop"], words or _told_words(land)))
    table = _both_slots(table, land)
    twice = table.duplicated(["parcel_id", "slot"])
    if twice.any():
        name = table["parcel_id"][twice].iloc[0]
        raise InputError(f"{path}: parcel {name!r} stands twice in one slot", hint="one line per parcel and slot")
    told = land[["parcel_id", "slot", "crop", "area_m2"]].rename(columns={"crop": "told"})
    joined = table[list(REFERENCE_COLUMNS)].merge(told, on=["parcel_id", "slot"], how="left")
    lost = joined["told"].isna()
    if lost.any():
        row = joined[lost].iloc[0]
        first = f"{row['parcel_id']!r} in slot {row['slot']}"
        slots = land.loc[land["parcel_id"] == row["parcel_id"], "slot"].tolist()
        hint = "sample parcels that the run judged, in the slots it told (stands.parquet), or where it told nothing"
        if slots:
            hint = f"the run told of it in slot {' and '.join(slots)}: say what grew there"
        raise InputError(f"{path}: {int(lost.sum())} parcels have no stand in this run, first: {first}", hint=hint)
    told_of: pd.DataFrame = joined
    return told_of


def _slugs(path: Path, written: pd.Series[str], words: Mapping[str, str]) -> pd.Series[str]:
    slugs = written.str.casefold().map(dict(words))
    odd = slugs.isna()
    if odd.any():
        word = str(written[odd].iloc[0])
        near = difflib.get_close_matches(word.casefold(), list(words), n=1)
        known = f"; nearest: {near[0]}" if near else f"; known: {', '.join(sorted(set(words.values())))}"
        raise InputError(
            f"{path}, line {int(odd.argmax()) + 2}: crop {word!r} is not known ({int(odd.sum())} such lines)",
            hint=f"write a crop of the run, `{NO_CROP}` where nothing grew, or `{OTHER}` for any other crop{known}",
        )
    return slugs.astype("string")


def _told_words(land: pd.DataFrame) -> dict[str, str]:
    return {str(name).casefold(): str(name) for name in (*land["crop"].unique(), NO_CROP, OTHER)}


def _both_slots(table: pd.DataFrame, land: pd.DataFrame) -> pd.DataFrame:
    """Lines of slot AB on parcels on which nothing was told all year, as a line of each slot."""
    import pandas as pd

    whole = land.loc[land["slot"] == "AB", "parcel_id"]
    idle = land.loc[land["crop"] == NO_CROP].groupby("parcel_id")["slot"].nunique()
    split = (table["slot"] == "AB") & ~table["parcel_id"].isin(whole)
    split &= table["parcel_id"].isin(idle[idle == 2].index)
    if not split.any():
        return table
    parts = [table[~split], *(table[split].assign(slot=slot) for slot in ("A", "B"))]
    both: pd.DataFrame = pd.concat(parts, ignore_index=True).astype({"slot": "string"})
    return both


def _parcels(publication: Path) -> pd.DataFrame:
    from acreline.report.read import read_table

    table = read_table(publication, "parcels", ["id", "status", "metrics:area"]).to_pandas()
    named: pd.DataFrame = table.rename(columns={"id": "parcel_id", "metrics:area": "area_m2"})
    return named.astype({"area_m2": "float64"})
