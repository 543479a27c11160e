# SPDX-License-Identifier: Apache-2.0
"""One language of abstention: every code that is raised has words and an action, and every code has an example."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from acreline import codes as room
from acreline.codes import (
    ACTIONS,
    CURVE_LOOKS,
    LANGUAGES,
    Seen,
    all_codes,
    can_wait,
    cheapest_action,
    explain_codes,
    find_code,
    harvest_window,
    split_codes,
    wait_until,
    without_following,
)
from acreline.config import packaged_configs, packaged_crops
from acreline.curves import MIN_CURVE_LOOKS
from acreline.errors import ConfigError
from acreline.events import list_detectors
from acreline.records import STATUSES
from acreline.trial.field_crops import FEWEST_LOOKS
from tests.test_credit import decide, make_farm, read_cases

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "pipeline" / "acreline"
LAYERS = {
    "parcels": ("parcels/*.py", "geo.py"),
    "claims": ("claims.py",),
    "seasons": ("seasons/*.py",),
    "health": ("health.py",),
    "growth": ("growth.py",),
    "events": ("events/*.py",),
    "farms": ("farms/*.py", "run.py", "blocks.py"),
    "yields": ("yields.py",),
    "credit": ("credit/*.py", "credit/rules/*.py"),
    "evaluate": ("trial/leaf_area.py", "trial/field_yields.py", "trial/field_crops.py"),
}
"""Layer -> the modules that raise its codes."""
NOT_YET_RAISED: tuple[str, ...] = ()
"""Codes that have their words before any layer raises them."""
NO_ABSTENTION = {"harvest_below_minimum"}
"""A decline is a verdict."""

# --- what the layers raise ----------------------------------------------------------------------------------------
SLUG = re.compile(r"[a-z]+(_[a-z]+)+|suspected|incomplete")
KINDS = {
    "event_": {f"event_{line.split()[0]}" for line in list_detectors()},
    "status_": {f"status_{status}" for status in STATUSES if status != "ok"},
}
"""Codes that are put together: their beginning, and all they can become."""
TABLES = ("code", "codes", "missing", "flags", "verdicts", "reason", "failed")
"""Variables that hold codes."""


def name_of(node: ast.AST | None) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def texts(node: ast.AST | None) -> set[str]:
    """Codes that an expression may have as its value or among its values."""
    parts: list[ast.AST | None]
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) and SLUG.fullmatch(node.value) else set()
    if isinstance(node, ast.IfExp):
        parts = [node.body, node.orelse]
    elif isinstance(node, ast.BoolOp):
        parts = list(node.values)
    elif isinstance(node, ast.Tuple | ast.Set | ast.List):
        parts = list(node.elts)
    elif isinstance(node, ast.Dict):
        parts = list(node.keys)
    elif isinstance(node, ast.Lambda):
        parts = [node.body]
    elif isinstance(node, ast.DictComp):
        parts = [node.value]
    elif isinstance(node, ast.Call) and name_of(node.func) in ("full", "where", "frozenset"):
        parts = list(node.args)
    else:
        return set()
    return {text for part in parts for text in texts(part)}


def raised_in_call(node: ast.Call) -> set[str]:
    name, args = name_of(node.func), node.args
    found = {text for word in node.keywords if word.arg in ("code", "reason", "flags") for text in texts(word.value)}
    if name in ("join_codes", "_refer"):
        found |= texts(args[0])
    elif name in ("reject", "doubt"):
        found |= texts(args[1])
    elif name in ("add", "insert", "update") and name_of(getattr(node.func, "value", None)) in (*TABLES, "ranked"):
        found |= {text for arg in args for text in texts(arg)}
    elif name == "make_step":
        outcomes = [word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)]
        found |= texts(args[1]) if "refer" in outcomes or name_of(args[0]) == "ENGINE" else set()
    return found


def raised_in_assignment(node: ast.Assign) -> set[str]:
    found: set[str] = set()
    for target in node.targets:
        name = name_of(target)
        column = isinstance(target, ast.Subscript) and {"code", "reason"} & {
            part.value for part in ast.walk(target.slice) if isinstance(part, ast.Constant)
        }
        if name.endswith("_FLAGS") and isinstance(node.value, ast.Dict):
            found |= {text for value in node.value.values for text in texts(value)}
        elif column or name.lower() in TABLES or name.endswith("_CODES"):
            found |= texts(node.value)
    return found


def raised(path: Path) -> set[str]:
    """Codes that a module can raise, by the places in which a code stands: never by its name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            found |= raised_in_call(node)
        elif isinstance(node, ast.Assign):
            found |= raised_in_assignment(node)
        elif isinstance(node, ast.AnnAssign) and name_of(node.target) in TABLES:
            found |= {text for part in ast.walk(node) if isinstance(part, ast.Tuple) for text in texts(part)}
        elif isinstance(node, ast.Return) and not isinstance(node.value, ast.Dict):
            found |= texts(node.value)
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            found |= KINDS.get(str(node.values[0].value), set())
        elif isinstance(node, ast.Tuple) and node.elts and isinstance(node.elts[0], ast.Constant):
            found |= {t for part in node.elts[1:] for t in texts(part)} if node.elts[0].value == "reason" else set()
    return found - NO_ABSTENTION


@cache
def layers_by_code() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for layer, patterns in LAYERS.items():
        paths = [path for pattern in patterns for path in sorted(PACKAGE.glob(pattern))]
        assert paths, layer
        for path in paths:
            for code in raised(path):
                found.setdefault(code, set()).add(layer)
    return found


def test_every_code_that_a_layer_raises_is_in_the_table() -> None:
    missing = {code: sorted(layers) for code, layers in layers_by_code().items() if code not in all_codes()}
    assert missing == {}, "put them into configs/codes.yaml, with words and an action"


def test_no_code_is_kept_that_nobody_raises() -> None:
    assert [code for code in all_codes() if code not in layers_by_code() and code not in NOT_YET_RAISED] == []
    assert set(NOT_YET_RAISED) <= set(all_codes())


@pytest.mark.parametrize("slug", [slug for slug in all_codes() if slug not in NOT_YET_RAISED])
def test_a_code_names_the_layers_that_raise_it(slug: str) -> None:
    assert set(find_code(slug).layers) == layers_by_code()[slug]


def test_the_search_sees_a_code_in_each_place_where_one_can_stand(tmp_path: Path) -> None:
    lines = {
        "join_codes({'one_a': x}, n)": {"one_a"},
        "codes = {'two_a': x, 'two_b': y}": {"two_a", "two_b"},
        "verdict.reject(rows, 'three_a', 'words_here')": {"three_a"},
        "events.loc[alone, 'code'] = 'suspected'": {"suspected"},
        "replace(stand, code='four_a' if x else 'four_b')": {"four_a", "four_b"},
        "def f():\n    return normal, cv, stand.code or 'five_a'": {"five_a"},
        "flags.add('six_a')\nother.add('not_a_code')": {"six_a"},
        "make_step(NAME, 'seven_a', x, outcome='refer')\nmake_step(NAME, 'no_referral', x)": {"seven_a"},
        "rows = [('reason', np.full(n, 'eight_a')), ('detail', 'nothing_here')]": {"eight_a"},
        "SEASON_FLAGS = {'heard_only': 'nine_a'}": {"nine_a"},
        "verdicts: list = [(lost, 'failed', lambda i: 'ten_a', lambda i: f'{i} is_no_code')]": {"ten_a"},
        "def f():\n    return {'no_code': 1}": set(),
    }
    for text, wanted in lines.items():
        (tmp_path / "one.py").write_text(text, encoding="utf-8")
        assert raised(tmp_path / "one.py") == wanted, text


# --- words --------------------------------------------------------------------------------------------------------
def chinese(text: str) -> bool:
    return any("\u4e00" <= sign <= "\u9fff" for sign in text)


@pytest.mark.parametrize("slug", all_codes())
def test_a_code_speaks_both_languages_plainly(slug: str) -> None:
    code = find_code(slug)
    for english, han in (code.short, code.said):
        assert "_" not in english + han
        assert "{" not in english + han
        assert not chinese(english)
        assert chinese(han)
    assert code.said[0][0].isupper()
    assert code.said[0].endswith(".")
    assert code.said[1].endswith("。")
    assert explain_codes(slug, "en") == [code.said[0]]
    assert explain_codes(slug, "zh") == [code.said[1]]


def test_codes_are_explained_each_once_and_none_is_hidden() -> None:
    assert split_codes("few_looks|no_price|few_looks") == ("few_looks", "no_price")
    assert split_codes(None) == ()
    told = explain_codes("few_looks|moon_landing|few_looks", "en")
    assert told == [find_code("few_looks").said[0], "This was noted and a person looks: moon_landing."]
    assert explain_codes("", "zh") == []


def test_what_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="language 'fr' is not spoken") as caught:
        explain_codes("few_looks", "fr")
    assert caught.value.hint == f"one of {', '.join(LANGUAGES)}"
    with pytest.raises(ConfigError, match="code 'few_look' is not known") as caught:
        find_code("few_look")
    assert caught.value.hint == "did you mean 'few_looks'?"
    with pytest.raises(ConfigError) as caught:
        find_code("xyz")
    assert caught.value.hint == "see configs/codes.yaml"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": "wait"}, "no_price: waits_for and otherwise come with action wait"),
        ({"waits_for": "look"}, "no_price: waits_for and otherwise come with action wait"),
        ({"kind": "note"}, "no_price: a note asks for nothing"),
        ({"action": "prayer"}, r"action"),
        ({"remedy": "photo"}, r"remedy"),
        (None, "no_price stands twice"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(
    changes: dict[str, str] | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = yaml.safe_load((packaged_configs() / "codes.yaml").read_text(encoding="utf-8"))["codes"]
    [entry] = [one for one in raw if one["slug"] == "no_price"]
    made = [entry, entry] if changes is None else [entry | changes]
    (tmp_path / "codes.yaml").write_text(yaml.safe_dump({"codes": made}), encoding="utf-8")
    monkeypatch.setattr(room, "packaged_configs", lambda: tmp_path)
    with pytest.raises(ConfigError, match=words):
        all_codes.__wrapped__()


# --- what settles them --------------------------------------------------------------------------------------------
def settled(*codes: str, seen: Seen | None = None) -> list[tuple[str, set[str]]]:
    told = cheapest_action(codes, dict.fromkeys(codes, seen) if seen else None)
    return [(one.action.slug, set(one.codes)) for one in told]


def test_the_cheapest_comes_first() -> None:
    assert [*ACTIONS] == ["rerun", "wait", "photo", "boundary", "documents", "visit", "none"]
    told = settled("overlapping_claim", "few_looks", "block_failed", "invalid_geometry", "few_looks", "below_minimum")
    assert told == [
        ("rerun", {"block_failed"}),
        ("wait", {"few_looks"}),
        ("boundary", {"invalid_geometry"}),
        ("documents", {"overlapping_claim"}),
        ("none", {"below_minimum"}),
    ]
    assert settled() == []
    assert settled("unheard_of", "no_normal") == []  # a note asks for nothing


def test_who_must_take_a_photo_or_visit_does_not_wait_as_well() -> None:
    assert settled("crop_doubtful", "few_looks") == [("photo", {"crop_doubtful", "few_looks"})]
    assert settled("crop_doubtful", "unlike_training", "stale_look") == [
        ("visit", {"crop_doubtful", "unlike_training", "stale_look"})
    ]
    assert settled("in_season", "crop_doubtful") == [("wait", {"in_season"}), ("photo", {"crop_doubtful"})]


@given(st.lists(st.sampled_from([*all_codes()]), unique=True))
def test_every_code_but_a_note_is_settled_by_one_action(codes: list[str]) -> None:
    told = cheapest_action(codes)
    named = [code for one in told for code in one.codes]
    assert sorted(named) == sorted(code for code in codes if find_code(code).kind != "note")
    ranks = [one.action.rank for one in told]
    assert ranks == sorted(set(ranks))
    alone = {one.action.slug for code in codes for one in cheapest_action([code])}
    assert {one.action.slug for one in told} <= alone  # together never more than apart


SEEN = Seen(date(2018, 4, 11), date(2018, 1, 1), date(2018, 12, 15), looks=4, wanted=6)
"""A hundred days, a clear look every 25 of them."""


def test_looks_come_as_they_came_before() -> None:
    assert wait_until("few_clear_looks", SEEN) == date(2018, 5, 31)  # two more
    assert wait_until("stale_look", SEEN) == date(2018, 5, 6)  # one more
    assert wait_until("few_looks", replace(SEEN, looks=2)) == date(2018, 7, 20)  # two more, every 50 days
    assert wait_until("few_looks", replace(SEEN, looks=9)) == date(2018, 4, 23)  # in another part of the season: one
    assert wait_until("few_clear_looks", replace(SEEN, wanted=None)) is None
    assert wait_until("few_clear_looks", replace(SEEN, looks=1)) is None
    assert wait_until("few_clear_looks", replace(SEEN, as_of=SEEN.start)) is None
    assert wait_until("crop_doubtful", SEEN) is None
    assert CURVE_LOOKS == MIN_CURVE_LOOKS == FEWEST_LOOKS


def test_a_running_season_is_waited_out_until_its_harvest() -> None:
    maize = replace(SEEN, harvest=packaged_crops()["maize"].harvest)  # 5 Sep to 15 Oct
    assert wait_until("in_season", maize) == date(2018, 9, 5)
    assert wait_until("peak_not_reached", replace(maize, as_of=date(2018, 9, 20))) == date(2018, 10, 15)
    assert wait_until("in_season", SEEN) is None
    [told] = cheapest_action(["in_season"], {"in_season": maize})
    assert (told.action.slug, told.until) == ("wait", date(2018, 9, 5))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("5 to 25 Jul", date(2018, 7, 5), date(2018, 7, 25)),
        ("25 Apr to 31 May (in Europe July)", date(2018, 4, 25), date(2018, 5, 31)),
        ("October to November", date(2018, 10, 1), date(2018, 11, 30)),
        ("September", date(2018, 9, 1), date(2018, 9, 30)),
        ("November to April", date(2017, 11, 1), date(2018, 4, 30)),
        ("10 Jan to 28 Feb", date(2019, 1, 10), date(2019, 2, 28)),
        ("May to October, several cuts", date(2018, 5, 1), date(2018, 10, 31)),
    ],
)
def test_a_harvest_is_read_as_it_is_written(text: str, first: date, last: date) -> None:
    assert harvest_window(text, SEEN.as_of) == (first, last)


def test_every_crop_that_has_a_harvest_has_a_window() -> None:
    without = {crop.slug for crop in packaged_crops().values() if harvest_window(crop.harvest, SEEN.as_of) is None}
    assert without == {slug for slug, crop in packaged_crops().items() if crop.harvest.startswith("all year")}
    assert harvest_window("", SEEN.as_of) is None


def test_where_waiting_cannot_help_the_next_cheapest_is_told() -> None:
    over = replace(SEEN, as_of=SEEN.end)
    assert not can_wait("few_clear_looks", over)
    assert settled("few_clear_looks", seen=over) == [("photo", {"few_clear_looks"})]
    rare = replace(SEEN, as_of=date(2018, 12, 1), looks=2)
    assert wait_until("few_clear_looks", rare) is not None  # long after the season
    assert settled("few_clear_looks", seen=rare) == [("photo", {"few_clear_looks"})]
    assert settled("few_clear_looks", seen=replace(SEEN, looks=0)) == [("wait", {"few_clear_looks"})]
    assert can_wait("crop_doubtful", over)


def test_the_day_to_wait_for_is_that_of_the_slowest() -> None:
    [told] = cheapest_action(["few_clear_looks", "stale_look"], {"few_clear_looks": SEEN, "stale_look": SEEN})
    assert told.until == date(2018, 5, 31)


# --- an example of each -------------------------------------------------------------------------------------------
EXAMPLES = yaml.safe_load((TESTS / "code_examples.yaml").read_text(encoding="utf-8"))
"""Code -> the test, or the file of credit cases, in which a parcel or farm carries it."""


def test_every_code_that_is_raised_has_an_example() -> None:
    missing = [code for code in layers_by_code() if code not in EXAMPLES and code not in NOT_YET_RAISED]
    assert missing == [], "name a test of each in tests/code_examples.yaml"
    assert set(EXAMPLES) <= set(all_codes())


@pytest.mark.parametrize("slug", EXAMPLES)
def test_the_example_of_a_code_is_there_and_carries_it(slug: str) -> None:
    where = EXAMPLES[slug]
    if where.startswith("credit_cases/"):
        cases = read_cases(TESTS / where)
        assert any(slug in case["then"].get("reasons", ()) for case in cases)
        return
    module, name = where.split("::")
    function = getattr(importlib.import_module(f"tests.{module}"), name)
    lines = inspect.getsource(function)
    spoken = rf"\b({slug}|{slug.removeprefix('event_')})\b|f.status_{{status}}"
    assert re.search(spoken, lines), where


@pytest.mark.parametrize("status", [name for name in STATUSES if name != "ok"])
def test_a_farm_without_a_reason_is_referred_by_its_status(status: str) -> None:
    assert f"status_{status}" in decide(make_farm({"status": status, "reason": None})).reasons


def test_a_limit_is_rounded_down_in_a_step_of_its_own() -> None:
    assert decide(make_farm()).trail[-1].code == "rounded_down"


def test_a_status_without_a_reason_is_a_doubt_of_the_farm() -> None:
    farm = make_farm({"flags": ["status_degraded"]})
    assert decide(farm).reasons[0] == "status_degraded"


def test_words_stand_in_one_place() -> None:
    sentences = [code.said[0] for code in all_codes().values()]
    assert len(set(sentences)) == len(sentences)
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py")))
    assert [sentence for sentence in sentences if f'"{sentence}"' in text] == []


def test_codes_that_follow_promise_no_new_measuring_where_none_would_help() -> None:
    told = without_following(["small_parcel", "not_measured", "area_doubtful"], "small_parcel")
    assert told == ["small_parcel", "area_doubtful"]
    assert without_following(["status_rejected", "incomplete"], None) == ["status_rejected"]
    assert without_following(["block_failed", "not_measured"], "block_failed") == ["block_failed", "not_measured"]
    assert without_following(["not_measured"], "not_measured") == ["not_measured"]
    assert without_following(["event_flood", "incomplete"], None) == ["event_flood", "incomplete"]
