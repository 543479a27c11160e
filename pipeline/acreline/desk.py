# SPDX-License-Identifier: Apache-2.0
"""What people ask of a run once it is done: the farm table, a trail in words, another policy, what there is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.config import (
    Crop,
    Policy,
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
from acreline.money import check_rate, farms_at
from acreline.records import Decision, Farm
from acreline.tables import farm_from_json
from acreline.units import m2_to_ha, m2_to_mu

if TYPE_CHECKING:
    from acreline.people.acts import Act
    from acreline.report.standing import NowStands, PeopleActs

SIM_CROPS = "crops"
"""Lies beside the counties of configs/simulate/ and is none."""
KINDS = ("crops", "providers", "rules", "events", "policies", "models", "regions", "counties", "exports", "reasons")


def farm_rows(
    farms: Sequence[Farm],
    decisions: Sequence[Decision],
    lang: str = "en",
    acts: Mapping[str, Sequence[Act]] | None = None,
) -> Iterator[tuple[str, ...]]:
    """One row per farm for the table of a run: farm, parcels, mu, ha, crop, health, limit, outcome, first reason.

    Where people acted (`acts`, from `read_acts`) it is what stands after them, and the last act in the reason's place.
    """
    from acreline.credit import reason_words
    from acreline.people.acts import stand
    from acreline.people.tell import ask_lines, stand_lines

    for farm, decision in zip(farms, decisions, strict=True):
        now = stand(decision, (acts or {}).get(farm.farm_id, ()))
        told = [*stand_lines(now, decision.currency, lang), *ask_lines(now, lang)]
        said = reason_words(decision.reasons[0], lang) if decision.reasons else ""
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
            "-" if now.amount.limit is None else f"{now.amount.limit:,} {decision.currency}",
            now.amount.outcome,
            told[0] if told else said,
        )


def count_lines(counts: Mapping[str, Mapping[str, int]], *, acted: bool = False) -> list[str]:
    """The counts of a run, a line each; the outcomes are the machine's, which the table is not where people acted.

    Args:
        counts: of the manifest.
        acted: people acted on farms of the table above.
    """
    lines = []
    for name in ("parcels", "farms", "scenes"):
        told = ", ".join(f"{value} {key}" for key, value in counts[name].items() if value)
        lines.append(f"{name}: {told}" if name != "farms" else f"farms, by the machine: {told}")
        if acted and name == "farms":
            lines[-1] += " (the table: what stands after people acted)"
    return lines


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
        hint = "`acreline report RUN --out FILE` draws it again where it was pruned; else run the region again"
        raise StoreError(f"{page}: no map page", hint=hint)
    return [str(path) for path in (page, page.parent / "farms") if path.exists()]


def read_farms(publication: Path) -> tuple[list[Farm], date]:
    """The measured farms of a publication and the day they were judged on.

    Raises:
        StoreError: the trail is missing or damaged.
    """
    lines = read_trail(publication)
    if not lines:
        raise StoreError(f"{publication}: an empty trail", hint="run the region again")
    try:
        return [farm_from_json(line["farm"]) for line in lines], date.fromisoformat(lines[0]["as_of"])
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise _damaged(publication, f"a line holds no farm: {type(error).__name__}: {error}") from error


def decide_again(
    publication: Path,
    policy: str,
    *,
    rate: Decimal | None = None,
    retired: Path | None = None,
    now: datetime | None = None,
) -> tuple[list[Decision], list[Decision]]:
    """Decisions of a publication under the policy it was made with, and under another one.

    Args:
        publication: its folder.
        policy: name or path of the other policy.
        rate: units of its currency for one of the publication's, at which requests and debts are told in it; None
            where both are one.
        retired: the bank's own list of retired policies and models, beside the packaged one.
        now: the instant by which one counts as retired; None: the machine's clock.

    Returns:
        before and after; where the model that measured the farms was retired since, every case is referred, and so is
        a farm whose appeal is open.

    Raises:
        ConfigError: the policy is not known, does not compile or was retired, or a rate is missing or too much.
    """
    from acreline.credit import assess_credit, compile_policy, decision_from_json, refer_retired, refer_reviewed
    from acreline.people.acts import run_root
    from acreline.people.appeals import open_reviews
    from acreline.retired import find_retired, model_names, read_retired, refuse_retired_policy
    from acreline.store import read_manifest

    farms, day = read_farms(publication)
    before = [decision_from_json(line) for line in read_trail(publication)]
    manifest = read_manifest(publication)
    names = {slug: (name_en, name_zh) for slug, _, name_zh, name_en in manifest["classes"]["crop"].values()}
    compiled = compile_policy(read_policy(policy, as_of=day), names)
    stops, model = read_retired(retired), manifest["model"]
    refuse_retired_policy(stops, compiled.policy.id, compiled.version, now=now)
    farms = in_money_of(compiled.policy, farms, before, rate)
    known_as = model_names(model["name"], model["version"], model.get("weights_sha256"))
    stopped = find_retired(stops, "model", known_as, now=now)
    told = stopped.facts() if stopped is not None else manifest.get("model_retired")
    if told:
        after = refer_retired(farms, compiled, told, as_of=day)
    else:
        after = assess_credit(farms, compiled, as_of=day, county=manifest.get("county"))
    return before, refer_reviewed(after, open_reviews(run_root(publication)))


def in_money_of(
    policy: Policy, farms: list[Farm], before: Sequence[Decision], rate: Decimal | None = None
) -> list[Farm]:
    """Measured farms as another policy may judge them: what their applicants said of money in its currency.

    Args:
        policy: that is to decide.
        farms: of a publication.
        before: its decisions, whose currency is that of the applicants' money in it.
        rate: units of the policy's currency for one of theirs; None where both are one.

    Raises:
        ConfigError: a rate is missing, or given to no purpose.
    """
    of = before[0].currency if before else policy.currency
    if of == policy.currency or any(farm.applicant is not None for farm in farms):
        check_rate(of, policy.id, policy.currency, rate, "as --rate")
    return farms if rate is None else farms_at(farms, rate)


def explain_farm(publication: Path, farm_id: str, lang: str) -> list[str]:
    """One farm's decision: what people did to it, what was seen, why, each step, what struck it and what is open.

    Raises:
        ConfigError: no such farm, or a language that is not spoken.
        StoreError: a table of the publication is missing or damaged.
    """
    from acreline.credit import decision_from_json, explain_decision
    from acreline.credit.actions import advise
    from acreline.people.acts import read_acts, run_root, stand
    from acreline.people.tell import ask_lines, stand_lines
    from acreline.report.explain import advice_lines, amount_lines, read_case, seen_lines, told_lines

    if lang not in ("en", "zh"):
        raise ConfigError(f"--lang: {lang!r} is not spoken", hint="en or zh")
    lines = {line["farm_id"]: line for line in read_trail(publication)}
    if farm_id not in lines:
        raise ConfigError(f"no farm {farm_id!r} in this run", hint=f"known: {', '.join(sorted(lines)[:20])}")
    decision, farm = decision_from_json(lines[farm_id]), farm_from_json(lines[farm_id]["farm"])
    now = stand(decision, read_acts(run_root(publication)).get(farm_id, ()))
    case = read_case(publication, farm, decision)
    told = explain_decision(
        decision,
        lang,
        seen=[
            *stand_lines(now, decision.currency, lang),
            *ask_lines(now, lang),
            *seen_lines(farm, case.manifest, lang),
        ],
        advice=advice_lines(case, lang, advise),
        drawn=amount_lines(decision, lang),
    )
    return [*told, *told_lines(case, zh=lang == "zh")]


def find_standing(publication: Path, farm_id: str) -> NowStands | None:
    """What stands for a farm after people acted, in plain values for letter and page; None where nobody did anything.

    Raises:
        StoreError: the trail is missing or damaged, or the log beside it does not hold.
    """
    from acreline.credit import decision_from_json
    from acreline.people.acts import read_acts, run_root, stand
    from acreline.people.tell import now_stands

    acts = read_acts(run_root(publication)).get(farm_id, ())
    if not acts:
        return None
    line = next((line for line in read_trail(publication) if line["farm_id"] == farm_id), None)
    decision = None if line is None else decision_from_json(line)
    return None if decision is None else now_stands(stand(decision, acts), decision.currency)


def find_people(publication: Path) -> PeopleActs | None:
    """What people did on all farms of a run, for its portfolio; None for a copied publication, which has no log.

    Raises:
        StoreError: the trail is missing or damaged, or the log beside it does not hold.
    """
    from acreline.credit import decision_from_json
    from acreline.people.acts import read_acts, run_root, stand
    from acreline.people.appeals import read_appeals
    from acreline.people.asks import read_asks
    from acreline.people.tell import ask_rows, case_rows, now_stands
    from acreline.report.standing import PeopleActs
    from acreline.retired import utc_now

    root = run_root(publication)
    if root is None:
        return None
    acts = read_acts(root)
    stands: dict[str, NowStands] = {}
    for line in read_trail(publication) if acts else ():
        if line["farm_id"] in acts:
            decision = decision_from_json(line)
            now = now_stands(stand(decision, acts[decision.farm_id]), decision.currency)
            if now is not None:
                stands[decision.farm_id] = now
    today = utc_now().date()
    return PeopleActs(stands, case_rows(read_appeals(acts), today), ask_rows(read_asks(acts), today))


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
    if kind == "exports":
        from acreline.export import find_export, list_exports

        kinds = [f"{name:<14} {find_export(name).TITLE}" for name in list_exports()]
        return [*kinds, "next: acreline export RUN --to <kind> --out PLACE"]
    if kind == "reasons":
        from acreline.people.authority import read_reasons

        told = [f"{one.slug:<20} {', '.join(one.ways)}: {one.said[0]}" for _, one in sorted(read_reasons().items())]
        return [*told, "next: acreline override RUN FARM --to AMOUNT --reason <code> --why TEXT"]
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


def read_trail(publication: Path) -> list[dict[str, Any]]:
    """The lines of a publication's trail, in order.

    Raises:
        StoreError: it is missing or damaged.
    """
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
