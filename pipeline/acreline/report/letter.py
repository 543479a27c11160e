# SPDX-License-Identifier: Apache-2.0
"""The letter to a farmer: what was decided, why, what can be done until when, what was seen, and whom to ask."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from acreline.errors import ConfigError, StoreError
from acreline.report.advice import Advise, advice_line, advise_reasons, answer_by
from acreline.report.doubts import JUDGED
from acreline.report.farm_page import farm_facts, tell_parcel
from acreline.report.page import content_policy, static_text, template, two_languages
from acreline.report.pdf import write_pdf
from acreline.report.read import Row, read_manifest, read_rows, read_schedule
from acreline.report.sketch import land_sketch
from acreline.report.standing import NowStands
from acreline.report.tell import tell_farms
from acreline.report.waterfall import print_amount, waterfall_bars, waterfall_drawings
from acreline.report.words import word

MOST_PARCELS = 12
"""Parcels that a letter tells one by one; it stays a letter."""


def render_letter(publication: Path, farm_id: str, lang: str, advise: Advise, stands: NowStands | None = None) -> str:
    """One farm's letter as a page that needs no network; same publication and acts, same bytes.

    Args:
        publication: folder of a publication.
        farm_id: whose letter.
        lang: `en` or `zh`.
        advise: what can be done about a reason.
        stands: what stands after people acted; None where nobody did.

    Raises:
        ConfigError: no such farm, no decision for it, or a language that is not spoken.
        StoreError: a file of the publication is missing or cannot be read.
    """
    if lang not in ("en", "zh"):
        raise ConfigError(f"--lang: {lang!r} is not spoken", hint="en or zh")
    manifest, told = read_manifest(publication), tell_farms(publication)
    farms = {farm["id"]: farm for farm in told["farms"]}
    if farm_id not in farms:
        raise ConfigError(f"no farm {farm_id!r} in this run", hint=f"known: {', '.join(sorted(farms)[:20])}")
    farm = farms[farm_id]
    if farm["outcome"] not in ("approve", "refer", "decline"):
        raise ConfigError(f"farm {farm_id!r} has no decision", hint="run the region again")
    zh = lang == "zh"
    style = static_text("letter.css")
    as_of = date.fromisoformat(told["as_of"])
    used = [row["time"][:4] for row in read_rows(publication, "scenes") if row["status"] == "used" and row["time"]]
    parcels = [told["parcels"][index] for index in farm["parcels"]]
    refers = farm["outcome"] == "refer"
    currency = farm["limit_currency"] or ""
    limit = Decimal(farm["limit"] or 0) if stands is None else stands.limit or Decimal(0)
    return template("letter.html.j2").render(
        policy=content_policy([], style),
        style=style,
        lang=lang,
        zh=zh,
        farm=farm,
        region=str(told["region"]),
        as_of=told["as_of"],
        answer_by=answer_by(as_of).isoformat(),
        simulated=bool(manifest.get("simulated")),
        notices=[two_languages(notice)[zh] for notice in manifest.get("notices") or []],
        limit=print_amount(limit, currency, zh),
        outcome=farm["outcome"] if stands is None else stands.outcome,
        changed=stands is not None and stands.changed,
        machine_referred=refers if stands is None else stands.machine_referred,
        people=[] if stands is None else [pair[zh] for pair in stands.letter],
        asked=[] if stands is None else [pair[zh] for pair in stands.asked],
        reasons=_with_plots(tell_reasons(farm, told, lang, advise), farm, parcels[:MOST_PARCELS], zh),
        contact=_contact(manifest, zh),
        facts=[{name: value and value[zh] for name, value in fact.items()} for fact in farm_facts(farm, told)],
        parcels=[(parcel["id"], _parcel(parcel, told, zh)) for parcel in parcels[:MOST_PARCELS]],
        more_parcels=max(len(parcels) - MOST_PARCELS, 0),
        sketch=land_sketch(parcels[:MOST_PARCELS], zh),
        waterfall=waterfall_drawings(waterfall_bars(farm), currency, zh, refers=refers),
        schedule=[row[f"text_{lang}"] for row in read_schedule(publication).get(farm_id, [])],
        publication=str(manifest.get("id") or publication.name),
        years="–".join(sorted({min(used), max(used)})) if used else "",
    )


def _contact(manifest: Row, zh: bool) -> str:
    """Whom to ask, as the policy says; empty where it does not."""
    told = (manifest.get("policy") or {}).get("contact")
    return str(told[zh]) if told else ""


def _with_plots(reasons: list[Row], farm: Row, parcels: Sequence[Row], zh: bool) -> list[Row]:
    """Reasons with the plots that they speak of, by their numbers in the letter; none where they speak of all."""
    numbers = {parcel["id"]: number for number, parcel in enumerate(parcels, start=1)}
    places = {code: ids for one in farm["settle"] for code, ids in one["codes"]}
    for reason in reasons:
        mine = sorted(numbers[name] for name in places.get(reason["code"], []) if name in numbers)
        plots = ""
        if mine and len(mine) < len(parcels):
            told = ("、" if zh else ", ").join(map(str, mine))
            plots = f"第{told}块" if zh else f"Plot {told}" if len(mine) == 1 else f"Plots {told}"
        reason["plots"] = plots
    return reasons


def tell_reasons(farm: Row, told: Row, lang: str, advise: Advise) -> list[Row]:
    """The reasons of a decision in their order: what is so, what can be done, and by when.

    Args:
        farm: one of `told["farms"]`.
        told: what `tell_farms` gave.
        lang: `en` or `zh`.
        advise: what can be done about a reason.
    """
    zh = lang == "zh"
    end = told["season"][1]
    codes = [code for code, *_ in farm["reasons"]]
    season_end = date.fromisoformat(end) if end else None
    advice = advise_reasons(codes, farm["settle"], date.fromisoformat(told["as_of"]), season_end, lang, advise)
    return [
        {"code": code, "said": texts[zh] or word("flag", code)[zh], "advice": advice_line(*advice[code], lang)}
        for code, *texts in farm["reasons"]
    ]


def _parcel(parcel: Row, told: Row, zh: bool) -> str:
    """One parcel in a line: land, crop, stages and what struck it; of one that was not judged, why."""
    shown = tell_parcel(parcel, told, {})
    comma, gap = ("，", "；") if zh else (", ", "; ")
    land = [] if parcel["mu"] is None else [_land(parcel["mu"], parcel["ha"], zh)]
    if parcel["status"] in JUDGED:
        several = "、" if zh else " and "
        crops = [several.join(crop["names"][zh] for crop in shown["crops"])]
        after = [said[zh] for said in (*shown["stages"], *shown["events"])]
    else:
        crops, after = [shown["status_words"][zh]], [pair[zh] for pair in (shown["reason"], shown["figures"]) if pair]
    return gap.join([comma.join([*land, *crops]), *after])


def _land(mu: float, ha: float, zh: bool) -> str:
    return f"{mu:,.1f}亩（{ha:,.2f}公顷）" if zh else f"{mu:,.1f} mu ({ha:,.2f} ha)"


def write_letter(
    publication: Path,
    farm_id: str,
    lang: str,
    out: Path,
    advise: Advise,
    *,
    pdf: bool = False,
    stands: NowStands | None = None,
) -> list[Path]:
    """Write a farm's letter, and the same as PDF if asked for.

    Args:
        publication: folder of a publication.
        farm_id: whose letter.
        lang: `en` or `zh`.
        out: the HTML file; the PDF lies beside it under the same name.
        advise: what can be done about a reason.
        pdf: with the PDF; needs the extra `pdf`.
        stands: what stands after people acted; None where nobody did.

    Raises:
        ConfigError: see `render_letter`; or the extra is not installed.
        StoreError: the file cannot be written.
    """
    text = render_letter(publication, farm_id, lang, advise, stands)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8", newline="\n")
        return [out, write_pdf(text, out.with_suffix(".pdf"))] if pdf else [out]
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error


def letter_files(farm_ids: Sequence[str], lang: str) -> dict[str, str]:
    """File name of each farm's letter."""
    from acreline.report.read import farm_files

    return {farm_id: f"{Path(name).stem}_{lang}.html" for farm_id, name in farm_files(farm_ids).items()}
