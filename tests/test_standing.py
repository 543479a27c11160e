# SPDX-License-Identifier: Apache-2.0
"""What stands after people acted, in explanation, letter and page: by role, beside the machine's word."""

from __future__ import annotations

import re
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from acreline.cli import app
from acreline.config import read_region
from acreline.credit.actions import advise
from acreline.decision_log import read_log
from acreline.desk import explain_farm, find_standing, read_trail
from acreline.errors import StoreError
from acreline.people.acts import Amount, Standing, acts_of
from acreline.people.override import Change, override_farm
from acreline.people.tell import stand_lines
from acreline.plan import plan_run
from acreline.report.letter import render_letter
from acreline.report.standing import NowStands, with_standing
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
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text[text.index("<body>") :]))


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
    text = (tmp_path / "l.html").read_text(encoding="utf-8")
    assert "A credit officer lowered your limit from 2,310 CNY to 1,200 CNY on 2026-03-01" in text
    assert "<strong>1,200 CNY</strong>" in text


def test_the_farms_page_says_it_above_the_machines_decision(out: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in latest(out).rglob("*") if path.is_file()}
    override(out, "F-003", "1200", "asked_for_less")
    app(["report", str(out), "--farm", "F-003", "--out", str(tmp_path / "f.html")], standalone_mode=False)
    text = (tmp_path / "f.html").read_text(encoding="utf-8")
    people, machine = (
        text.index("A credit officer lowered your limit"),
        text.index('<section class="decision outcome-approve">'),
    )
    assert people < machine < text.index("2,310 CNY", machine)
    assert "2026-03-01，信贷员将您的额度由2,310元下调至1,200元" in text
    assert "Stands now: a limit of 1,200 CNY." in text
    assert "现行结果：额度1,200元。" in text
    assert {path: path.read_bytes() for path in latest(out).rglob("*") if path.is_file()} == before


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
