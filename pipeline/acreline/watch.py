# SPDX-License-Identifier: Apache-2.0
"""What has become worse between two runs of a region, farm by farm, with the money at stake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.codes import LANGUAGES, all_codes, harvest_window, split_codes
from acreline.config import packaged_crops
from acreline.credit.facts import show_money
from acreline.errors import ConfigError, StoreError
from acreline.report.event_words import event_line
from acreline.report.read import read_rows, read_schedule
from acreline.report.tell import vigour_grade
from acreline.report.words import word
from acreline.schedules import BACK_DAYS
from acreline.store import read_manifest

if TYPE_CHECKING:
    import pandas as pd

VIGOUR_FALL = 1.0
"""Robust z by which vigour must have fallen: about a grade."""
AREA_FALL = 0.10
"""Share by which a farm's planted land must have fallen: more than its own doubt."""
UP_DAYS = 30
"""After the last day of the usual sowing: by then a crop is up."""
SIGNALS = ("vanished", "unmeasured", "new_event", "vigour_fell", "area_fell", "stage_late", "new_code")
"""In the order in which a farm's are told."""
COLUMNS = (
    "farm_id", "signals", "outcome_then", "limit_then", "outcome_now", "limit_now", "exposed", "currency",
    "value_low_then", "value_low_now", "words_en", "words_zh",
)  # fmt: skip
MEASURED = ("ok", "degraded")
STANDING = ("emerging", "growing", "peak", "senescing")
VIGOURS = {"vigour": "beside_neighbours", "vigour_normal": "beside_normal"}
Words = tuple[str, str]


@dataclass(frozen=True)
class Watch:
    """What two runs say of each other."""

    table: pd.DataFrame
    """A row per farm to be watched, `COLUMNS`, the most money first."""
    region: str
    since: date
    now: date
    farms: int
    """Farms in the earlier run."""
    unmeasured: int
    """Farms of it that neither run measured whole: only what was seen of them is compared."""
    new: int
    """Farms of the later run that the earlier one did not have."""
    simulated: bool = False


def watch_farms(run: Path, since: Path, *, vigour_fall: float = VIGOUR_FALL, area_fall: float = AREA_FALL) -> Watch:
    """Compare two publications of one region and season, and list the farms that a lender should look at.

    Told of a farm: it vanished, or is not measured any more; a new event; vigour of a parcel (robust z beside
    neighbours or beside other years) fell by `vigour_fall` or more; its planted land fell by the share `area_fall` or
    more; a stand has become late by its crop's calendar (not up `UP_DAYS` after the usual sowing, uncut after the usual
    harvest); a new code that asks for a person.

    The money exposed is what the schedule had released, the larger of both runs; without a schedule the larger of the
    two limits, 0 where a person decides in both.

    Args:
        run: folder of the later publication.
        since: folder of the earlier one.
        vigour_fall: robust z, above 0.
        area_fall: share, above 0.

    Raises:
        ConfigError: the runs are of two regions, seasons or currencies, or the earlier one is the later.
        StoreError: a publication cannot be read.
    """
    import pandas as pd

    manifests = [read_manifest(folder) for folder in (since, run)]
    _check_pair(manifests)
    days = tuple(date.fromisoformat(manifest["as_of"]) for manifest in manifests)
    then, now = (_read_farms(folder) for folder in (since, run))
    both = then.add_suffix("_then").join(now.add_suffix("_now"), how="left")
    there = both.index.isin(now.index)
    measured = {end: both[f"status_{end}"].isin(MEASURED) for end in ("then", "now")}
    kept = both[there]
    mixed = sorted({*both["currency_then"].dropna(), *both["currency_now"].dropna()})
    if len(mixed) > 1:
        raise ConfigError(
            f"the runs' limits are in {' and '.join(mixed)}", hint="decide both under policies of one currency"
        )
    parcels = [_read(folder, "parcels", ["id", "farm_id", "status", *VIGOURS]) for folder in (since, run)]
    found = [
        _tell_lost(both[~there], both[there & measured["then"] & ~measured["now"]]),
        _tell_events(since, run, parcels[1]),
        _tell_vigour(parcels[0], parcels[1], vigour_fall),
        _tell_area(kept, area_fall),
        _tell_late(since, run, manifests[1], days, parcels[1]),
        _tell_codes(kept),
    ]
    told = pd.concat(found, ignore_index=True)
    told = told[told["farm_id"].isin(then.index)]
    table = _join_signals(told, both, _released(since), _released(run))
    dark = int((~measured["then"] & ~measured["now"]).sum())
    new = int((~now.index.isin(then.index)).sum())
    simulated = bool(manifests[1].get("simulated"))
    return Watch(table, str(manifests[1]["region"]), days[0], days[1], len(then), dark, new, simulated)


def _check_pair(manifests: list[dict[str, Any]]) -> None:
    then, now = manifests
    for name in ("region", "season"):
        if then[name] != now[name]:
            raise ConfigError(
                f"the runs are of two {name}s: {_plain(then[name])} and {_plain(now[name])}",
                hint="give two runs of one region in one season",
            )
    if then["as_of"] > now["as_of"]:
        raise ConfigError(
            f"--since is the later run: as of {then['as_of']}, the other as of {now['as_of']}", hint="swap the two"
        )


def _plain(value: Any) -> str:
    return " to ".join(map(str, value.values())) if isinstance(value, dict) else str(value)


def _read(publication: Path, name: str, columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(publication / f"{name}.parquet", columns=columns)
    except (OSError, ValueError) as error:
        raise StoreError(f"{publication}: {name} cannot be read: {error}", hint="see `acreline verify`") from error


def _read_farms(publication: Path) -> pd.DataFrame:
    """Farms with their decisions, by id."""
    farms = _read(publication, "farms", ["farm_id", "status", "reason", "planted_mu", "value_low", "flags"])
    decided = _read(publication, "decisions", ["farm_id", "outcome", "limit", "currency", "reasons"])
    return farms.set_index("farm_id").join(decided.set_index("farm_id"))


def _signals(farm_ids: Any, signal: str, words: list[Words]) -> pd.DataFrame:
    import pandas as pd

    en, zh = [pair[0] for pair in words], [pair[1] for pair in words]
    return pd.DataFrame({"farm_id": list(farm_ids), "signal": signal, "en": en, "zh": zh}, dtype=object)


def _tell_lost(vanished: pd.DataFrame, unmeasured: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    gone = [("no longer in the farm file", "已不在农户文件中")] * len(vanished)
    why = [word("flag", reason) for reason in unmeasured["reason_now"]]
    dark = [(f"not measured any more: {en}", f"本次未能测定：{zh}") for en, zh in why]
    return pd.concat(
        [_signals(vanished.index, "vanished", gone), _signals(unmeasured.index, "unmeasured", dark)], ignore_index=True
    )


def _tell_events(since: Path, run: Path, parcels: pd.DataFrame) -> pd.DataFrame:
    known = {(row["parcel_id"], row["event"]) for row in read_rows(since, "events")}
    rows = [row for row in read_rows(run, "events") if (row["parcel_id"], row["event"]) not in known]
    owners = _owners(parcels).reindex([row["parcel_id"] for row in rows])
    said = [(row["parcel_id"], event_line(row)) for row in rows]
    return _signals(owners, "new_event", [(f"{name} {line[0]}", f"{name} {line[1]}") for name, line in said])


def _owners(parcels: pd.DataFrame) -> pd.Series[Any]:
    """Farm of each parcel; a refused row may share its id with another."""
    good = parcels[parcels["status"] != "rejected"]
    return good.set_index("id")["farm_id"]


def _tell_vigour(then: pd.DataFrame, now: pd.DataFrame, least: float) -> pd.DataFrame:
    import pandas as pd

    both = now[now["status"] != "rejected"].merge(
        then[then["status"] != "rejected"], on=["id", "farm_id"], suffixes=("", "_then")
    )
    told = []
    for name, beside in VIGOURS.items():
        now_z, then_z = (pd.to_numeric(both[f"{name}{end}"]).astype("float64") for end in ("", "_then"))
        fell = then_z - now_z >= least
        against = word("ui", beside)
        words = []
        for parcel, before, after in zip(both["id"][fell], then_z[fell], now_z[fell], strict=True):
            grades = [word("grade", vigour_grade(z)) for z in (before, after)]
            en = f"from {before:+.1f} ({grades[0][0]}) to {after:+.1f} ({grades[1][0]})"
            zh = f"由{before:+.1f}（{grades[0][1]}）降至{after:+.1f}（{grades[1][1]}）"
            words.append((f"{parcel} vigour {against[0]} fell {en}", f"{parcel} 长势（{against[1]}）{zh}"))
        told.append(_signals(both["farm_id"][fell], "vigour_fell", words))
    return pd.concat(told, ignore_index=True)


def _tell_area(farms: pd.DataFrame, least: float) -> pd.DataFrame:
    before, after = (farms[f"planted_mu_{end}"].astype("float64") for end in ("then", "now"))
    fell = (before > 0) & ((before - after) / before.where(before > 0) >= least)
    words = [
        (f"planted land fell from {old:,.1f} to {new:,.1f} mu", f"种植面积由{old:,.1f}亩减至{new:,.1f}亩")
        for old, new in zip(before[fell], after[fell], strict=True)
    ]
    return _signals(farms.index[fell], "area_fell", words)


def _tell_late(
    since: Path, run: Path, manifest: dict[str, Any], days: tuple[date, ...], parcels: pd.DataFrame
) -> pd.DataFrame:
    end = date.fromisoformat(manifest["season"]["end"])
    names = ["parcel_id", "slot", "crop", "stage"]
    before, after = (_late(_read(f, "seasons", names), day, end) for f, day in zip((since, run), days, strict=True))
    key = ["parcel_id", "slot", "crop", "late"]
    late = after.merge(before[key], on=key, how="left", indicator=True)
    late = late[late["_merge"] == "left_only"]
    crops = packaged_crops()
    words = []
    for row in late.to_dict("records"):
        crop, day = crops[row["crop"]], row["until"]
        if row["late"] == "uncut":
            en = f"{row['parcel_id']} {crop.name_en.lower()} still stands, usually cut until {day}"
            words.append((en, f"{row['parcel_id']} {crop.name_zh}仍未收获，通常最迟{day}收完"))
        else:
            en = f"{row['parcel_id']} {crop.name_en.lower()} is not up, usually sown until {day}"
            words.append((en, f"{row['parcel_id']} {crop.name_zh}尚未出苗，通常最迟{day}播完"))
    return _signals(_owners(parcels).reindex(late["parcel_id"]), "stage_late", words)


def _late(seasons: pd.DataFrame, as_of: date, season_end: date) -> pd.DataFrame:
    """Stands that are late on a day by their crop's calendar: parcel_id, slot, crop, late (uncut, not_up), until."""
    ends: dict[str, dict[str, date]] = {"uncut": {}, "not_up": {}}
    for slug, crop in packaged_crops().items():
        cut = harvest_window(crop.harvest, season_end - timedelta(days=BACK_DAYS))
        if cut is not None:
            ends["uncut"][slug] = cut[1]
            sown = harvest_window(crop.sowing, cut[1] - timedelta(days=BACK_DAYS))
            if sown is not None:
                ends["not_up"][slug] = sown[1]
    import pandas as pd

    told = []
    for late, stages, grace in (("uncut", STANDING, 0), ("not_up", ("bare",), UP_DAYS)):
        past = {slug: day for slug, day in ends[late].items() if as_of > day + timedelta(days=grace)}
        rows = seasons[seasons["stage"].isin(stages) & seasons["crop"].isin(list(past))]
        told.append(rows.assign(late=late, until=rows["crop"].map(past)))
    columns = ["parcel_id", "slot", "crop", "late", "until"]
    return pd.concat(told, ignore_index=True)[columns].astype(object)


def _tell_codes(farms: pd.DataFrame) -> pd.DataFrame:
    codes = all_codes()
    owners, words = [], []
    ends = [_asked(farms, end) for end in ("then", "now")]
    for farm_id, before, after in zip(farms.index, *ends, strict=True):
        new = [code for code in after if code not in before and (code not in codes or codes[code].kind != "note")]
        owners += [farm_id] * len(new)
        words += [word("flag", code) for code in new]
    return _signals(owners, "new_code", words)


def _asked(farms: pd.DataFrame, end: str) -> list[list[str]]:
    """Codes that ask for a person: of the status, the flags, and the reasons of a referral."""
    reasons = [
        list(reasons) if outcome == "refer" else []
        for reasons, outcome in zip(farms[f"reasons_{end}"], farms[f"outcome_{end}"], strict=True)
    ]
    columns = (farms[f"{name}_{end}"].fillna("").tolist() for name in ("reason", "flags"))
    return [
        list(dict.fromkeys([*split_codes(reason), *split_codes(flags), *asked]))
        for reason, flags, asked in zip(*columns, reasons, strict=True)
    ]


def _released(publication: Path) -> dict[str, Decimal]:
    """What the schedule of a run has released, by farm."""
    return {
        farm_id: sum((Decimal(row["amount"]) for row in rows if row["state"] == "released"), Decimal(0))
        for farm_id, rows in read_schedule(publication).items()
    }


def _join_signals(
    told: pd.DataFrame, farms: pd.DataFrame, then: dict[str, Decimal], now: dict[str, Decimal]
) -> pd.DataFrame:
    """One row per farm with all that was told of it, the most money first."""
    import pandas as pd

    told = told.assign(rank=told["signal"].map({name: rank for rank, name in enumerate(SIGNALS)}))
    groups = told.sort_values(["farm_id", "rank"], kind="stable").groupby("farm_id", sort=True)
    table = pd.DataFrame(
        {
            "signals": groups["signal"].agg(lambda names: "|".join(dict.fromkeys(names))),
            "words_en": groups["en"].agg(lambda words: "; ".join(dict.fromkeys(words))),
            "words_zh": groups["zh"].agg(lambda words: "；".join(dict.fromkeys(words))),
        }
    )
    both = farms.reindex(table.index)
    for name in ("outcome", "limit", "value_low"):
        for end in ("then", "now"):
            table[f"{name}_{end}"] = both[f"{name}_{end}"]
    table["currency"] = both["currency_then"]
    paid = table.index.isin(list(then | now))
    limits = [
        max((limit for limit in pair if limit is not None and limit == limit), default=Decimal(0))
        for pair in zip(table["limit_then"], table["limit_now"], strict=True)
    ]
    released = [max(then.get(farm_id, Decimal(0)), now.get(farm_id, Decimal(0))) for farm_id in table.index]
    exposed = [out if known else limit for out, known, limit in zip(released, paid, limits, strict=True)]
    table["exposed"] = pd.Series(exposed, index=table.index, dtype=object)
    order = sorted(range(len(table)), key=lambda at: (-exposed[at], table.index[at]))
    ordered: pd.DataFrame = table.iloc[order].reset_index()[list(COLUMNS)]
    return ordered


def watch_lines(watch: Watch, lang: str = "en") -> list[str]:
    """The watch list for a terminal: a farm a line with its money, then the sums.

    Raises:
        ConfigError: the language is neither `en` nor `zh`.
    """
    if lang not in LANGUAGES:
        raise ConfigError(f"language {lang!r} is not spoken", hint=f"one of {', '.join(LANGUAGES)}")
    zh = lang == "zh"
    lines = [("on simulated data", "模拟数据")[zh]] if watch.simulated else []
    lines.append(f"{watch.region}: {watch.since} -> {watch.now}")
    for row in watch.table.to_dict("records"):
        ends = [_show_end(row, end, zh) for end in ("then", "now")]
        money = show_money(row["exposed"], row["currency"])[zh]
        words = row["words_zh" if zh else "words_en"]
        lines.append(
            f"{row['farm_id']}：涉及{money}（{ends[0]} → {ends[1]}）：{words}"
            if zh
            else f"{row['farm_id']:<12} {money} at stake ({ends[0]} -> {ends[1]}): {words}"
        )
    count = len(watch.table)
    if not count:
        lines.append(("nothing to watch: no farm has become worse", "无需关注：没有农户情况变差")[zh])
    for currency, part in watch.table.groupby("currency"):
        total = show_money(sum(part["exposed"], Decimal(0)), str(currency))
        lines.append((f"{count} of {watch.farms} farms to watch, {total.en} at stake",
                      f"{watch.farms}户中有{count}户需要关注，涉及{total.zh}")[zh])  # fmt: skip
    if watch.unmeasured:
        lines.append((f"not measured whole in either run, compared by what was seen: {watch.unmeasured} farms",
                      f"两次均未能完整测定，仅比较已观测部分：{watch.unmeasured}户")[zh])  # fmt: skip
    if watch.new:
        lines.append((f"new, nothing to compare with: {watch.new} farms", f"新增，无从比较：{watch.new}户")[zh])
    return lines


def _show_end(row: Mapping[Any, Any], end: str, zh: bool) -> str:
    """Outcome and limit of one of the two runs."""
    outcome, limit = row[f"outcome_{end}"], row[f"limit_{end}"]
    if not isinstance(outcome, str):
        return ("no decision", "无决定")[zh]
    said = word("outcome", outcome)[1] if zh else outcome
    return f"{said} {limit:,.0f}" if isinstance(limit, Decimal) else said
