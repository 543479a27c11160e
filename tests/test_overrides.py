# SPDX-License-Identifier: Apache-2.0
"""Rates by officer: counted by hand, alerted only where so few cases would not give them by chance."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.cli import app
from acreline.config import read_region
from acreline.credit import decision_from_json
from acreline.desk import explain_farm, read_trail
from acreline.errors import ConfigError, CreditError
from acreline.people.acts import Amount, read_acts, stand
from acreline.people.authority import Rates
from acreline.people.override import Change, confirm_farm, override_farm
from acreline.plan import Plan, plan_run
from acreline.records import Decision
from acreline.review.chance import adjusted, quantile, two_shares
from acreline.review.compare import records
from acreline.review.files import write_review
from acreline.review.overrides import Overrides, find_alerts, measure_overrides, overrides_figures
from acreline.review.overrides_page import alert_words, overrides_lines, overrides_page
from acreline.review.page import render_page
from acreline.review.reviewed import Reviewed
from acreline.verify import verify_run
from tests.made_evidence import evidence_farm, publish_evidence
from tests.made_people import NOW, act_as, people_file

pytestmark = pytest.mark.xdist_group("publish")
WHY = "visited on the day: the field is as the farmer says"
LIMITS = Rates(least=20, least_gap=0.05)


@pytest.fixture(scope="module")
def plan(repo: Path) -> Plan:
    return plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))


@pytest.fixture(scope="module")
def made(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rates") / "out"
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


def override(out: Path, farm_id: str, to: str, reason: str = "seen_on_visit") -> None:
    override_farm(latest(out), farm_id, Change(to, reason, WHY))


def measured(out: Path, **changes: object) -> Overrides:
    return measure_overrides([latest(out)], now=NOW, **changes)  # type: ignore[arg-type]


# --- what few cases give by chance ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("table", "p"),
    [
        ((8, 10, 1, 10), 0.0054775),  # Fisher 1935 in its usual form, by hand from the hypergeometric
        ((3, 4, 1, 4), 0.4857143),  # the lady and the tea: 34 of 70 ways are as rare
        ((5, 5, 5, 5), 1.0),
        ((0, 0, 3, 9), 1.0),
    ],
)
def test_the_exact_test_is_the_one_of_the_books(table: tuple[int, int, int, int], p: float) -> None:
    assert two_shares(*table) == pytest.approx(p, abs=1e-6)


@given(st.integers(0, 40), st.integers(0, 40), st.data())
def test_the_exact_test_is_scipys(n: int, m: int, data: st.DataObject) -> None:
    fisher = pytest.importorskip("scipy.stats").fisher_exact
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    assert two_shares(a, n, b, m) == pytest.approx(fisher([[a, n - a], [b, m - b]])[1], abs=1e-9)
    assert two_shares(a, n, b, m) == pytest.approx(two_shares(b, m, a, n), abs=1e-9)


def test_the_share_of_false_alarms_is_not_above_the_one_stated() -> None:
    """Two officers of one true rate: over all outcomes, weighted by their chance, the test speaks up so often."""
    from math import comb

    n, rate = 30, 0.2
    chance = [comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(n + 1)]
    told = sum(
        chance[a] * chance[b]
        for a in range(n + 1)
        for b in range(n + 1)
        if two_shares(a, n, b, n) <= LIMITS.false_alerts
    )
    assert 0 < told <= LIMITS.false_alerts


def test_what_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="5 of 4 and 0 of 0 are no shares"):
        two_shares(5, 4, 0, 0)
    with pytest.raises(ValueError, match="no value, no quantile"):
        quantile([], 0.9)


def test_p_values_are_adjusted_for_how_often_was_asked() -> None:
    """Benjamini and Hochberg by hand: 0.01 x 4 / 1, 0.02 x 4 / 2, 0.03 x 4 / 3, 0.5."""
    assert adjusted([0.02, 0.5, 0.01, 0.03]) == pytest.approx([0.04, 0.5, 0.04, 0.04])
    assert adjusted([]) == []


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert quantile([5.0, 1.0, 2.0, 9.0], 0.9) == 9.0
    assert quantile([float(k) for k in range(1, 11)], 0.9) == 9.0


# --- alerts -----------------------------------------------------------------------------------------------------------
def case(user: str, number: int, to: str | None, machine: str | None = "1000", role: str = "officer") -> Reviewed:
    """A decision of the machine, and what the user made of it."""
    told = Amount("refer", None) if machine is None else Amount("approve", Decimal(machine))
    after = told if to is None else Amount("approve", Decimal(to))
    return Reviewed("r", f"{user}-{number}", user, role, "2026-03-01", 1, told, told, after, ())


def reviewed(user: str, n: int, changed: int, role: str = "officer") -> list[Reviewed]:
    return [case(user, k, "1500" if k < changed else None, role=role) for k in range(n)]


def test_an_officer_who_changes_far_more_than_the_others_is_asked_about() -> None:
    cases = reviewed("bo", 40, 20) + reviewed("ann", 100, 10) + reviewed("ed", 100, 11)
    alerts = find_alerts(cases, LIMITS)
    assert [(one.user, one.rate) for one in alerts] == [("bo", "overridden"), ("bo", "raised")]
    assert (alerts[0].count, alerts[0].n, alerts[0].others_count, alerts[0].others_n) == (20, 40, 21, 200)
    en, zh = alert_words(alerts[0])
    assert en.startswith("bo: overridden 50% (20 of 40), others of the role 10% (21 of 200), adjusted p ")
    assert zh.startswith("bo：变更率50%（40个中20个），同角色其他人员10%（200个中21个）")


def test_who_is_alerted_makes_nobody_else_look_strange() -> None:
    """Beside one who changes everything the ordinary ones would be far below the others."""
    cases = reviewed("bo", 100, 100) + reviewed("ann", 100, 10) + reviewed("ed", 100, 11) + reviewed("flo", 100, 9)
    assert {one.user for one in find_alerts(cases, LIMITS)} == {"bo"}


def test_few_decisions_raise_no_alert_however_strange() -> None:
    assert find_alerts(reviewed("bo", 19, 19) + reviewed("ann", 200, 0), LIMITS) == ()
    assert find_alerts(reviewed("bo", 30, 5) + reviewed("ann", 200, 20), LIMITS) == ()  # 17 % of 30 beside 10 %


def test_a_gap_that_nobody_would_act_on_raises_no_alert() -> None:
    cases = reviewed("bo", 5000, 300) + reviewed("ann", 5000, 100)
    assert find_alerts(cases, LIMITS) == ()  # 6 % beside 2 %, certain and small
    assert find_alerts(cases, Rates(least_gap=0.01))


def test_roles_are_held_against_their_own() -> None:
    """Reviewers decide appeals and change more: that is their task, and no alert."""
    cases = reviewed("cy", 60, 40, "reviewer") + reviewed("di", 60, 41, "reviewer")
    cases += reviewed("bo", 60, 3) + reviewed("ann", 60, 4)
    assert find_alerts(cases, LIMITS) == ()
    alone = [one for one in cases if one.user != "di"]
    assert {(one.user, one.same_role) for one in find_alerts(alone, LIMITS)} == {("cy", False)}


@given(st.lists(st.integers(0, 40), min_size=2, max_size=5))
def test_equal_officers_are_never_alerted(counts: list[int]) -> None:
    same = counts[0]
    cases = [one for k in range(len(counts)) for one in reviewed(f"u{k}", 40, same)]
    assert find_alerts(cases, LIMITS) == ()


# --- counted ----------------------------------------------------------------------------------------------------------
def test_counts_sums_and_shares_by_hand(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    three, six = decision(out, "F-003").limit or Decimal(0), decision(out, "F-006").limit or Decimal(0)
    override(out, "F-003", "1200", "asked_for_less")
    override(out, "F-003", str(three + 300))  # two acts of one officer on one decision: one review, its net counts
    override(out, "F-006", "refuse", "claim_in_doubt")
    override(out, "F-007", "1500")
    act_as(monkeypatch, "cy")
    confirm_farm(latest(out), "F-001", WHY)
    found = measured(out)
    rows = {(row["by"], row["name"]): row for row in records(found.table)}
    bo, cy, whole = rows["user", "bo"], rows["user", "cy"], rows["all", "all"]
    assert (bo["reviewed"], bo["raised"], bo["refused"], bo["granted"], bo["lowered"], bo["upheld"]) == (
        3,
        1,
        1,
        1,
        0,
        0,
    )
    assert (bo["sum_raised"], bo["sum_withdrawn"], bo["sum_granted"]) == (300, six, 1500)
    assert (bo["overridden_count"], bo["overridden_n"], bo["raised_count"], bo["approved_count"]) == (2, 2, 1, 2)
    assert (cy["reviewed"], cy["upheld"], cy["overridden_count"], cy["overridden_n"]) == (1, 1, 0, 1)
    assert whole["reviewed"] == 4
    assert whole["share_of_decisions"] == 0.4
    assert rows["role", "officer"]["reviewed"] == 3
    assert (found.overridden, found.decisions) == (2, 10)
    assert found.machine_decided == sum(decision(out, f"F-{k:03d}").outcome != "refer" for k in range(10))
    assert not found.whole_alert  # of fewer than 20 decisions nothing is told
    told = overrides_lines(found)
    assert any(line.startswith("bo (officer)") and " 2/2 " in line for line in told)
    assert "no officer's rate is unusual for his n (least 20 decisions)" in told


def test_the_whole_rate_passes_a_limit_of_the_settings(out: Path, tmp_path: Path) -> None:
    people_file(tmp_path, rates={"least": 2, "most_overridden": 0.1})
    assert not measured(out).whole_alert
    override(out, "F-003", "1200", "asked_for_less")
    override(out, "F-006", "1200", "asked_for_less")
    found = measured(out)
    assert found.whole_alert
    assert "ALERT more is changed than the 10% that the settings allow" in overrides_lines(found)
    override(out, "F-003", str(decision(out, "F-003").limit))  # back to the machine's: overridden no more
    assert measured(out).overridden == 1


def test_an_amount_above_a_cap_of_the_policy_is_an_exception(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_as(monkeypatch, "cy")
    cap = next(step.evidence["cap"] for step in decision(out, "F-003").trail if step.rule == "crop_cap_per_mu")
    override(out, "F-003", str(Decimal(cap.removesuffix(" CNY").replace(",", "")) + 1))
    override(out, "F-006", "1200", "asked_for_less")
    [one] = [row for row in records(measured(out).cases) if row["over_caps"]]
    assert (one["farm_id"], one["over_caps"]) == ("F-003", "crop_cap_per_mu")  # the capacity's cap is no policy cap
    assert records(measured(out).table)[0]["exceptions_count"] == 1
    people_file(tmp_path, rates={"caps": ["crop_cap"]})
    with pytest.raises(ConfigError, match="rates: caps: no rule crop_cap"):
        measured(out)


def test_signed_exceptions_in_force_are_told(out: Path, tmp_path: Path) -> None:
    own = tmp_path / "exceptions.yaml"
    entry = {
        "kind": "clear views", "segment": "0-5", "policy": "demo", "measures": ["approval"], "reason": "below the bar",
        "control": "an officer visits", "valid_from": "2026-03-01T00:00:00Z", "valid_to": "2026-09-01T00:00:00Z",
        "author": "A", "approver": "B",
    }  # fmt: skip
    own.write_text(json.dumps({"exceptions": [entry]}), encoding="utf-8")
    assert [one.segment for one in measured(out, exceptions=own).exceptions] == ["0-5"]
    assert measured(out, exceptions=own, until=date(2026, 2, 28)).exceptions == ()
    assert measured(out, exceptions=own, since=date(2026, 9, 1)).exceptions == ()
    assert measured(out, exceptions=own, until=date(2026, 3, 1)).exceptions
    assert any(line.startswith("exception in force: clear views 0-5") for line in overrides_lines(
        measured(out, exceptions=own)))  # fmt: skip


def test_only_acts_of_the_days_asked_about_count(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    override(out, "F-003", "1200", "asked_for_less")
    act_as(monkeypatch, "bo", datetime(2026, 3, 5, tzinfo=UTC))
    override(out, "F-006", "1200", "asked_for_less")
    assert len(measured(out).cases) == 2
    assert list(measured(out, since=date(2026, 3, 2)).cases["farm_id"]) == ["F-006"]
    assert list(measured(out, until=date(2026, 3, 1)).cases["farm_id"]) == ["F-003"]
    assert len(measured(out, since=date(2026, 3, 1), until=date(2026, 3, 5)).cases) == 2
    with pytest.raises(ConfigError, match="--until 2026-03-01 lies before --since 2026-03-02"):
        measured(out, since=date(2026, 3, 2), until=date(2026, 3, 1))


def test_runs_that_cannot_be_summed_are_refused(out: Path) -> None:
    with pytest.raises(ConfigError, match="given twice"):
        measure_overrides([latest(out), latest(out)])
    with pytest.raises(ConfigError, match="no run is given"):
        measure_overrides([])


# --- waits ------------------------------------------------------------------------------------------------------------
def test_days_from_a_referral_to_a_persons_act(plan: Plan, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published on 20 February, and again on 27 February with five farms more; F-007 waits since the first."""
    act_as(monkeypatch, "night", datetime(2026, 2, 27, 12, tzinfo=UTC))
    publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(15)))
    refers = [f"F-{k:03d}" for k in range(15) if decision(out, f"F-{k:03d}").outcome == "refer"]
    assert refers[0] == "F-000"
    assert "F-014" in refers
    before = measured(out).times
    assert before.referred == len(refers)
    assert before.waiting_days == tuple(sorted([2.0 if int(name[2:]) >= 10 else 9.0 for name in refers]))
    act_as(monkeypatch, "bo", datetime(2026, 3, 1, 12, tzinfo=UTC))
    override(out, "F-007", "3080")
    act_as(monkeypatch, "bo", datetime(2026, 3, 3, 12, tzinfo=UTC))
    override(out, "F-014", "refuse", "claim_in_doubt")
    told = measured(out).times
    assert told.decided_days == told.looked_days == (4.0, 9.0)
    assert told.ended == {"granted_as_named": 1, "granted_other": 0, "refused": 1}
    assert (told.reviewed, told.changed) == (2, 2)
    assert told.figures()["decided"] == {"n": 2, "days_median": 6.5, "days_p90": 9.0, "days_most": 9.0}
    assert "decided: 2; days: median 6.5, p90 9, most 9" in overrides_lines(measured(out))


def test_a_look_that_changes_nothing_counts_as_one(out: Path) -> None:
    confirm_farm(latest(out), "F-003", WHY)
    override(out, "F-006", "1200", "asked_for_less")
    told = measured(out).times
    assert (told.reviewed, told.changed) == (2, 1)


# --- left as it stands ------------------------------------------------------------------------------------------------
def test_a_look_is_kept_in_the_log_and_changes_no_amount(out: Path) -> None:
    before = stand(decision(out, "F-003"), ()).amount
    act = confirm_farm(latest(out), "F-003", WHY)
    assert (act.event, act.values["why"], act.values["to"]) == ("confirmed", WHY, None)
    assert stand(decision(out, "F-003"), read_acts(out)["F-003"]).amount == before
    assert explain_farm(latest(out), "F-003", "en")[1] == "Looked at by an officer on 2026-03-01: left as it stands."
    assert explain_farm(latest(out), "F-003", "zh")[1] == "工作人员于2026-03-01查看：维持不变。"
    assert verify_run(latest(out)).faults == ()


def test_a_referral_or_ones_own_case_is_not_waved_through(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CreditError, match="F-000 waits for a person: a referral cannot be left as it is"):
        confirm_farm(latest(out), "F-000", WHY)
    act_as(monkeypatch, "ann")
    with pytest.raises(CreditError, match="F-004 is a case of ann's own"):
        confirm_farm(latest(out), "F-004", WHY)
    act_as(monkeypatch, "flo")
    with pytest.raises(CreditError, match="role clerk may not change a limit"):
        confirm_farm(latest(out), "F-003", WHY)


# --- told -------------------------------------------------------------------------------------------------------------
def test_the_page_the_file_and_the_gate(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from acreline.errors import NotPublishedError

    people_file(tmp_path, rates={"least": 2, "most_overridden": 0.0})
    override(out, "F-003", "1200", "asked_for_less")
    found = measured(out)
    page, figures, *sheets = write_review(
        tmp_path / "o", "overrides", {"overrides": found.table}, overrides_figures(found), overrides_page(found)
    )
    text = page.read_text(encoding="utf-8")
    assert "bo (officer)" in text
    assert "变更比例超过设定上限0%。" in text
    assert "lowered by, CNY" in text
    assert "下调金额（元）" in text
    assert "<script" not in text
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert (told["overridden"], told["overridden_above_limit"]) == (1, True)
    assert told["rates"][0]["sum_lowered"] == str((decision(out, "F-003").limit or 0) - 1200)
    assert [sheet.name for sheet in sheets] == ["overrides.csv"]
    with pytest.raises(NotPublishedError, match="1 alerts, told above"):
        app(["overrides", str(out), "--gate", "--out", str(tmp_path / "p")], standalone_mode=False)
    assert (tmp_path / "p" / "overrides.html").is_file()  # what was found is written before the exit code tells of it
    assert "ALERT more is changed" in capsys.readouterr().out
    app(["overrides", str(out)], standalone_mode=False)


def test_the_page_speaks_both_languages_and_names_units(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No word of a setting and no code stands in the Chinese text, and no column of money is without its currency."""
    act_as(monkeypatch, "cy")
    cap = next(step.evidence["cap"] for step in decision(out, "F-003").trail if step.rule == "crop_cap_per_mu")
    override(out, "F-003", str(Decimal(cap.removesuffix(" CNY").replace(",", "")) + 1))
    override(out, "F-007", "6160")
    page = overrides_page(measured(out))
    cases = page.sections[3]
    assert cases.head[3:5] == [("before, CNY", "变更前（元）"), ("after, CNY", "变更后（元）")]
    [row] = [row for row in cases.rows if row[0] == "F-003"]
    assert row[1] == ("cy (reviewer)", "cy（工作人员）")
    assert row[5] == ("Amount per mu", "每亩额度")
    text = render_page(page)
    assert "crop_cap_per_mu" not in text
    assert '<td>cy (reviewer) <span class="zh" lang="zh">cy（工作人员）</span></td>' in text
    units = [en for en, _ in page.sections[1].head if en.endswith(", CNY")]
    assert units == ["raised by, CNY", "lowered by, CNY", "granted, CNY", "withdrawn, CNY"]
    notes = [note for part in page.sections[:3] for note in part.notes]
    chinese = [zh for words in (*page.notices, *cases.notes, *notes) for zh in words[1:]]
    chinese += [cell[1] for part in page.sections for row in part.rows for cell in row if not isinstance(cell, str)]
    assert chinese
    assert not [zh for zh in chinese if re.search(r"[A-Za-z]{3,}", zh)]
