# SPDX-License-Identifier: Apache-2.0
"""What stands after people acted, in explanation, letter and page: by role, beside the machine's word."""

from __future__ import annotations

import json
import re
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from acreline.cli import app
from acreline.config import read_region
from acreline.credit.actions import advise
from acreline.decision_log import read_log
from acreline.desk import explain_farm, find_people, find_standing, read_trail
from acreline.errors import StoreError
from acreline.people.acts import Amount, Standing, acts_of
from acreline.people.appeals import close_appeal, open_appeal
from acreline.people.asks import answer_ask, ask_farm
from acreline.people.override import Change, confirm_farm, override_farm
from acreline.people.tell import now_stands, stand_lines
from acreline.plan import plan_run
from acreline.report import write_map_page
from acreline.report.letter import render_letter
from acreline.report.page import render_page
from acreline.report.standing import NowStands, with_standing
from acreline.report.unbroken import unbroken
from tests.made_evidence import evidence_farm, publish_evidence
from tests.made_people import PEOPLE, act_as, people_file

pytestmark = pytest.mark.xdist_group("publish")
WHY = "visited on the day: the field is as the farmer says"


@pytest.fixture(scope="module")
def made(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("standing") / "out"
    plan = plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))
    publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(10)))
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    act_as(monkeypatch, "bo")
    roles = {**PEOPLE["roles"], "officer": {**PEOPLE["roles"]["officer"], "said": ["a credit officer", "信贷员"]}}  # type: ignore[dict-item, index]
    monkeypatch.setenv("ACRELINE_PEOPLE", str(people_file(tmp_path, roles=roles)))
    return Path(shutil.copytree(made, tmp_path / "out", symlinks=True))


def latest(out: Path) -> Path:
    return (out / "latest").resolve()


def override(out: Path, farm_id: str, to: str, reason: str) -> None:
    override_farm(latest(out), farm_id, Change(to, reason, WHY))


def letter(out: Path, farm_id: str, lang: str = "en") -> str:
    """The words of a letter, without its marks."""
    text = render_letter(latest(out), farm_id, lang, advise, find_standing(latest(out), farm_id))
    text = re.sub(r'<span class="unbroken">([^<]*)</span>', r"\1", text[text.index("<body>") :])
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_where_nobody_acted_nothing_is_said(out: Path) -> None:
    assert find_standing(latest(out), "F-003") is None
    plain = render_letter(latest(out), "F-003", "en", advise)
    assert 'class="people"' not in plain
    override(out, "F-006", "1200", "asked_for_less")
    assert render_letter(latest(out), "F-003", "en", advise, find_standing(latest(out), "F-003")) == plain


def test_the_letter_says_what_stands_by_which_role_and_why(out: Path) -> None:
    override(out, "F-003", "1200", "asked_for_less")
    told = letter(out, "F-003")
    assert "You may borrow up to 1,200 CNY" in told
    assert (
        "A credit officer lowered your limit from 2,310 CNY to 1,200 CNY on 2026-03-01: the farmer asked for less."
    ) in told
    assert "The machine&#39;s own decision (a limit of 2,310 CNY) stays on file." in told
    assert "Stands now" not in told  # the first line of the letter says it
    assert "What the rules gave, before a person changed it" in told
    assert "Why the machine decided as it did" in told
    zh = letter(out, "F-003", "zh")
    assert "您可借款的额度为 1,200元" in zh
    assert "2026-03-01，信贷员将您的额度由2,310元下调至1,200元：农户申请减少。" in zh
    assert "系统原结果（额度2,310元）仍予保存。" in zh
    assert "变更前按规则计算的额度" in zh
    assert "CNY" not in zh
    assert "How the limit came about" in letter(out, "F-006")
    for text in (told, zh, *explain_farm(latest(out), "F-003", "en"), *explain_farm(latest(out), "F-003", "zh")):
        assert not re.search(r"\bbo\b", text), "a user's name is no farmer's business"


def test_a_refusal_by_a_person_is_a_refusal_and_no_referral(out: Path) -> None:
    override(out, "F-003", "refuse", "claim_in_doubt")
    told = letter(out, "F-003")
    assert "No limit can be given." in told
    assert "You may borrow" not in told
    override(out, "F-003", "refer", "too_near")
    told = letter(out, "F-003")
    assert "A person decides." in told
    assert "No machine said no" not in told  # the machine had approved: that sentence is for its own referrals
    assert "No machine said no" in letter(out, "F-007")


def test_a_grant_after_a_referral_stands_in_the_letter(out: Path) -> None:
    override(out, "F-007", "3080", "seen_on_visit")
    told = letter(out, "F-007")
    assert "You may borrow up to 3,080 CNY" in told
    assert "A credit officer gave you a limit of 3,080 CNY on 2026-03-01: the field was visited" in told
    assert "The machine&#39;s own decision (a referral to a person) stays on file." in told
    assert "Nothing of this is granted" not in told
    assert "what you may borrow stands at the top and was decided by a person" in told
    assert "以本通知书开头所列为准" in letter(out, "F-007", "zh")
    override(out, "F-007", "refer", "too_near")
    assert "Nothing of this is granted" in letter(out, "F-007")


NO, ASKS, LOW, HIGH = (
    Amount("decline", Decimal(0)),
    Amount("refer", None),
    Amount("approve", Decimal(1200)),
    Amount("approve", Decimal("2300.50")),
)


@pytest.mark.parametrize(
    ("before", "to", "en", "zh"),
    [
        (LOW, HIGH, "raised your limit from 1,200 CNY to 2,300.5 CNY on D",
         "D，信贷员将您的额度由1,200元上调至2,300.5元"),
        (HIGH, LOW, "lowered your limit from 2,300.5 CNY to 1,200 CNY on D",
         "D，信贷员将您的额度由2,300.5元下调至1,200元"),
        (LOW, NO, "withdrew your limit of 1,200 CNY on D", "D，信贷员取消了您1,200元的额度"),
        (LOW, ASKS, "put your limit of 1,200 CNY on hold on D, and a person decides again",
         "D，信贷员暂停了您1,200元的额度，转由工作人员重新决定"),
        (ASKS, LOW, "gave you a limit of 1,200 CNY on D", "D，信贷员给予您1,200元的额度"),
        (ASKS, NO, "decided on D that no limit is given", "D，信贷员决定不给予额度"),
        (NO, LOW, "gave you a limit of 1,200 CNY on D, where none was given before",
         "D，信贷员将原“不给予额度”改为给予您1,200元的额度"),
        (NO, ASKS, "took the refusal back on D, and a person decides again",
         "D，信贷员撤回了不给予额度的结果，转由工作人员重新决定"),
    ],
)  # fmt: skip
def test_each_change_is_a_sentence_as_a_person_would_write_it(before: Amount, to: Amount, en: str, zh: str) -> None:
    values = {"farm_id": "F", "machine": before.facts(), "from": before.facts(), "to": to.facts(),
              "reason": "asked_for_less", "role_said": ["a credit officer", "信贷员"]}  # fmt: skip
    act = acts_of([{"event": "override", "at": "2026-03-01T00:00:00+00:00", "by": "bo", **values}])["F"]
    now = Standing(to, before, act[0])
    said = [stand_lines(now, "CNY", lang)[0].replace("2026-03-01", "D") for lang in ("en", "zh")]
    assert said == [f"A credit officer {en}: the farmer asked for less.", f"{zh}：农户申请减少。"]


def test_the_command_writes_it_and_the_log_keeps_the_roles_words(out: Path, tmp_path: Path) -> None:
    override(out, "F-003", "1200", "asked_for_less")
    assert read_log(out)[-1]["role_said"] == ["a credit officer", "信贷员"]
    (tmp_path / "people.yaml").unlink()  # what a role was called on the day is told from the log alone
    app(["letter", str(out), "F-003", "--out", str(tmp_path / "l.html")], standalone_mode=False)
    text = re.sub(r"</?span[^>]*>", "", (tmp_path / "l.html").read_text(encoding="utf-8"))
    assert "A credit officer lowered your limit from 2,310 CNY to 1,200 CNY on 2026-03-01" in text
    assert "<strong>1,200 CNY</strong>" in text


def test_the_farms_page_says_it_above_the_machines_decision(out: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in latest(out).rglob("*") if path.is_file()}
    override(out, "F-003", "1200", "asked_for_less")
    app(["report", str(out), "--farm", "F-003", "--out", str(tmp_path / "f.html")], standalone_mode=False)
    text = (tmp_path / "f.html").read_text(encoding="utf-8")
    text = text.replace('<span class="unbroken">2026-03-01</span>', "2026-03-01")
    people, machine = (
        text.index("A credit officer lowered your limit"),
        text.index('<section class="decision outcome-approve">'),
    )
    assert people < machine < text.index("2,310 CNY", machine)
    assert "2026-03-01，信贷员将您的额度由2,310元下调至1,200元" in text
    assert "Stands now: a limit of 1,200 CNY." in text
    assert "现行结果：额度1,200元。" in text
    assert {path: path.read_bytes() for path in latest(out).rglob("*") if path.is_file()} == before


def portfolio(out: Path, place: Path, *options: str) -> dict[str, Any]:
    """What the portfolio tells that the command writes."""
    app(["report", str(out), "--out", str(place), *options], standalone_mode=False)
    return page_data(place.read_text(encoding="utf-8"))


def page_data(text: str) -> dict[str, Any]:
    return dict(json.loads(text.split('id="data">')[1].split("</script>")[0]))


def test_the_portfolio_tells_what_stands_beside_the_machines_decision(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in latest(out).rglob("*") if path.is_file()}
    override(out, "F-003", "1200", "asked_for_less")
    override(out, "F-007", "3080", "seen_on_visit")
    confirm_farm(latest(out), "F-006", WHY)
    case = open_appeal(latest(out), "F-006", WHY, "x").values["case"]
    told = portfolio(out, tmp_path / "p.html")
    farms = {farm["id"]: farm for farm in told["farms"]}
    machine = page_data(render_page(latest(out)))["farms"]
    assert [{name: one[name] for name in one if name != "now"} for one in told["farms"]] == machine
    role = ["a credit officer", "信贷员"]
    now = {name: farm["now"] for name, farm in farms.items() if "now" in farm}
    assert {name: (one["state"], one["outcome"], one["limit"]) for name, one in now.items()} == {
        "F-003": ("changed", "approve", "1200"),
        "F-006": ("appealed", "refer", None),
        "F-007": ("changed", "approve", "3080"),
    }
    assert (now["F-003"]["by"], now["F-003"]["day"]) == (role, "2026-03-01")
    assert now["F-006"]["by"] == [f"appeal {case}", f"申诉{case}"]
    assert now["F-003"]["said"][0][0].startswith("A credit officer lowered your limit from 2,310 CNY to 1,200 CNY")
    assert (farms["F-003"]["outcome"], farms["F-003"]["limit"]) == ("approve", "2310.00")
    assert told["acts"] == {"farms": 3, "last": "2026-03-01"}
    assert [row["case"] for row in told["queues"]["cases"]] == [case]  # of the log, without a list
    act_as(monkeypatch, "cy")
    close_appeal(latest(out), case, "uphold", WHY)
    told = portfolio(out, tmp_path / "p.html")
    now = {farm["id"]: farm["now"] for farm in told["farms"] if "now" in farm}
    assert (now["F-006"]["state"], now["F-006"]["outcome"]) == ("left", "approve")
    assert Decimal(now["F-006"]["limit"]) == Decimal(farms["F-006"]["limit"])
    assert told["queues"]["cases"] == []
    assert not re.search(r"\b(bo|cy)\b", json.dumps(now)), "a user's name stands on no page of farms"
    assert {path: path.read_bytes() for path in latest(out).rglob("*") if path.is_file()} == before


def test_the_portfolio_tells_what_is_awaited_and_what_has_come(out: Path, tmp_path: Path) -> None:
    ask_farm(latest(out), "F-007", "visit", "is it maize on all of it")
    told = portfolio(out, tmp_path / "p.html")
    [now] = [farm["now"] for farm in told["farms"] if "now" in farm]
    assert (now["state"], now["outcome"], now["day"]) == ("asked", "refer", "2026-03-01")
    assert [row["case"] for row in told["queues"]["asks"]] == ["E-0001"]
    (tmp_path / "none.json").write_text("[]", encoding="utf-8")
    assert portfolio(out, tmp_path / "p.html", "--asks", str(tmp_path / "none.json"))["queues"]["asks"] == []
    answer_ask(latest(out), "F-007", [], why="maize on all of it")
    told = portfolio(out, tmp_path / "p.html")
    assert [farm["now"]["state"] for farm in told["farms"] if "now" in farm] == ["answered"]
    assert told["queues"]["asks"] == []


def test_a_grant_that_the_machine_has_overtaken_waits_for_a_look(out: Path) -> None:
    entry = {"event": "override", "at": "2026-03-01T00:00:00+00:00", "by": "bo", "farm_id": "F", "to": HIGH.facts(),
             "from": LOW.facts(), "reason": "seen_on_visit", "machine": ASKS.facts()}  # fmt: skip
    act = acts_of([entry])["F"][0]
    now = now_stands(Standing(ASKS, LOW, act, overtaken=True, last=act), "CNY")
    assert now is not None
    assert (now.state, now.outcome, now.limit) == ("overtaken", "refer", None)


def test_a_page_that_cannot_know_says_so(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = find_people(latest(out))
    assert nobody is not None
    assert (nobody.stands, nobody.cases, nobody.asks) == ({}, [], [])
    assert portfolio(out, tmp_path / "p.html")["acts"] == {"farms": 0, "last": ""}
    write_map_page(latest(out))
    app(["report", str(out)], standalone_mode=False)
    assert capsys.readouterr().err == ""
    override(out, "F-003", "1200", "asked_for_less")
    app(["report", str(out)], standalone_mode=False)
    assert capsys.readouterr().err == (
        "people acted on 1 farms since: acreline report RUN --out FILE tells what stands\n"
    )
    published = page_data((latest(out) / "report" / "index.html").read_text(encoding="utf-8"))
    assert published["acts"] is None
    assert published["queues"] == {"watch": None, "cases": None, "asks": None}
    assert all(pair[0] for pair in published["words"]["portfolio"].values())
    assert "this page does not know what people did since" in published["words"]["portfolio"]["acts_unknown"][0]
    copy = Path(shutil.copytree(latest(out), tmp_path / "copy"))
    assert find_people(copy) is None
    assert portfolio(copy, tmp_path / "p.html")["acts"] is None


def test_names_and_days_stay_on_one_line_in_letters_and_pages(out: Path, tmp_path: Path) -> None:
    case = open_appeal(latest(out), "F-003", WHY, "x").values["case"]
    kept = f'<span class="unbroken">{case}</span>'
    text = render_letter(latest(out), "F-003", "zh", advise, find_standing(latest(out), "F-003"))
    assert f"申诉{kept}" in text
    assert '<span class="unbroken">2026-03-01</span>起复核中' in text
    assert ".unbroken { white-space: nowrap; }" in text
    app(["report", str(out), "--farm", "F-003", "--out", str(tmp_path / "f.html")], standalone_mode=False)
    page = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert f"appeal {kept}" in page
    assert ".unbroken { white-space: nowrap; }" in page
    assert "acreline report RUN --farm FARM" in page


@pytest.mark.parametrize("text", ["well-kept land", "a - 1", "x" * 20 + "-" + "1" * 5, "12,345 CNY", "&amp;"])
def test_words_and_long_names_may_break(text: str) -> None:
    assert unbroken(text) == text


def test_words_on_a_page_are_text_and_no_marks() -> None:
    stands = NowStands("approve", Decimal(5), True, False, (("<b>x</b>", "<i>"),), (("ask & tell", "问"),))
    page = with_standing('<section class="decision outcome-refer">', stands)
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "ask &amp; tell" in page
    assert "<b>" not in page
    assert with_standing("anything", None) == "anything"
    with pytest.raises(StoreError, match="a farm's page without its decision"):
        with_standing("<p>no page of ours</p>", stands)


def test_an_act_of_an_earlier_version_names_no_role(out: Path) -> None:
    from acreline.people.acts import Act
    from acreline.people.tell import role_words

    assert role_words(Act("override", "2026-03-01T00:00:00+00:00", "bo", "F", {})) == ("an officer", "工作人员")


def test_a_farm_that_is_gone_has_no_standing(out: Path) -> None:
    override(out, "F-003", "1200", "asked_for_less")
    lines = [line for line in read_trail(latest(out)) if line["farm_id"] == "F-003"]
    assert len(lines) == 1
    assert find_standing(latest(out), "F-999") is None
