# SPDX-License-Identifier: Apache-2.0
"""One self-contained page for each farm, to be printed and handed over: facts, pictures of the fields, the decision.

Nothing is loaded and nothing but one small script of its own may run in it, as on the map page; without the script the
page is whole, in English.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

from acreline.codes import all_codes
from acreline.errors import ConfigError
from acreline.layers import UNKNOWN
from acreline.report.curve import place_curve
from acreline.report.field import (
    BRIGHTEST,
    GAMMA,
    NDVI_STEPS,
    FieldPicture,
    Unseen,
    ndvi_png,
    outline_path,
    scale_bar,
    true_colour_png,
)
from acreline.report.history import harvest_line, stage_now, tell_history
from acreline.report.page import content_policy, page_heads, static_text, template, two_languages
from acreline.report.png import palette_png
from acreline.report.read import Row, farm_files, read_manifest, read_rows, read_schedule
from acreline.report.seen import JUDGED, ClassMap, read_crop_maps, titled_crops
from acreline.report.tell import tell_farms
from acreline.report.waterfall import print_amount, waterfall_pair
from acreline.report.words import word

GREY = "#9aa5ad"
Pair = tuple[str, str]
"""English and Chinese."""
DASH = ("–", "–")


def write_farm_pages(
    publication: Path, pictures: Mapping[str, FieldPicture | Unseen], earlier: Sequence[Path] = ()
) -> list[Path]:
    """Write a page for every farm of a publication, `report/farms/<name>.html`, to which the map page then links.

    Args:
        publication: folder of a publication, finished or still being staged (its manifest.json must be there).
        pictures: parcel id -> its picture, or why there is none; of refused and failed parcels nothing is asked.
        earlier: publications of earlier seasons, whose farms have the same ids.

    Returns:
        the pages, in the order of the farms. Same publications and pictures, same bytes.

    Raises:
        StoreError: a file of the publication is missing or cannot be read.
    """
    told = tell_farms(publication)
    files = farm_files([farm["id"] for farm in told["farms"]])
    folder = publication / "report" / "farms"
    folder.mkdir(parents=True, exist_ok=True)
    for farm_id, text in _pages(publication, told, pictures, earlier, [farm["id"] for farm in told["farms"]]):
        (folder / files[farm_id]).write_text(text, encoding="utf-8", newline="\n")
    return [folder / files[farm["id"]] for farm in told["farms"]]


def render_farm(
    publication: Path,
    farm_id: str,
    earlier: Sequence[Path] = (),
    pictures: Mapping[str, FieldPicture | Unseen] | None = None,
) -> str:
    """One farm's page: as it was published with its pictures; made anew where more is asked for, or none was published.

    Args:
        publication: its folder.
        farm_id: whose page.
        earlier: publications of earlier seasons.
        pictures: parcel id -> its picture, or why there is none; None: those of the published page.

    Raises:
        ConfigError: no such farm.
        StoreError: a file of a publication is missing or cannot be read.
    """
    told = tell_farms(publication)
    known = sorted(farm["id"] for farm in told["farms"])
    if farm_id not in known:
        raise ConfigError(f"no farm {farm_id!r} in this run", hint=f"known: {', '.join(known[:20])}")
    page = publication / "report" / "farms" / farm_files(known)[farm_id]
    if page.is_file() and not earlier and pictures is None:
        return page.read_text(encoding="utf-8")
    unseen = {parcel["id"]: Unseen("not_kept") for parcel in told["parcels"]}
    [(_, text)] = _pages(publication, told, unseen if pictures is None else pictures, earlier, [farm_id])
    return text


def _pages(
    publication: Path,
    told: Row,
    pictures: Mapping[str, FieldPicture | Unseen],
    earlier: Sequence[Path],
    wanted: Sequence[str],
) -> Iterator[tuple[str, str]]:
    """Id and page of each farm that is wanted."""
    manifest = read_manifest(publication)
    style = static_text("farm_page.css")
    script = f'(function () {{\n"use strict";\n{static_text("farm_page.js")}\n}})();'
    used = [row["time"][:4] for row in read_rows(publication, "scenes") if row["status"] == "used" and row["time"]]
    page = template("farm.html.j2")
    common = {
        "policy": content_policy([script], style),
        "style": style,
        "script": script,
        "region": str(told["region"]),
        "season": told["season"],
        "as_of": told["as_of"] or "–",
        "simulated": bool(manifest.get("simulated")),
        "heads": list(page_heads(manifest)),
        "notices": [two_languages(notice) for notice in manifest.get("notices") or []],
        "years": "–".join(sorted({min(used), max(used)})) if used else "",
        "brightest": BRIGHTEST / 10_000,
        "gamma": GAMMA,
        "ndvi_steps": NDVI_STEPS,
    }
    maps = read_crop_maps(publication)
    schedules = read_schedule(publication)
    seasons = tell_history(earlier, told["season"][1])
    for farm in told["farms"]:
        if farm["id"] in wanted:
            more = {"schedule": schedules.get(farm["id"], []), "history": _limits(seasons.get(farm["id"], []))}
            yield farm["id"], page.render(**common, **tell_farm(farm, told, pictures, maps), **more)


def tell_farm(
    farm: Row, told: Row, pictures: Mapping[str, FieldPicture | Unseen], maps: Sequence[ClassMap] = ()
) -> Row:
    """All that one farm's page shows, as values that its template prints.

    Args:
        farm: one of `told["farms"]`.
        told: what `tell_farms` gave.
        pictures: parcel id -> its picture, or why there is none.
        maps: the crop maps of the publication.
    """
    parcels = [told["parcels"][index] for index in farm["parcels"]]
    return {
        "farm": farm,
        "back": f"../index.html#farm={quote(farm['id'], safe='')}",
        "limit": money(farm["limit"], farm["limit_currency"]),
        "reasons": [_reason(reason) for reason in farm["reasons"]],
        "facts": [*farm_facts(farm, told), *_stage_fact(parcels, farm, told)],
        "areas": farm["areas"],
        "flags": [word("flag", flag) for flag in farm["flags"]],
        "settle_name": word("ui", "would_settle" if farm["outcome"] == "refer" else "would_sharpen"),
        "settle": _settle(farm["settle"], name_parcels=len(parcels) > 1),
        "parcels": [
            {
                **tell_parcel(parcel, told, pictures, maps),
                **({"settle": []} if parcel["settle"] == farm["settle"] else {}),
            }
            for parcel in parcels
        ],
        "waterfall": waterfall_pair(farm),
        "trail": [
            _step(step, before, farm["limit_currency"])
            for step, before in zip(farm["trail"], [None, *farm["trail"]], strict=False)
        ],
    }


def farm_facts(farm: Row, told: Row) -> list[Row]:
    """The farm in figures: label, value and what stands below it, each in both languages."""
    mu, (low, planted, high) = farm["mu"], farm["planted"]
    ends, currency, last = farm["value"], farm["currency"], farm["last"]
    age = (date.fromisoformat(told["as_of"]) - date.fromisoformat(last)).days if last and told["as_of"] else None
    land = None if mu is None else _in_ha_and_acres(farm["ha"], farm["acres"])
    span = None
    if planted is not None:
        also = _in_ha_and_acres(farm["planted_ha"], farm["planted_acres"])
        span = (f"{low:,.1f} – {high:,.1f} mu · {also[0]}", f"{low:,.1f} – {high:,.1f} 亩 · {also[1]}")
    value = DASH if ends is None else money(str(round(ends[1])), currency)
    between = None if ends is None else _same(f"{ends[0]:,.0f} – {ends[2]:,.0f} ({word('ui', 'range90')[0]})")
    ago = None if age is None else (f"{age} {word('ui', 'days_before')[0]}", f"{age} {word('ui', 'days_before')[1]}")
    return [
        _fact("land", _mu(mu), land),
        _fact("planted", _mu(planted), span),
        _fact("main_crop", class_name(told, "crop", farm["crop"]), _confidence(farm["confidence"])),
        _fact("health", class_name(told, "health", farm["health"])),
        _fact("value", value, between),
        _fact("looks", _same(str(farm["looks"])), word("ui", "fewest")),
        _fact("last_clear", _same(last or "–"), ago),
    ]


def _limits(seasons: Sequence[Row]) -> list[Row]:
    return [{**row, "limit_told": money(row["limit"], row["currency"])} for row in seasons]


def _stage_fact(parcels: Sequence[Row], farm: Row, told: Row) -> list[Row]:
    found = stage_now(parcels, farm["crop"], told["as_of"], told["season"][1])
    return [] if found is None else [{"name": ("Stage now", "当前生育期"), "value": found[0], "below": found[1]}]


def _settle(told: Sequence[Row], name_parcels: bool) -> list[Row]:
    """What would settle some doubts, cheapest first: the action, about until when, its doubts with their parcels."""
    lines = []
    for one in told:
        en, zh = word("ui", "until_about")
        until = (f"{en}{one['until']}", f"{zh}{one['until']}") if one["until"] else None
        doubts = [(word("flag", code), parcels if name_parcels else []) for code, parcels in one["codes"]]
        lines.append({"action": word("action", one["action"]), "until": until, "doubts": doubts})
    return lines


def tell_parcel(
    parcel: Row, told: Row, pictures: Mapping[str, FieldPicture | Unseen], maps: Sequence[ClassMap] = ()
) -> Row:
    """One parcel: its head, its pictures or why there are none, its curve."""
    picture: FieldPicture | Unseen = Unseen(parcel["status"])
    if parcel["status"] not in ("rejected", "failed"):  # a refused row may share its id with another
        picture = pictures.get(parcel["id"], Unseen("no_clear_look"))
    several = len(parcel["stands"]) > 1  # two crops a year: each with its slot
    grown = parcel["stands"] if several else [parcel]
    reason = word("flag", parcel["reason"]) if parcel["reason"] else None
    figures = parcel["figures"]
    of_others = {slug for slug, code in all_codes().items() if code.of_others}
    if of_others & set(re.findall(r"\w+", f"{parcel['reason']} {parcel['detail']}")):
        figures = None
    return {
        "id": parcel["id"],
        "status": parcel["status"],
        "status_words": word("status", parcel["status"]),
        "reason": reason,
        "figures": figures,
        "settle": _settle(parcel["settle"], name_parcels=False),
        "notes": [word("flag", code) for code in parcel["notes"]],
        "mu": parcel["mu"],
        "ha": parcel["ha"],
        "areas": parcel["areas"],
        "crops": [_grown(row, told, word("slot", row["slot"]) if several else None) for row in grown],
        "stages": _stages(parcel, told),
        "seasons": parcel["seasons"] if parcel["status"] in JUDGED else 0,
        "health": class_name(told, "health", parcel["health"]),
        "sure": None if parcel["sure"] is None else _sure(parcel["sure"]),
        "vigour": [
            (word("grade", grade), word("ui", beside))
            for grade, beside in zip(parcel["grades"], ("beside_neighbours", "beside_normal"), strict=True)
            if grade
        ],
        "events": [event["said"] for event in parcel["events"]],
        "picture": _pictures(picture, parcel, told, maps) if isinstance(picture, FieldPicture) else None,
        "why": None if isinstance(picture, FieldPicture) else word("picture", picture.why),
        "day": picture.day,
        "curve": place_curve(parcel, told["passes"], told["season"], picture.day),
    }


def _stages(parcel: Row, told: Row) -> list[Pair]:
    """Stage and dates of each stand; of two crops a year each by its name."""
    rows = [row for row in parcel["stages"] if row["said"]]
    said = [_with_harvest(row, told) for row in rows]
    if len(rows) < 2:
        return said
    names = [class_name(told, "crop", row["crop"]) for row in rows]
    return [(f"{name[0]}: {one[0]}", f"{name[1]}：{one[1]}") for name, one in zip(names, said, strict=True)]


def _with_harvest(season: Row, told: Row) -> Pair:
    said, cut = season["said"], harvest_line(season, told["as_of"], told["season"][1])
    return said if cut is None else (f"{said[0]}, {cut[0]}", f"{said[1]}，{cut[1]}")


def _sure(confirmed: bool) -> Pair:
    """Whether rules and network agree on a parcel's health."""
    return word("struck", "confirmed") if confirmed else word("flag", "health_disagrees")


def _grown(row: Row, told: Row, slot: Pair | None) -> Row:
    """A crop, or all that cannot be told apart, with colour and confidence, and its season slot where it matters."""
    names = [class_name(told, "crop", crop) for crop in row["crop_set"] or [row["crop"]]]
    either = word("ui", "or")
    return {
        "slot": slot,
        "names": (either[0].join(en for en, _ in names), either[1].join(zh for _, zh in names)),
        "colour": _colour(told, "crop", row["crop"]),
        "confidence": _confidence(row["confidence"]),
    }


def class_name(told: Row, layer: str, slug: str | None) -> Pair:
    """English and Chinese name of a crop or a health class, as the publication's legends have it."""
    for row in told["classes"][layer]:
        if row["slug"] == slug:
            return row["en"], row["zh"]
    if layer == "health" or slug in (None, UNKNOWN):
        return word("health", slug or UNKNOWN)
    return word("crop", slug)


def money(text: str | None, currency: str | None) -> Pair:
    """An amount as it is written everywhere: 8,000 CNY, 8,000元; text in, so no cent is lost."""
    if text is None:
        return "", ""
    amount = Decimal(text)
    return print_amount(amount, currency or "", False), print_amount(amount, currency or "", True)


def _mu(value: float | None) -> Pair:
    return DASH if value is None else (f"{value:,.1f} mu", f"{value:,.1f} 亩")


def _in_ha_and_acres(ha: float, acres: float) -> Pair:
    return f"{ha:,.2f} ha · {acres:,.2f} acres", f"{ha:,.2f} 公顷 · {acres:,.2f} 英亩"


def _fact(name: str, value: Pair, below: Pair | None = None) -> Row:
    return {"name": word("ui", name), "value": value, "below": below}


def _same(text: str) -> Pair:
    return text, text


def _confidence(share: float | None) -> Pair | None:
    en, zh = word("ui", "confidence")
    return None if not share else (f"{en} {share:.0%}", f"{zh} {share:.0%}")


def _colour(told: Row, layer: str, slug: str | None) -> str:
    return next((str(row["colour"]) for row in told["classes"][layer] if row["slug"] == slug), GREY)


def _reason(reason: Sequence[str]) -> Pair:
    code, en, zh = reason
    plain = word("flag", code)
    return en or plain[0], zh or plain[1]


def _step(step: Row, before: Row | None, currency: str | None) -> Row:
    """One rule of the trail; what the rule before it looked at already is not printed again."""
    told = [] if before is None else before["evidence"]
    en, zh = step["text"]
    plain = step["code"].replace("_", " ")
    return {
        **step,
        "title": word("rule", step["rule"]),
        "before": DASH if step["before"] is None else money(step["before"], currency),
        "after": DASH if step["after"] is None else money(step["after"], currency),
        "moved": step["before"] is not None or step["after"] is not None,
        "text": (en or plain, zh or plain),
        "facts": [
            (word("fact", name), value, value_zh)
            for name, value, value_zh in step["evidence"]
            if told != step["evidence"]
        ],
    }


def _pictures(picture: FieldPicture, parcel: Row, told: Row, maps: Sequence[ClassMap]) -> dict[str, Any]:
    side = picture.ndvi.shape[0]
    classes = told["classes"]["crop"]
    colours = {row["code"]: str(row["colour"]) for row in classes if row["code"]}
    metres, bar = scale_bar(side)
    return {
        "colour": base64.b64encode(true_colour_png(picture)).decode(),
        "ndvi": base64.b64encode(ndvi_png(picture)).decode(),
        "crops": [
            (
                slot,
                base64.b64encode(palette_png(codes, colours)).decode(),
                [((row["en"], row["zh"]), f"{row['share']:.0%}", row["colour"]) for row in shares],
            )
            for slot, codes, shares in titled_crops(parcel, picture, maps, classes)
        ],
        "unjudged": parcel["status"] not in JUDGED,
        "season": [(one.day, base64.b64encode(true_colour_png(one)).decode()) for one in picture.season],
        "side": side,
        "path": outline_path(picture.rings),
        "metres": metres,
        "bar": bar,
        "day": picture.day,
        "scenes": picture.scenes,
        "partly": None if picture.clear_share >= 1 else f"{100 * picture.clear_share:.0f} %",
    }
