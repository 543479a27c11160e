# SPDX-License-Identifier: Apache-2.0
"""Vintage curves by hand, on made loans: acreline has none of its own."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.cli import app
from acreline.errors import ConfigError, InputError
from acreline.review.compare import records
from acreline.review.files import write_review
from acreline.review.outcomes import interval
from acreline.review.page import LineSeries, line_chart, round_step
from acreline.review.vintage import PAST_DUE_DAYS, Vintages, measure_vintages, vintage_figures
from acreline.review.vintage_page import vintage_lines, vintage_page

HEAD = "farm_id,publication_id,granted_on,amount,month,days_past_due,state"
ON_TIME, LATE, NEW = "F-1,p1,2025-01-20,1000", "F-2,p1,2025-01-05,3000", "F-3,p2,2025-03-31,6000"


def write(path: Path, *lines: str, head: str = HEAD) -> Path:
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def months(loan: str, *late: int, end: str = "open") -> list[str]:
    """A row for each month from 1 on; the last one is in state `end`."""
    last = len(late)
    return [f"{loan},{k},{days},{end if k == last else 'open'}" for k, days in enumerate(late, start=1)]


def at(found: Vintages, days: int, month: int, vintage: str = "2025Q1", policy: str = "all") -> dict[str, Any]:
    [row] = [row for row in records(found.table) if (row["vintage"], row["policy"], row["days_past_due"], row["month"])
             == (vintage, policy, days, month)]  # fmt: skip
    return dict(row)


def blank(value: Any) -> bool:
    return value is None or value != value


def test_shares_by_count_and_by_money_by_hand(tmp_path: Path) -> None:
    """Three loans of one quarter, known until May: the one of March has two months on book, the others four."""
    lines = [*months(ON_TIME, 0, 0, 0, 0), *months(LATE, 0, 35, 65, 0), *months(NEW, 0, 0)]
    found = measure_vintages(write(tmp_path / "h.csv", *lines))
    assert (found.as_of, found.loans) == ("2025-05", 3)
    second = at(found, 30, 2)
    assert (second["at_risk"], second["loans"], second["ever"]) == (3, 3, 1)
    assert second["rate"] == pytest.approx(1 / 3)
    assert (second["rate_low"], second["rate_high"]) == pytest.approx(interval(1, 3))
    assert second["amount_rate"] == pytest.approx(3000 / 10000)
    assert at(found, 60, 2)["rate"] == 0
    third = at(found, 60, 3)  # two of three have got so far: told how many, and no share of the older ones
    assert (third["at_risk"], third["loans"]) == (2, 3)
    assert all(blank(third[name]) for name in ("ever", "rate", "rate_low", "rate_high", "amount_rate", "amount_ever"))


def test_who_was_late_once_stays_so(tmp_path: Path) -> None:
    found = measure_vintages(write(tmp_path / "h.csv", *months(LATE, 0, 95, 0, 0)))
    assert [at(found, 90, month)["rate"] for month in (1, 2, 3, 4)] == [0, 1, 1, 1]


def test_a_loan_that_was_paid_back_stays_at_risk_and_one_written_off_is_late(tmp_path: Path) -> None:
    lines = [*months(ON_TIME, 0, 0, end="paid"), *months(LATE, 0, 0, 0, end="written_off")]
    lines += months("F-4,p1,2025-02-01,100", 0, 0, 0, 0, 0)
    found = measure_vintages(write(tmp_path / "h.csv", *lines))
    assert found.as_of == "2025-07"
    assert (at(found, 90, 5)["at_risk"], at(found, 90, 5)["ever"]) == (3, 1)
    assert (at(found, 90, 2)["ever"], at(found, 90, 3)["ever"]) == (0, 1)


def test_quarters_years_seasons_and_policies(tmp_path: Path) -> None:
    head = HEAD + ",policy,season"
    lines = [f"{line},a@1,2025" for line in months(ON_TIME, 0, 0, 0)]
    lines += [f"{line},b@2,2026" for line in months("F-5,p3,2025-02-09,500", 0, 31)]
    path = write(tmp_path / "h.csv", *lines, head=head)
    found = measure_vintages(path)
    assert found.policies == ("a@1", "b@2")
    assert at(found, 30, 2)["ever"] == at(found, 30, 2, policy="b@2")["ever"] == 1
    assert at(found, 30, 3, policy="a@1")["ever"] == 0
    assert set(measure_vintages(path, by="year").table["vintage"]) == {"2025"}
    assert set(measure_vintages(path, by="season").table["vintage"]) == {"2025", "2026"}


def test_the_policy_is_read_from_the_run_that_decided(tmp_path: Path) -> None:
    publication = tmp_path / "out" / "publications" / "p9"
    publication.mkdir(parents=True)
    policy = {"id": "demo-1", "version": "abc"}
    (publication / "manifest.json").write_text(json.dumps({"publication_id": "p9", "policy": policy}))
    log = tmp_path / "out" / "log" / "decisions.jsonl"
    log.parent.mkdir()
    entry = {"event": "person_deleted", "publication_id": "p9", "instead_of": "p1", "policy": policy}
    log.write_text(json.dumps(entry) + "\n")
    lines = [*months(ON_TIME, 0, 0), *months("F-3,p9,2025-01-31,6000", 0, 0), *months("F-4,p4,2025-01-31,600", 0, 0)]
    found = measure_vintages(write(tmp_path / "h.csv", *lines), [publication])
    assert found.policies == ("demo-1@abc", "unknown")
    assert at(found, 30, 1, policy="demo-1@abc")["loans"] == 2


def test_an_earlier_month_is_told_as_it_was_known_then(tmp_path: Path) -> None:
    lines = [*months(ON_TIME, 0, 0, 0), *months(LATE, 0, 0, 35)]
    path = write(tmp_path / "h.csv", *lines, *months("F-6,p1,2025-04-01,100"), "F-6,p1,2025-04-01,100,0,0,open")
    assert measure_vintages(path, as_of="2025-03").loans == 2
    assert at(measure_vintages(path, as_of="2025-03"), 30, 2)["ever"] == 0
    assert at(measure_vintages(path), 30, 3)["ever"] == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.lists(st.sampled_from([0, 29, 30, 60, 89, 90, 200]), max_size=8)), min_size=1,
        max_size=8,
    )
)  # fmt: skip
def test_curves_rise_and_a_longer_delay_is_never_more_frequent(
    tmp_path_factory: pytest.TempPathFactory, loans: list[tuple[int, list[int]]]
) -> None:
    """Made loans of six months; each that is not told to the end was paid back."""
    lines = []
    for number, (born, late) in enumerate(loans):
        late = late[: 8 - born] or [0]
        state = "open" if len(late) == 8 - born else "paid"
        lines += months(f"F-{number},p,2025-{born + 1:02d}-10,{100 + number}", *late, end=state)
    lines += months("F-x,p,2025-01-10,50", *[0] * 8)
    path = write(tmp_path_factory.mktemp("any") / "h.csv", *lines)
    rows = [row for row in records(measure_vintages(path).table) if not blank(row["rate"])]
    curves: dict[tuple[str, int], list[tuple[int, float, float]]] = {}
    for row in rows:
        curves.setdefault((row["vintage"], row["days_past_due"]), []).append(
            (row["month"], row["rate"], row["amount_rate"])
        )
    for (vintage, _), points in curves.items():
        assert [one[0] for one in points] == list(range(1, len(points) + 1))  # a prefix: nothing is known after a blank
        assert all(a[1] <= b[1] and a[2] <= b[2] for a, b in itertools.pairwise(points))
        thirty, sixty, ninety = (curves[vintage, days] for days in PAST_DUE_DAYS)
        assert all(a[1] >= b[1] >= c[1] for a, b, c in zip(thirty, sixty, ninety, strict=True))


# --- refused ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["F-1,p1,2025-01-20,1000,1,0,open", "F-1,p1,2025-01-20,1000,1,0,open"], "row 3: month 1: the month stands"),
        (["F-1,p1,2025-01-20,1000,2,0,open"], "row 2: month 2: its first month is missing"),
        (["F-1,p1,2025-01-20,1000,1,0,open", "F-1,p1,2025-01-20,1000,3,0,open"], "row 3: month 3: the month before it"),
        (["F-1,p1,2025-01-20,1000,1,0,paid", "F-1,p1,2025-01-20,1000,2,0,open"], "row 3: month 2: the loan had ended"),
        (["F-1,p1,2025-01-20,1000,1,0,open", "F-1,p1,2025-01-20,900,2,0,open"], "row 3: month 2: the amount granted"),
        (["F-1,p1,2025-01-20,1000,1,0,asleep"], "state is 'asleep'"),
        (["F-1,p1,2025-01-20,1000,1.5,0,open"], "month is '1.5'"),
        (["F-1,p1,2025-01-20,0,1,0,open"], "amount is '0'"),
        (["F-1,p1,20/1/2025,1000,1,0,open"], "granted_on is '20/1/2025'"),
        (["F-1,p1,2025-01-20,1000,1,-3,open"], "days_past_due is '-3'"),
        ([",p1,2025-01-20,1000,1,0,open"], "farm_id is"),
        ([*months(ON_TIME, 0), *months(NEW, 0, 0)], "row 2: an open loan ends in month 1, and 2025-05 is its month 4"),
    ],
)  # fmt: skip
def test_a_wrong_history_is_refused_by_line(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        measure_vintages(write(tmp_path / "h.csv", *lines))


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "h.csv", *months(ON_TIME, 0, 0))
    with pytest.raises(ConfigError, match="--by: 'week' is not known"):
        measure_vintages(path, by="week")
    with pytest.raises(ConfigError, match="a loan without its season"):
        measure_vintages(path, by="season")
    with pytest.raises(ConfigError, match="--as-of: 'May' is no month"):
        measure_vintages(path, as_of="May")
    with pytest.raises(ConfigError, match="no loan was granted until 2024-12"):
        measure_vintages(path, as_of="2024-12")
    with pytest.raises(InputError, match="neither farm_id nor person_id"):
        measure_vintages(write(tmp_path / "n.csv", head=HEAD.replace("farm_id", "name")))
    two = [f"{line},{money}" for line, money in zip(months(ON_TIME, 0, 0), ("CNY", "EUR"), strict=True)]
    with pytest.raises(InputError, match="currency is 'EUR'"):
        measure_vintages(write(tmp_path / "c.csv", *two, head=HEAD + ",currency"))


# --- told -------------------------------------------------------------------------------------------------------------
def test_terminal_page_and_file_say_whose_figures_they_are_and_name_no_loan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "h.csv", *months(ON_TIME, 0, 0, 0, 0), *months(LATE, 0, 35, 65, 0), *months(NEW, 0, 0))
    found = measure_vintages(path)
    assert vintage_lines(found)[0] == "3 loans by quarter of granting, known until 2025-05; policies: unknown"
    assert "33.3% (6.1% to 79.2%)" in vintage_lines(found)[2]
    write_review(tmp_path / "o", "vintage", {"vintage": found.table}, vintage_figures(found), vintage_page(found))
    page = (tmp_path / "o" / "vintage.html").read_text(encoding="utf-8")
    assert "acreline自身没有贷款和还款数据" in page
    assert page.count("<polyline") == 2 * 6  # for a screen and for a telephone
    told = json.loads((tmp_path / "o" / "vintage.json").read_text(encoding="utf-8"))
    assert told["curves"][0]["at_risk"] == 3
    assert next(row for row in told["curves"] if row["month"] == 3)["rate"] is None
    for name in ("vintage.html", "vintage.json", "vintage.csv"):
        assert "F-1" not in (tmp_path / "o" / name).read_text(encoding="utf-8")
    app(["vintage", "--outcomes", str(path), "--out", str(tmp_path / "p")], standalone_mode=False)
    assert "vintage.html" in capsys.readouterr().out


def test_loans_of_this_month_have_no_curve_yet(tmp_path: Path) -> None:
    found = measure_vintages(write(tmp_path / "h.csv", "F-1,p1,2025-01-20,1000,0,0,open"))
    assert vintage_lines(found)[1] == "no loan has reached its first month on book"
    assert vintage_page(found).sections[0].lines is None


def test_a_line_chart_lies_inside_its_frame() -> None:
    assert line_chart([], x=("x", "横")) is None
    chart = line_chart([LineSeries("a", [(1, 0), (4, 20)])], x=("x", "横"), unit=" %")
    assert chart is not None
    (x, y) = map(float, chart["lines"][0]["points"].split()[-1].split(","))
    assert (x, y) == (chart["right"], chart["top"])
    assert chart["levels"][-1][1] == "20 %"


@pytest.mark.parametrize(
    ("most", "levels"),
    [
        (9.97, ["0 %", "2 %", "4 %", "6 %", "8 %", "10 %"]),
        (20, ["0 %", "5 %", "10 %", "15 %", "20 %"]),
        (0.3, ["0 %", "0.1 %", "0.2 %", "0.3 %"]),
        (100, ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (0, ["0 %", "1 %"]),
    ],
)
def test_ticks_are_round(most: float, levels: list[str]) -> None:
    chart = line_chart([LineSeries("a", [(1, 0), (4, most)])], x=("x", "横"), unit=" %")
    assert chart is not None
    assert [words for _, words in chart["levels"]] == levels


@given(st.floats(1e-6, 1e9))
def test_three_to_five_round_ticks_reach_the_largest_value(most: float) -> None:
    step = round_step(most)
    assert 2 * step < most <= 5 * step * (1 + 1e-9)
