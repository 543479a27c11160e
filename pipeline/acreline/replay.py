# SPDX-License-Identifier: Apache-2.0
"""A past decision made again from what its publication kept: the same bytes, or the names of what changed.

Nothing but the publication's folder is read: facts from the trail, policy, crop names and sums from `lineage.json`. No
scene, region file, policy file or network is asked, so a copied folder on another machine does. A trail of earlier code
is compared in the words of that code: `credit/earlier.py` says which facts were renamed since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from acreline import __version__
from acreline.chain import START, Chain
from acreline.credit import (
    EDITION,
    CompiledPolicy,
    decide_alone,
    decision_from_json,
    decision_to_json,
    edition_of,
    refer_retired,
    refer_reviewed,
    renamed_since,
    tell_as,
)
from acreline.errors import ConfigError, StoreError
from acreline.lineage import LINEAGE_FILE, deciding_code, read_compiled, read_lineage
from acreline.records import Decision, Farm, Step
from acreline.retired import find_retired, model_names, policy_names, read_retired
from acreline.tables import farm_from_json, farm_to_json

SAMPLE = 100
"""Decisions made again where no farm is named: spread evenly over the trail."""
COMPARED = ("outcome", "limit", "currency", "binding_rule", "reasons", "policy_id")


@dataclass(frozen=True)
class Replayed:
    """One decision made again."""

    farm_id: str
    same: bool
    """Byte for byte the line that was published, its place in the chain too."""
    changes: tuple[str, ...] = ()
    """What is not as published, in words."""


@dataclass(frozen=True)
class Replay:
    """Some decisions of a publication made again."""

    notes: tuple[str, ...]
    """True of all of them: code or lineage that changed, a policy or model that was retired since."""
    decisions: tuple[Replayed, ...]
    of: int
    """Decisions the publication holds."""


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    before: str
    raw: dict[str, Any]
    farm: Farm


def replay_run(
    publication: Path, farm_ids: Sequence[str] = (), *, whole: bool = False, now: datetime | None = None
) -> Replay:
    """Make decisions of a publication again and hold them beside the published bytes.

    The trail is read line by line, so a large county fills no memory.

    Args:
        publication: its folder; a copy does.
        farm_ids: farms to compare; none: `SAMPLE` of them, spread evenly.
        whole: compare all.
        now: the instant by which a policy or model counts as retired; None: the machine's clock.

    Raises:
        ConfigError: no such farm.
        StoreError: trail or lineage is missing or damaged, or was kept by a version that kept no lineage.
    """
    lineage, trail = read_lineage(publication), publication / "trail.jsonl"
    shared = hashlib.sha256((publication / LINEAGE_FILE).read_bytes()).hexdigest()
    done, number = [], 0
    try:
        policy = read_compiled(lineage)
        chosen = _choose(trail, farm_ids, whole=whole)
        before = START
        with trail.open(encoding="utf-8", newline="\n") as stream:
            for number, ended in enumerate(stream, start=1):
                text = ended.removesuffix("\n")
                if chosen(number, text):
                    raw = json.loads(text)
                    line = _Line(number, text, before, raw, farm_from_json(raw["farm"]))
                    decision = _decide(line, policy, lineage)
                    done.append(_compare(publication, line, decision, policy, shared))
                before = text[-66:-2]
        notes = tuple(_notes(lineage, policy, now))
    except OSError as error:
        raise StoreError(f"{trail}: cannot be read: {error.strerror}", hint="give the OUT folder of a run") from error
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise _damaged(publication, f"{type(error).__name__}: {error}") from error
    missing = sorted(set(farm_ids) - {one.farm_id for one in done})
    if missing:
        raise ConfigError(f"no farm {missing[0]!r} in this run", hint="`acreline report RUN` says where its farms are")
    return Replay(notes, tuple(done), number)


def replay_lines(replay: Replay) -> list[str]:
    """The outcome in words: a line per decision that changed, with what changed below it, and the count of the rest."""
    changed = [one for one in replay.decisions if not one.same]
    lines = list(replay.notes)
    for one in changed:
        told = dict.fromkeys(one.changes)  # several steps may differ by the same fact
        lines += [f"{one.farm_id}: not the same", *(f"  {words}" for words in told)]
    same = len(replay.decisions) - len(changed)
    if same == 1:
        lines += [f"{one.farm_id}: same, byte for byte" for one in replay.decisions if one.same]
    elif same:
        lines.append(f"{same} of {len(replay.decisions)} decisions: same, byte for byte ({replay.of} in the trail)")
    return lines


def _decide(line: _Line, policy: CompiledPolicy, lineage: Mapping[str, Any]) -> Decision:
    day, retired = date.fromisoformat(line.raw["as_of"]), lineage["model_retired"]
    if retired:
        decision = refer_retired([line.farm], policy, retired, as_of=day)[0]
    else:
        person, county = line.raw["lineage"]["person"], lineage["county"]
        decision = decide_alone(line.farm, policy, lineage["totals"], person, as_of=day, county=county)
    review = line.raw["lineage"].get("review")
    if review is not None:
        decision = refer_reviewed([decision], {decision.farm_id: review})[0]
    return tell_as(decision, line.farm, policy, edition_of(lineage["code"]))


def _choose(trail: Path, wanted: Sequence[str], *, whole: bool) -> Callable[[int, str], bool]:
    """Which lines are compared, told by number and text: a line that is not asked for is never parsed."""
    if whole:
        return lambda number, text: True
    if wanted:
        keys = [f'"farm_id":{json.dumps(farm_id, ensure_ascii=False)}' for farm_id in wanted]
        return lambda number, text: any(key in text for key in keys) and json.loads(text).get("farm_id") in wanted
    with trail.open("rb") as stream:
        lines = sum(1 for _ in stream)
    numbers = {k * lines // SAMPLE + 1 for k in range(SAMPLE)}
    return lambda number, text: number in numbers


def _notes(lineage: Mapping[str, Any], policy: CompiledPolicy, now: datetime | None) -> Iterator[str]:
    made, here = lineage["code"], {"acreline": __version__, "decides": deciding_code()}
    if made["acreline"] != here["acreline"]:
        yield f"code: made by acreline {made['acreline']}, made again by {here['acreline']}"
    elif made["decides"] != here["decides"]:
        yield f"code: made by the rules' code {made['decides']}, made again by {here['decides']}"
    edition = edition_of(made)
    if edition > EDITION:
        yield f"trail: of edition {edition}, newer than this code knows ({EDITION}): compare with the code that made it"
    yield from (row.words() for row in renamed_since(edition))
    model, stops = lineage["model"], read_retired()
    by_policy = find_retired(stops, "policy", policy_names(policy.policy.id, policy.version), now=now)
    names = model_names(model["name"], model["version"], model["weights_sha256"])
    by_model = find_retired(stops, "model", names, now=now)
    yield from (f"the {entry.words()}; it decides nothing new" for entry in (by_policy, by_model) if entry)


def _compare(publication: Path, line: _Line, decision: Decision, policy: CompiledPolicy, shared: str) -> Replayed:
    kept = {"farm": farm_to_json(line.farm), "lineage": line.raw.get("lineage")}
    again = Chain(line.before).seal({**decision_to_json(decision), **kept})
    lineage = line.raw.get("lineage") or {}
    changes = []
    if lineage.get("shared") != shared:
        changes.append(f"{LINEAGE_FILE} is not the one this decision was made with: it was edited or replaced")
    if line.raw.get("policy_id") != policy.name:
        changes.append(f"policy: decided under {line.raw.get('policy_id')}, the kept text is {policy.name}")
    if again == line.text and not changes:
        return Replayed(line.raw["farm_id"], same=True)
    changes += _other_facts(publication, line)
    published = decision_from_json(line.raw)
    changes += [
        f"{name}: {_told(getattr(published, name))} -> {_told(getattr(decision, name))}"
        for name in COMPARED
        if name != "policy_id" and getattr(published, name) != getattr(decision, name)
    ]
    changes += _other_steps(published.trail, decision.trail)
    if again != line.text and not changes:
        changes.append(f"line {line.number} of the trail was edited since: the decision holds, its seal does not")
    return Replayed(line.raw["farm_id"], same=False, changes=tuple(changes))


def _other_steps(published: Sequence[Step], again: Sequence[Step]) -> Iterator[str]:
    """Figures that a rule was shown then and now."""
    if [step.rule for step in published] != [step.rule for step in again]:
        yield f"rules asked: {_told([s.rule for s in published])} -> {_told([s.rule for s in again])}"
        return
    for old, new in zip(published, again, strict=True):
        for name in sorted({*old.evidence, *new.evidence}):
            then, now = old.evidence.get(name), new.evidence.get(name)
            if then != now:
                yield f"{old.rule}, {name}: {_told(then)} -> {_told(now)}"
        if old.evidence == new.evidence and old != new:
            yield f"{old.rule}: {old.code}: {old.text_en!r} -> {new.code}: {new.text_en!r}"


def _other_facts(publication: Path, line: _Line) -> Iterator[str]:
    """Facts of the trail that the publication's own tables tell otherwise: one of the two was edited."""
    import pandas as pd

    from acreline.tables import farms_table, stands_table

    keys = {"farms": ("farm_id",), "stands": ("farm_id", "parcel_id", "slot")}
    for table, made in (("farms", farms_table([line.farm])), ("stands", stands_table([line.farm]))):
        path = publication / f"{table}.parquet"
        if not path.is_file():
            continue
        kept = pd.read_parquet(path, filters=[("farm_id", "==", line.farm.farm_id)])
        if len(kept) != len(made):
            yield f"fact: {len(made)} rows of {table} in the trail, {len(kept)} in {path.name}"
            continue
        kept, made = (frame.sort_values(list(keys[table])).reset_index(drop=True) for frame in (kept, made))
        for column in (name for name in made.columns if name in kept.columns):
            for row, (then, now) in enumerate(zip(kept[column], made[column], strict=True)):
                if (pd.isna(then), str(then)) != (pd.isna(now), str(now)) and not (pd.isna(then) and pd.isna(now)):
                    where = " ".join(str(made[key][row]) for key in keys[table])
                    yield f"fact {column} ({where}): {then} in {path.name}, {now} in the trail"


def _told(value: object) -> str:
    return "none" if value is None else ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _damaged(publication: Path, found: object) -> StoreError:
    return StoreError(
        f"{publication}: the decisions cannot be made again: {found}",
        hint="the trail or its lineage was edited: see `acreline verify`",
    )
