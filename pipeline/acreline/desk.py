# SPDX-License-Identifier: Apache-2.0
"""What people ask of a run once it is done: the farm table, a trail in words, another policy, what there is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.config import (
    Crop,
    Provider,
    find_config,
    list_configs,
    list_policies,
    policy_period,
    read_family,
    read_policy,
    read_settings,
)
from acreline.errors import ConfigError, StoreError
from acreline.records import NO_CROP, Decision, Farm
from acreline.tables import farm_from_json
from acreline.units import m2_to_ha, m2_to_mu

if TYPE_CHECKING:
    from acreline.report.doubts import Doubt

SIM_CROPS = "crops"
"""Lies beside the counties of configs/simulate/ and is none."""
MOST_NAMED = 4
"""Parcels that a line names, of those that share a doubt."""
KINDS = ("crops", "providers", "rules", "events", "policies", "models", "regions", "counties")


def farm_rows(farms: Sequence[Farm], decisions: Sequence[Decision], lang: str = "en") -> Iterator[tuple[str, ...]]:
    """One row per farm for the table of a run: farm, parcels, mu, ha, crop, health, limit, outcome, first reason."""
    from acreline.credit import reason_words

    for farm, decision in zip(farms, decisions, strict=True):
        main = [(stand.crop_confidence, stand.area_m2.mid) for stand in farm.stands if stand.crop == farm.main_crop]
        land = sum(area for _, area in main)
        confidence = sum(share * area for share, area in main) / land if land else None
        crop = farm.main_crop or "unknown"
        yield (
            farm.farm_id,
            str(len(farm.parcel_ids)),
            "-" if farm.area_m2 is None else f"{m2_to_mu(farm.area_m2):.1f}",
            "-" if farm.area_m2 is None else f"{m2_to_ha(farm.area_m2):.2f}",
            crop if confidence is None else f"{crop} {confidence:.0%}",
            farm.health,
            "-" if decision.limit is None else f"{decision.limit:,} {decision.currency}",
            decision.outcome,
            reason_words(decision.reasons[0], lang) if decision.reasons else "",
        )


def decision_rows(decisions: Sequence[Decision]) -> list[dict[str, str]]:
    """Farm id and outcome in a few words, for comparing two policies."""
    return [
        {
            "farm_id": d.farm_id,
            "words": d.outcome if d.limit is None else f"{d.outcome} {d.limit:,} {d.currency}",
        }
        for d in decisions
    ]


def report_pages(publication: Path) -> list[str]:
    """Where people find what a publication tells: the map page, then the folder of the farms' pages if there are any.

    Raises:
        StoreError: there is no map page.
    """
    page = publication / "report" / "index.html"
    if not page.is_file():
        raise StoreError(f"{page}: no map page", hint="run the region again")
    return [str(path) for path in (page, page.parent / "farms") if path.exists()]


def read_farms(publication: Path) -> tuple[list[Farm], date]:
    """The measured farms of a publication and the day they were judged on.

    Raises:
        StoreError: the trail is missing or damaged.
    """
    lines = _trail(publication)
    if not lines:
        raise StoreError(f"{publication}: an empty trail", hint="run the region again")
    try:
        return [farm_from_json(line["farm"]) for line in lines], date.fromisoformat(lines[0]["as_of"])
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise _damaged(publication, f"a line holds no farm: {type(error).__name__}: {error}") from error


def decide_again(
    publication: Path, policy: str, *, retired: Path | None = None, now: datetime | None = None
) -> tuple[list[Decision], list[Decision]]:
    """Decisions of a publication under the policy it was made with, and under another one.

    Args:
        publication: its folder.
        policy: name or path of the other policy.
        retired: the bank's own list of retired policies and models, beside the packaged one.
        now: the instant by which one counts as retired; None: the machine's clock.

    Returns:
        before and after; where the model that measured the farms was retired since, every case is referred.

    Raises:
        ConfigError: the policy is not known, does not compile or was retired.
    """
    from acreline.credit import assess_credit, compile_policy, decision_from_json, refer_retired
    from acreline.retired import find_retired, model_names, read_retired, refuse_retired_policy
    from acreline.store import read_manifest

    farms, day = read_farms(publication)
    before = [decision_from_json(line) for line in _trail(publication)]
    manifest = read_manifest(publication)
    names = {slug: (name_en, name_zh) for slug, _, name_zh, name_en in manifest["classes"]["crop"].values()}
    compiled = compile_policy(read_policy(policy, as_of=day), names)
    stops, model = read_retired(retired), manifest["model"]
    refuse_retired_policy(stops, compiled.policy.id, compiled.version, now=now)
    known_as = model_names(model["name"], model["version"], model.get("weights_sha256"))
    stopped = find_retired(stops, "model", known_as, now=now)
    told = stopped.facts() if stopped is not None else manifest.get("model_retired")
    if told:
        return before, refer_retired(farms, compiled, told, as_of=day)
    return before, assess_credit(farms, compiled, as_of=day, county=manifest.get("county"))


def explain_farm(publication: Path, farm_id: str, lang: str) -> list[str]:
    """One farm's decision: what was seen, why, each step, what struck its parcels, what was noted and what is open.

    Raises:
        ConfigError: no such farm, or a language that is not spoken.
        StoreError: a table of the publication is missing or damaged.
    """
    from acreline.credit import decision_from_json, explain_decision
    from acreline.credit.actions import advise
    from acreline.report.doubts import read_frame
    from acreline.report.explain import advice_lines, amount_lines, seen_lines
    from acreline.store import read_manifest

    if lang not in ("en", "zh"):
        raise ConfigError(f"--lang: {lang!r} is not spoken", hint="en or zh")
    lines = {line["farm_id"]: line for line in _trail(publication)}
    if farm_id not in lines:
        raise ConfigError(f"no farm {farm_id!r} in this run", hint=f"known: {', '.join(sorted(lines)[:20])}")
    decision = decision_from_json(lines[farm_id])
    struck = [
        *_what_land(publication, farm_id, lang),
        *_what_grew(publication, farm_id, lang),
        *_what_struck(publication, farm_id, lang),
    ]
    farm, manifest = farm_from_json(lines[farm_id]["farm"]), read_manifest(publication)
    noted, settled = _what_is_open(publication, farm, decision, lang)
    frame = read_frame(manifest)
    told = explain_decision(
        decision,
        lang,
        seen=seen_lines(farm, manifest, lang),
        advice=advice_lines(decision, settled, None if frame is None else frame.end, lang, advise),
        drawn=amount_lines(decision, lang),
    )
    due = _schedule_of(publication, farm_id, lang)
    return [*told, *due, *struck, *noted, *_settled(settled, decision, zh=lang == "zh")]


def _what_land(publication: Path, farm_id: str, lang: str) -> list[str]:
    """Declared, drawn, registered and planted land of a farm's parcels, a line each."""
    from acreline.report.areas import areas_line, parcel_areas
    from acreline.report.doubts import read_parcels
    from acreline.report.words import word

    zh = lang == "zh"
    rows = [row for row in read_parcels(publication, farm_id) if row["status"] != "rejected"]
    told = [(row["id"], line[zh]) for row in rows if (line := areas_line(parcel_areas(row)))]
    head = word("ui", "areas")[zh] + ("：" if zh else ":")
    return [head, *(f"- {name} {line}" for name, line in told)] if told else []


def _what_grew(publication: Path, farm_id: str, lang: str) -> list[str]:
    """Stage and dates of what stands on a farm's parcels, a line each."""
    from acreline.report.doubts import JUDGED, read_parcels
    from acreline.report.read import read_rows
    from acreline.report.stages import season_line
    from acreline.report.words import word

    zh = lang == "zh"
    mine = {row["id"] for row in read_parcels(publication, farm_id) if row["status"] in JUDGED}
    rows = [row for row in read_rows(publication, "seasons") if row["parcel_id"] in mine and row["crop"] != NO_CROP]
    gap, colon = ("；", "：") if zh else ("; ", ": ")
    counts = {row["parcel_id"]: row["seasons"] for row in reversed(rows) if row["seasons"]}
    lines = []
    for row in rows:
        count = counts.pop(row["parcel_id"], None)  # of the parcel: said once, with its first stand
        said = "" if count is None else f"{gap}{word('ui', 'crops_a_year')[zh]}{colon}{count}"
        lines.append(f"- {row['parcel_id']} {season_line(row)[zh]}{said}")
    head = word("ui", "stage")[zh] + ("：" if zh else ":")
    return [head[:1].upper() + head[1:], *lines] if lines else []


def _schedule_of(publication: Path, farm_id: str, lang: str) -> list[str]:
    """How a limit is paid out and falls due, a line each; none where the policy has no schedule."""
    from acreline.report.read import read_schedule

    rows = read_schedule(publication).get(farm_id, [])
    head = "放款与还款：" if lang == "zh" else "Paying out and paying back:"
    return [head, *(f"- {row[f'text_{lang}']}" for row in rows)] if rows else []


def _what_struck(publication: Path, farm_id: str, lang: str) -> list[str]:
    """The events of a farm's parcels, a line each, and the kinds that were not looked for."""
    from acreline.notices import not_looked_for
    from acreline.report.doubts import read_parcels
    from acreline.report.event_words import event_line
    from acreline.report.read import read_manifest, read_rows
    from acreline.report.words import word

    zh = lang == "zh"
    mine = {row["id"] for row in read_parcels(publication, farm_id)}
    rows = [row for row in read_rows(publication, "events") if row["parcel_id"] in mine]
    head = word("ui", "events")[zh] + ("：" if zh else ":")
    told = [head, *(f"- {row['parcel_id']} {event_line(row)[zh]}" for row in rows)] if rows else []
    left_out = read_manifest(publication).get("not_looked_for") or []
    return [*told, not_looked_for(left_out)[lang]] if left_out else told


def _what_is_open(
    publication: Path, farm: Farm, decision: Decision, lang: str
) -> tuple[list[str], list[dict[str, Any]]]:
    """What is noted of a farm's parcels, with its figures, and what settles all that is open, cheapest first."""
    from acreline.report.doubts import (
        farm_doubts,
        open_farm,
        parcel_doubts,
        read_codes,
        read_frame,
        read_parcels,
        settle,
    )
    from acreline.store import read_manifest

    frame = read_frame(read_manifest(publication))
    said = open_farm(
        farm.reason, farm.flags, farm.clear_looks, ((step.code, step.outcome, step.evidence) for step in decision.trail)
    )
    parcels = read_parcels(publication, farm.farm_id)
    rows = read_codes(publication, [row["id"] for row in parcels])
    theirs = [doubt for row in parcels for doubt in parcel_doubts(row, rows.get(row["id"], []), said, frame)]
    return _noted(parcels, theirs, zh=lang == "zh"), settle(farm_doubts(said, theirs, frame))


def _noted(parcels: Sequence[Mapping[str, Any]], doubts: Sequence[Doubt], *, zh: bool) -> list[str]:
    """Why each parcel has its status, with the figures, and the notes, which ask for nothing, with their parcels."""
    from acreline.codes import all_codes
    from acreline.report.detail_words import detail_said
    from acreline.report.words import word

    colon = "：" if zh else ": "
    lines = []
    for row in parcels:
        figures = detail_said(row["detail"])
        why = [word("flag", row["reason"])[zh]] if row["reason"] else []
        why += [figures[zh]] if figures else []
        lines += [f"- {row['id']} {colon.join(why)}"] if why else []
    notes: dict[str, list[str]] = {}
    for doubt in doubts:
        if doubt.code in all_codes() and all_codes()[doubt.code].kind == "note":
            notes.setdefault(doubt.code, []).append(doubt.parcel_id)
    lines += [f"- {word('flag', code)[zh]}{_where(places, zh)}" for code, places in notes.items()]
    return [word("ui", "noted")[zh] + colon.strip(), *lines] if lines else []


def _settled(told: Sequence[Mapping[str, Any]], decision: Decision, *, zh: bool) -> list[str]:
    """The cheapest that settles all that is open, a line per action with its codes and their parcels."""
    from acreline.report.words import word

    lines = []
    for one in told:
        done = word("action", one["action"])[zh]
        if one["until"]:
            done += word("ui", "until_about")[zh] + one["until"]
        doubts = [word("flag", code)[zh] + _where(places, zh) for code, places in one["codes"]]
        lines.append(f"- {done}：{'；'.join(doubts)}" if zh else f"- {done}: {'; '.join(doubts)}")
    head = word("ui", "would_settle" if decision.limit is None else "would_sharpen")[zh]
    return [head + ("，花费最少的在前：" if zh else ", cheapest first:"), *lines] if lines else []


def _where(parcels: Sequence[str], zh: bool) -> str:
    """Parcels in brackets, the first few by name."""
    names = ("、" if zh else ", ").join(parcels[:MOST_NAMED])
    more = len(parcels) - MOST_NAMED
    if more > 0:
        names += f"等{len(parcels)}块" if zh else f" and {more} more"
    return "" if not parcels else f"（{names}）" if zh else f" ({names})"


def list_kind(kind: str) -> list[str]:
    """What is known of one kind, a line each, and what to type next.

    Raises:
        ConfigError: no such kind.
    """
    if kind not in KINDS:
        raise ConfigError(f"{kind!r} is no kind", hint=f"one of {', '.join(KINDS)}")
    if kind == "rules":
        from acreline.credit import list_rules

        return [*list_rules(), "next: name them in a policy, configs/policies/<slug>.yaml"]
    if kind == "events":
        from acreline.events import list_detectors

        return [*list_detectors(), "next: name them under `events:` in a region file"]
    if kind == "counties":
        from acreline.simulate.settings import read_county

        found = [name for name in list_configs("simulate") if name != SIM_CROPS]
        lines = [f"{name:<16} {read_county(name).title}" for name in found]
        return [*lines, "next: acreline simulate <name> --out DIR"]
    names = list_policies() if kind == "policies" else list_configs(kind)
    if kind == "crops":
        crops = [read_settings(Crop, find_config(kind, name)) for name in names]
        lines = [f"{crop.slug:<14} {crop.name_zh}  {crop.name_en} (slot {crop.slot})" for crop in crops]
        return [*lines, "next: name them under `crops:` in a region file"]
    if kind == "providers":
        providers = [read_settings(Provider, find_config(kind, name)) for name in names]
        lines = [f"{name:<20} {p.title}" for name, p in zip(names, providers, strict=True)]
        return [*lines, "next: `provider: <name>` in a region file"]
    if kind == "policies":
        lines = []
        for name in names:
            first, *later = read_family(name)
            lines.append(f"{name:<20} {first.id}, {policy_period(first)}: {first.title}")
            lines += [f"{'':<20} {p.id}, {policy_period(p)}: {p.title}" for p in later]
        return [*lines, "next: acreline credit RUN --policy <name>"]
    if kind == "models":
        from acreline.model.card import is_packaged

        lines = [f"{name:<14} {'packaged' if is_packaged(name) else 'to be trained'}" for name in names]
        return [*lines, "next: acreline evaluate <name>, or acreline train <name> --out DIR where it is to be trained"]
    return [*names, "next: acreline check configs/regions/<name>.yaml"]


def _trail(publication: Path) -> list[dict[str, Any]]:
    try:
        text = (publication / "trail.jsonl").read_text(encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{publication}: no trail.jsonl", hint="run the region again") from error
    except UnicodeDecodeError as error:
        raise _damaged(publication, error) from error
    lines: list[dict[str, Any]] = []
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), start=1):
        try:
            lines.append({"farm_id": None, **json.loads(line)})
        except (ValueError, TypeError) as error:
            raise _damaged(publication, f"line {number}: {error}") from error
    return lines


def _damaged(publication: Path, found: object) -> StoreError:
    return StoreError(
        f"{publication}: trail.jsonl is damaged: {found}",
        hint="see what was changed with `acreline verify`, then run the region again",
    )
