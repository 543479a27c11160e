# SPDX-License-Identifier: Apache-2.0
"""A person changes a limit: within authority, for a reason, with evidence, for good in the log."""

from __future__ import annotations

import json
import shutil
import stat
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.config import packaged_configs, read_region
from acreline.credit import decision_from_json
from acreline.decision_log import LOG_FILE, read_log, user_name
from acreline.desk import explain_farm, read_trail
from acreline.errors import AcrelineError, ConfigError, CreditError, InputError, StoreError
from acreline.people.acts import Act, Amount, read_acts, read_amount, read_why, stand
from acreline.people.authority import People, Reasons, read_people, read_reasons
from acreline.people.override import Change, override_farm
from acreline.plan import plan_run
from acreline.records import Decision
from acreline.verify import verify_run
from tests.made_evidence import evidence_farm, publish_evidence
from tests.made_people import NOW, act_as, edit_log, people_file, png

pytestmark = pytest.mark.xdist_group("publish")
WHY = "visited on the day: the field is as the farmer says"


@pytest.fixture(scope="module")
def made(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("people") / "out"
    plan = plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))
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


def override(out: Path, farm_id: str, to: str, reason: str = "seen_on_visit", *evidence: Path, why: str = WHY) -> Act:
    return override_farm(latest(out), farm_id, Change(to, reason, why, evidence))


def now(out: Path, farm_id: str) -> Amount:
    return stand(decision(out, farm_id), read_acts(out).get(farm_id, ())).amount


def test_the_farms_are_of_all_kinds(out: Path) -> None:
    """What the tests below count on."""
    told = {name: (decision(out, name).outcome, decision(out, name).limit) for name in ("F-000", "F-003", "F-006")}
    assert told["F-000"][0] == "refer"
    assert told["F-003"][0] == told["F-006"][0] == "approve"
    assert min(told["F-003"][1] or 0, told["F-006"][1] or 0) > 1000


# --- the log ----------------------------------------------------------------------------------------------------------
def test_who_when_from_to_reason_text_and_evidence_are_kept(out: Path, tmp_path: Path) -> None:
    trail = (latest(out) / "trail.jsonl").read_bytes()
    limit = decision(out, "F-003").limit
    paper = tmp_path / "Zhang San, contract.pdf"
    paper.write_bytes(b"%PDF-1.4 sold 3 t of maize")
    act = override(out, "F-003", str((limit or 0) + 500), "paper_shows_more", paper)
    line = read_log(out)[-1]
    assert (line["event"], line["by"], line["at"]) == ("override", "bo", "2026-03-01T12:00:00+00:00")
    assert line["from"] == line["machine"] == {"outcome": "approve", "limit": str(limit)}
    assert line["to"] == {"outcome": "approve", "limit": str((limit or 0) + 500)}
    assert (line["reason"], line["why"], line["role"]) == ("paper_shows_more", WHY, "officer")
    assert line["decided_in"] == latest(out).name
    [kept] = line["evidence"]
    place = out / "evidence" / kept["file"]
    assert place.read_bytes() == paper.read_bytes()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert "Zhang" not in json.dumps(line)  # a file's name may say who somebody is
    assert act.values == line
    assert (latest(out) / "trail.jsonl").read_bytes() == trail  # the original decision stays
    told = verify_run(latest(out))
    assert told.faults == ()
    assert "evidence: 1 files that people showed are as they were handed in" in told.lines


def test_the_latest_of_two_acts_wins_and_both_stay_in_order(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    override(out, "F-003", "1000", "asked_for_less")
    act_as(monkeypatch, "cy")
    override(out, "F-003", "1200", "seen_on_visit")
    assert now(out, "F-003") == Amount("approve", Decimal(1200))
    acts = read_acts(out)["F-003"]
    assert [(act.by, act.values["from"]["limit"], act.to.limit) for act in acts if act.to] == [
        ("bo", str(decision(out, "F-003").limit), Decimal(1000)),
        ("cy", "1000", Decimal(1200)),
    ]


def test_refusing_and_sending_back_take_no_amount(out: Path) -> None:
    override(out, "F-003", "refuse", "claim_in_doubt")
    assert now(out, "F-003") == Amount("decline", Decimal(0))
    override(out, "F-003", "refer", "too_near")
    assert now(out, "F-003") == Amount("refer", None)


def test_the_last_act_is_told(out: Path) -> None:
    limit = decision(out, "F-003").limit
    before = explain_farm(latest(out), "F-003", "en")
    override(out, "F-003", "1000", "asked_for_less")
    told = explain_farm(latest(out), "F-003", "en")
    was = f"{limit:,} CNY"
    assert told[1] == f"An officer lowered your limit from {was} to 1,000 CNY on 2026-03-01: the farmer asked for less."
    assert told[2] == f"Stands now: a limit of 1,000 CNY. The machine's own decision (a limit of {was}) stays on file."
    assert told[:1] + told[3:] == before
    assert explain_farm(latest(out), "F-003", "zh")[1].startswith("2026-03-01，工作人员将您的额度由")


# --- authority --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("user", "farm", "to", "words"),
    [
        ("bo", "F-003", "+1001", "above the authority of bo .officer.: at most .*, 1,000 above the machine's"),
        ("cy", "F-003", "90001", "at most .*above the machine's"),
        ("bo", "F-000", "30000", "is above the authority"),
        ("zoe", "F-003", "1000", "'zoe' holds no role: is not in it"),
        ("ed", "F-003", "1000", "'ed' holds no role: held one, but not on 2026-03-01"),
        ("flo", "F-003", "1000", "flo: role clerk may not change a limit"),
        ("ann", "F-004", "1000", "F-004 is a case of ann's own, or of the family"),
        ("ann", "F-003", "1000", "F-003 is a case of ann's own, or of the family"),
    ],
)
def test_above_authority_or_too_near_is_refused(
    out: Path, monkeypatch: pytest.MonkeyPatch, user: str, farm: str, to: str, words: str
) -> None:
    act_as(monkeypatch, user)
    limit = decision(out, farm).limit or Decimal(0)
    to = str(limit + Decimal(to[1:])) if to.startswith("+") else to
    before = (out / LOG_FILE).read_bytes()
    with pytest.raises(CreditError, match=words):
        override(out, farm, to)
    assert (out / LOG_FILE).read_bytes() == before


def test_steps_of_a_raise_add_up_to_one(out: Path) -> None:
    limit = decision(out, "F-003").limit or Decimal(0)
    step = Decimal(1000)
    override(out, "F-003", str(limit + step))
    with pytest.raises(CreditError, match="above the authority"):
        override(out, "F-003", str(limit + step + 1))
    override(out, "F-003", "500", "asked_for_less")
    override(out, "F-003", str(limit))  # back to the machine's is no raise above it


def test_a_share_of_the_machines_amount_and_a_highest_limit_bind_too(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = decision(out, "F-003").limit or Decimal(0)
    role = {"override": True, "raise_share": 0.01, "raise_amount": 10**9, "most_limit": 10**9}
    people_file(tmp_path, roles={"officer": role, "reviewer": {}, "clerk": {}})
    with pytest.raises(CreditError, match="1% above the machine's"):
        override(out, "F-003", str(limit * 2))
    people_file(tmp_path, roles={"officer": role | {"raise_share": 9, "most_limit": 500}, "reviewer": {}, "clerk": {}})
    with pytest.raises(CreditError, match=r"at most 500\.00, the most that this role may let stand"):
        override(out, "F-003", str(limit * 2))
    override(out, "F-003", str(limit - 100))  # less than the machine gave is within everyone's authority
    people_file(tmp_path, currency="EUR")
    with pytest.raises(CreditError, match="limits of authority are in EUR, this run is in CNY"):
        override(out, "F-003", str(limit))


def test_the_user_of_the_system_counts_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    before = user_name()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "demo-reviewer")
    assert user_name() == before != "demo-reviewer"


# --- what is typed ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("to", "reason", "why", "words"),
    [
        ("1000", "because", WHY, "'because' is not known"),
        ("1000", "paper_shows_more", WHY, "paper_shows_more is no reason to lower"),
        ("refer", "crop_corrected", WHY, "crop_corrected must be shown by a file"),
        ("ten", "asked_for_less", WHY, "'ten' is no amount"),
        ("0", "asked_for_less", WHY, "0 cannot be a limit"),
        ("1.001", "asked_for_less", WHY, "cannot be a limit"),
        ("NaN", "asked_for_less", WHY, "cannot be a limit"),
        ("1e400", "asked_for_less", WHY, "cannot be a limit"),
        ("1000", "asked_for_less", "less", "--why: 4 characters"),
        ("1000", "asked_for_less", "call 138 1234 5678 about it", "it holds a phone's number"),
        ("1000", "asked_for_less", "his card is 11010519491231002X", "an identity card's number"),
        ("1000", "asked_for_less", "wrote from a.b@example.com", "an e-mail address"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name(out: Path, to: str, reason: str, why: str, words: str) -> None:
    before = (out / LOG_FILE).read_bytes()
    with pytest.raises(ConfigError, match=words):
        override(out, "F-003", to, reason, why=why)
    assert (out / LOG_FILE).read_bytes() == before


def test_nothing_new_no_farm_and_no_run_folder_are_refused(out: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stands already"):
        override(out, "F-003", str(decision(out, "F-003").limit))
    with pytest.raises(ConfigError, match="no farm 'F-999'"):
        override(out, "F-999", "1000")
    copy = Path(shutil.copytree(latest(out), tmp_path / "copy"))
    with pytest.raises(ConfigError, match="no run folder around it"):
        override_farm(copy, "F-003", Change("1000", "asked_for_less", WHY))


def test_money_and_text_come_out_plain() -> None:
    assert read_amount("9e3") == Amount("approve", Decimal(9000))
    assert format(read_amount("1200.50").limit or 0, "f") == "1200.5"
    assert read_why("  seen on\n the  field ") == "seen on the field"
    assert read_why("parcel 110105 and 2026-03-01, 12345678901 m2")  # numbers of other kinds may stand


# --- files of people and reasons --------------------------------------------------------------------------------------
def test_the_packaged_files_hold_and_have_their_schema() -> None:
    for model, name in ((People, "people"), (Reasons, "overrides")):
        made = json.dumps(model.model_json_schema(), indent=2, sort_keys=True) + "\n"
        assert (packaged_configs() / f"{name}.schema.json").read_text(encoding="utf-8") == made
        text = (packaged_configs() / f"{name}.yaml").read_text(encoding="utf-8")
        assert text.startswith(f"# yaml-language-server: $schema={name}.schema.json")
    assert "invented" in read_people().author
    assert read_reasons()["seen_on_visit"].said == (
        "the field was visited, and it is not as the satellite measured it", "实地查看结果与卫星测量不符"
    )  # fmt: skip
    assert {way for reason in read_reasons().values() for way in reason.ways} == {
        *("raise", "lower", "grant", "refuse", "refer")
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"approver": " a"}, "author and approver must be two people"),
        ({"people": [{"user": "x", "role": "boss", "valid_from": "2026-01-01"}]}, "no role 'boss'; known: clerk"),
        (
            {"people": [{"user": "x", "role": "clerk", "valid_from": "2026-01-02", "valid_to": "2026-01-02"}]},
            "does not lie after valid_from",
        ),
        ({"chief": "x"}, "unknown key"),
    ],
)
def test_a_wrong_file_of_people_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_people(people_file(tmp_path, **changes))


def test_a_reason_that_stands_twice_is_refused(tmp_path: Path) -> None:
    one = "{slug: a, ways: [raise], said: [a, b]}"
    (tmp_path / "r.yaml").write_text(f"reasons: [{one}, {one}]", encoding="utf-8")
    with pytest.raises(ConfigError, match="a reason stands twice: a"):
        read_reasons(tmp_path / "r.yaml")


# --- evidence and tampering -------------------------------------------------------------------------------------------
def test_evidence_that_was_changed_or_is_gone_is_found(out: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    kept = override(out, "F-003", "refer", "crop_corrected", tmp_path / "a.png").values["evidence"][0]["file"]
    place = out / "evidence" / kept
    place.write_bytes(png() + b"x")
    assert f"changed: evidence/{kept} (override 2026-03-01T12:00:00+00:00, F-003)" in verify_run(latest(out)).faults
    place.unlink()
    assert f"missing: evidence/{kept} (override 2026-03-01T12:00:00+00:00, F-003)" in verify_run(latest(out)).faults
    with pytest.raises(InputError, match="cannot be read"):
        override(out, "F-006", "refer", "crop_corrected", tmp_path / "none.png")


def test_an_edited_act_is_found_and_nothing_is_told_or_done_on_it(out: Path) -> None:
    override(out, "F-003", "1000", "asked_for_less")
    edit_log(out, 2, lambda line: line.update(to={"outcome": "approve", "limit": "9000"}))
    assert "decisions.jsonl: line 2 does not follow" in verify_run(latest(out)).faults[0]
    with pytest.raises(StoreError, match=r"does not hold: .*line 2"):
        explain_farm(latest(out), "F-003", "en")
    with pytest.raises(StoreError, match="does not hold"):
        override(out, "F-003", "900", "asked_for_less")


def test_a_folder_that_cannot_be_written_is_told(out: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (out / "evidence").write_text("in the way")
    with pytest.raises(StoreError, match="evidence: cannot be written"):
        override(out, "F-003", "refer", "crop_corrected", tmp_path / "a.png")
    assert len(read_log(out)) == 1


@pytest.fixture(scope="module")
def acted(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with three acts in it."""
    folder = tmp_path_factory.mktemp("acted")
    with pytest.MonkeyPatch.context() as patch:
        act_as(patch, "bo")
        patch.setenv("ACRELINE_PEOPLE", str(people_file(folder)))
        out = Path(shutil.copytree(made, folder / "out", symlinks=True))
        for to, reason in (("1000", "asked_for_less"), ("refuse", "claim_in_doubt"), ("refer", "too_near")):
            override(out, "F-003", to, reason)
    return out


@given(data=st.data())
def test_any_byte_that_is_changed_in_the_log_is_found(acted: Path, data: st.DataObject) -> None:
    path = acted / LOG_FILE
    whole = path.read_bytes()
    place, other = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    changed = whole[:place] + bytes([other]) + whole[place + 1 :]
    path.write_bytes(changed)
    try:
        if changed == whole:
            assert len(read_acts(acted)["F-003"]) == 3
        else:
            with pytest.raises(StoreError, match="does not hold"):
                read_acts(acted)
    finally:
        path.write_bytes(whole)


WAYS = st.sampled_from(
    [("700", "asked_for_less"), ("900", "seen_on_visit"), ("refuse", "claim_in_doubt"), ("refer", "too_near")]
)


@given(st.lists(st.tuples(st.sampled_from(["bo", "cy", "zoe"]), WAYS), max_size=6))
def test_after_any_acts_the_last_that_was_taken_stands_and_the_chain_holds(
    made: Path, tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, tuple[str, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "publications").mkdir()
    publication = folder / "publications" / latest(made).name
    publication.symlink_to(latest(made))
    machine = next(line for line in read_trail(publication) if line["farm_id"] == "F-003")
    expected, taken = (machine["outcome"], machine["limit"]), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACRELINE_PEOPLE", str(people_file(folder)))
        for user, (to, reason) in acts:
            act_as(patch, user, NOW)
            try:
                override_farm(publication, "F-003", Change(to, reason, WHY))
            except AcrelineError:
                continue
            taken += 1
            expected = {"refuse": ("decline", "0"), "refer": ("refer", None)}.get(to, ("approve", to))
    mine = read_acts(folder).get("F-003", ())
    found = stand(decision_from_json(machine), mine).amount
    assert (found.outcome, None if found.limit is None else str(found.limit)) == expected
    assert len(mine) == taken
    assert all(act.by != "zoe" for act in mine)
