# SPDX-License-Identifier: Apache-2.0
"""Evidence is asked for and somebody sent to the field: with a day, in the log, and no amount moves."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from acreline.cli import app
from acreline.config import read_region
from acreline.credit import decision_from_json
from acreline.credit.actions import advise
from acreline.decision_log import LOG_FILE, read_log
from acreline.desk import explain_farm, find_standing, read_trail
from acreline.errors import ConfigError, CreditError, InputError
from acreline.people.acts import ASKED, EVENTS, Act, Amount, read_acts, stand
from acreline.people.asks import KINDS, answer_ask, ask_farm, close_ask, read_asks
from acreline.people.ground import farm_outlines
from acreline.people.override import Change, override_farm
from acreline.people.tell import act_lines, ask_report, ask_rows
from acreline.plan import plan_run
from acreline.records import Decision
from acreline.report.letter import render_letter
from acreline.report.page import render_page
from acreline.report.portfolio import read_cases
from acreline.review.overrides import measure_overrides
from acreline.verify import verify_run
from tests.made_evidence import evidence_farm, publish_evidence
from tests.made_people import NOW, act_as, people_file, png

pytestmark = pytest.mark.xdist_group("publish")
WHY = "the strip along the road, taken this week"


@pytest.fixture(scope="module")
def made(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("asks") / "out"
    plan = plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))
    with pytest.MonkeyPatch.context() as patch:
        act_as(patch, "night", datetime(2026, 2, 20, 12, tzinfo=UTC))
        publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(10)))
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    act_as(monkeypatch, "bo")
    monkeypatch.setenv("ACRELINE_PEOPLE", str(people_file(tmp_path)))
    return Path(shutil.copytree(made, tmp_path / "out", symlinks=True))


def latest(out: Path) -> Path:
    return (out / "latest").resolve()


def decision(out: Path, farm_id: str) -> Decision:
    return next(decision_from_json(line) for line in read_trail(latest(out)) if line["farm_id"] == farm_id)


def ask(out: Path, farm_id: str = "F-007", kind: str = "photo", until: date | None = None) -> Act:
    return ask_farm(latest(out), farm_id, kind, WHY, until)


# --- asked ------------------------------------------------------------------------------------------------------------
def test_a_question_is_in_the_log_with_its_day_and_moves_no_amount(out: Path) -> None:
    for farm_id in ("F-003", "F-007"):
        before = stand(decision(out, farm_id), ()).amount
        ask(out, farm_id)
        assert stand(decision(out, farm_id), read_acts(out)[farm_id]).amount == before
    line = read_log(out)[-1]
    assert (line["event"], line["ask"], line["kind"], line["until"]) == ("asked", "E-0002", "photo", "2026-03-15")
    assert (line["by"], line["role"], line["why"], line["to"]) == ("bo", "officer", WHY, None)
    assert verify_run(latest(out)).faults == ()


def test_the_farmer_reads_what_is_asked_for_and_by_when(out: Path) -> None:
    ask(out, until=date(2026, 3, 20))
    ask(out, kind="visit")
    told = explain_farm(latest(out), "F-007", "en")
    assert told[1] == f"Please bring a photo of the field with date and place by 2026-03-20: {WHY} (E-0001)."
    assert told[2] == f"Somebody of the bank comes to see the field by 2026-03-15: {WHY} (E-0002)."
    zh = explain_farm(latest(out), "F-007", "zh")
    assert zh[1] == f"请于2026-03-20前提供带日期和位置的田间照片：{WHY}（E-0001）。"
    assert zh[2] == f"银行人员将于2026-03-15前实地查看：{WHY}（E-0002）。"
    for lang, head, words in (("en", "What we ask of you", told[1:3]), ("zh", "请您提供", zh[1:3])):
        letter = render_letter(latest(out), "F-007", lang, advise, find_standing(latest(out), "F-007"))
        letter = re.sub(r"</?span[^>]*>", "", letter)
        assert head in letter
        assert [one for one in words if one not in letter] == []
        assert 'class="people"' not in letter  # nobody changed anything
        assert ("Why the machine decided as it did" in letter) is False


def test_what_is_answered_or_closed_is_asked_for_no_more(out: Path, tmp_path: Path) -> None:
    ask(out)
    ask(out, kind="contract")
    (tmp_path / "p.png").write_bytes(png())
    act = answer_ask(latest(out), "F-007", [tmp_path / "p.png"], name="E-0001")
    assert (act.values["days"], act.values["in_time"], act.values["evidence"][0]["kind"]) == (0, True, "photo")
    close_ask(latest(out), "F-007", "the buyer sent it already")
    told = explain_farm(latest(out), "F-007", "en")
    assert told[1] == (
        "Handed in on 2026-03-01: a photo of the field with date and place (E-0001); a person looks at it."
    )
    assert not [line for line in told if "Please bring" in line]
    override_farm(latest(out), "F-007", Change("2000", "seen_on_visit", "the photo shows the whole field"))
    assert "Handed in" not in "".join(explain_farm(latest(out), "F-007", "en"))  # a person has looked at it since
    assert verify_run(latest(out)).faults == ()


def test_a_visit_is_answered_by_what_was_seen(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(out, kind="visit")
    assert act_lines(asked)[0].startswith("F-007: sent to the field E-0001 by bo")
    with pytest.raises(ConfigError, match="a visit is answered by what was seen"):
        answer_ask(latest(out), "F-007", [])
    act_as(monkeypatch, "flo")
    with pytest.raises(CreditError, match="flo: role clerk may not ask for evidence"):
        answer_ask(latest(out), "F-007", [], why="maize on all of it")
    act_as(monkeypatch, "bo")
    seen = answer_ask(latest(out), "F-007", [], why="maize on all of it")
    assert seen.values["why"] == "maize on all of it"
    assert act_lines(seen)[0].startswith("F-007: field visited E-0001 by bo")
    assert explain_farm(latest(out), "F-007", "en")[1].startswith("The field was visited on 2026-03-01 (E-0001)")


def test_anybody_takes_papers_in_and_an_outline_is_read_as_one(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(out, "F-003", "boundary")
    act_as(monkeypatch, "flo")
    name, shape = next(iter(sorted(farm_outlines(latest(out), "F-003").items())))
    feature = {"type": "Feature", "properties": {"parcel_id": name}, "geometry": json.loads(shapely.to_geojson(shape))}
    path = tmp_path / "b.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    act = answer_ask(latest(out), "F-003", [path])
    assert (act.by, act.values["evidence"][0]["kind"]) == ("flo", "boundary")
    assert act.values["boundary"][name]["inside_old"] == pytest.approx(1, abs=1e-3)


# --- refused ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("user", "farm", "kind", "until", "error", "words"),
    [
        ("flo", "F-003", "photo", None, CreditError, "flo: role clerk may not ask for evidence"),
        ("ann", "F-004", "photo", None, CreditError, "F-004 is a case of ann's own"),
        ("bo", "F-003", "story", None, ConfigError, "--for: 'story' is not known"),
        ("bo", "F-003", "photo", date(2026, 2, 28), ConfigError, "--until 2026-02-28: not a day between today"),
        ("bo", "F-003", "photo", date(2027, 3, 3), ConfigError, "--until 2027-03-03: not a day between today"),
        ("bo", "F-999", "photo", None, ConfigError, "no farm 'F-999'"),
    ],
)
def test_who_may_not_and_what_cannot_be_asked_is_refused(
    out: Path, monkeypatch: pytest.MonkeyPatch, user: str, farm: str, kind: str, until: date | None,
    error: type[Exception], words: str,
) -> None:  # fmt: skip
    act_as(monkeypatch, user)
    before = (out / LOG_FILE).read_bytes()
    with pytest.raises(error, match=words):
        ask(out, farm, kind, until)
    assert (out / LOG_FILE).read_bytes() == before


def test_answers_that_do_not_fit_are_refused(out: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="F-007: nothing is asked for"):
        answer_ask(latest(out), "F-007", [tmp_path / "x"])
    ask(out)
    with pytest.raises(CreditError, match="F-007: photo is asked for already, by E-0001 until 2026-03-15"):
        ask(out)
    with pytest.raises(ConfigError, match="nothing is handed in"):
        answer_ask(latest(out), "F-007", [])
    (tmp_path / "p.txt").write_text("a story", encoding="utf-8")
    with pytest.raises(InputError, match="no picture"):
        answer_ask(latest(out), "F-007", [tmp_path / "p.txt"])
    ask(out, kind="document")
    with pytest.raises(ConfigError, match=r"F-007: 2 are open: E-0001 \(photo\), E-0002 \(document\)"):
        answer_ask(latest(out), "F-007", [tmp_path / "p.txt"])
    with pytest.raises(ConfigError, match="F-007: E-0009 is not open"):
        close_ask(latest(out), "F-007", "it does not come", name="E-0009")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["ask", "OUT", "F-007", "--for", "visit", "--why", WHY], "--for visit: nobody brings a visit"),
        (["answer", "OUT", "F-007", "--close"], "--close takes --why and no --evidence"),
        (["ask", "OUT", "F-007", "--for", "photo", "--why", WHY, "--until", "soon"], "--until: 'soon' is not a date"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(out: Path, typed: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        app([str(out) if one == "OUT" else one for one in typed], standalone_mode=False)


# --- listed -----------------------------------------------------------------------------------------------------------
def test_the_overdue_stand_in_front_and_in_the_queue(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(out, "F-003", until=date(2026, 3, 30))
    ask(out, "F-007", until=date(2026, 3, 5))
    ask(out, "F-000", "visit")
    close_ask(latest(out), "F-000", "another visit was made")
    rows = ask_rows(read_asks(read_acts(out)), date(2026, 3, 8))
    assert [(row["case"], row["state"], row["left"]) for row in rows] == [
        ("E-0002", "open", "3 days late"),
        ("E-0001", "open", "22 days left"),
        ("E-0003", "closed", ""),
    ]
    assert ask_report(rows)[-1] == "3 asked, 2 open, 1 of them overdue"
    assert ask_report([]) == ["nothing was asked for"]
    monkeypatch.setattr("acreline.retired.utc_now", lambda: NOW)
    app(["asks", str(out), "--out", str(tmp_path / "asks.json")], standalone_mode=False)
    assert "3 asked, 2 open, 0 of them overdue" in capsys.readouterr().out
    queue = read_cases(tmp_path / "asks.json")
    assert [row["case"] for row in queue] == ["E-0002", "E-0001"]
    page = render_page(latest(out), asks=queue)
    assert f"带日期和位置的田间照片：{WHY}" in page
    assert '"asks":[{' in page.replace(" ", "")


def test_a_question_is_a_look_and_what_is_handed_in_is_none(out: Path, tmp_path: Path) -> None:
    ask(out)
    (tmp_path / "p.png").write_bytes(png())
    answer_ask(latest(out), "F-007", [tmp_path / "p.png"])
    times = measure_overrides([latest(out)], now=NOW).times
    assert times.looked_days == (9.0,)
    assert times.decided_days == ()
    assert times.reviewed == 0


# --- in general -------------------------------------------------------------------------------------------------------
def test_every_kind_has_its_words() -> None:
    assert all(en and zh and en != zh for en, zh in KINDS.values())


MACHINE = {"outcome": "approve", "limit": "1000"}


def act(event: str, number: int) -> Act:
    """A line of the log of any kind, as far as `stand` reads it."""
    values = {"ask": f"E-{number % 3}", "case": "A-1", "machine": MACHINE, "kind": "photo"}
    values |= {"to": {"outcome": "approve", "limit": str(100 + number)}} if event == "override" else {}
    return Act(event, "2026-03-01T12:00:00+00:00", "bo", "F", values)


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_asking_never_moves_what_stands(events: list[str]) -> None:
    told = Decision("F", "approve", 1000, "CNY", "cap", ("cap",), "p@1", date(2026, 1, 1), ())  # type: ignore[arg-type]
    acts = [act(event, k) for k, event in enumerate(events)]
    without = [one for one in acts if "ask" not in one.event]
    with_asks, plain = stand(told, acts), stand(told, without)
    assert (with_asks.amount, with_asks.act, with_asks.last) == (plain.amount, plain.act, plain.last)
    assert (plain.asks, plain.handed_in) == ((), ())
    ended = {one.values["ask"] for one in acts if one.event in ("ask_answered", "ask_closed")}
    assert all(one.event == ASKED and one.values["ask"] not in ended for one in with_asks.asks)
    assert isinstance(with_asks.amount, Amount)
