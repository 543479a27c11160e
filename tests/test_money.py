# SPDX-License-Identifier: Apache-2.0
"""Requests and debts of one currency under a policy of another: never misread, never rounded in a farm's favour."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.config import read_region
from acreline.desk import decide_again
from acreline.errors import AcrelineError, ConfigError, SeveralErrors
from acreline.inputs import check_region
from acreline.money import applicant_at, check_rate, farms_at, read_rate
from acreline.records import Applicant
from acreline.review.book import choose_policy, decide, read_book
from tests.test_credit import make_farm
from tests.test_river import own_region

MONEY = st.decimals(min_value=0, max_value=10**9, places=4)
RATES = st.decimals(min_value="0.0001", max_value=10**5, places=8).filter(lambda rate: rate > 0)


def test_what_an_applicant_said_at_a_rate() -> None:
    said = Applicant("F", "P-1", Decimal("8000.55"), Decimal("0.01"), 3, Decimal(100), Decimal(7), Decimal(9))
    told = applicant_at(said, Decimal("11.777"))
    # 8000.55 x 11.777 = 94222.47735; 0.01 x 11.777 = 0.11777; 1177.7; 82.439; 105.993
    assert told == Applicant(
        "F", "P-1", Decimal("94222.47"), Decimal("0.12"), 3, Decimal("1177.70"), Decimal("82.43"), Decimal("105.99")
    )
    unknown = Applicant("F")
    assert applicant_at(unknown, Decimal(2)) == unknown  # a debt that nobody gave stays unknown


@given(requested=MONEY, debt=MONEY, rate=RATES)
def test_a_rate_never_helps_the_farm_by_rounding(requested: Decimal, debt: Decimal, rate: Decimal) -> None:
    told = applicant_at(Applicant("F", requested=requested, existing_debt=debt), rate)
    assert told.requested is not None
    assert told.existing_debt is not None
    assert 0 <= requested * rate - told.requested < Decimal("0.01")
    assert 0 <= told.existing_debt - debt * rate < Decimal("0.01")


def test_what_was_measured_stays_as_it_is() -> None:
    farm, nobody = make_farm({"applicant": {"requested": 100}}), make_farm({"applicant": None})
    told = farms_at([farm, nobody], Decimal(2))
    assert told[1] == nobody
    assert told[0].value == farm.value
    assert told[0].applicant is not None
    assert told[0].applicant.requested == 200


@pytest.mark.parametrize("text", ["", "0", "0.0", "-1", "1,5", "1e3", "NaN", "1234567", "١"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ConfigError, match="is no rate") as caught:
        read_rate(text)
    assert "11.7" in caught.value.hint


def test_a_rate_where_it_is_needed_and_only_there() -> None:
    check_rate("CNY", "p", "CNY", None, "so")
    check_rate("CNY", "p", "INR", read_rate("11.7"), "so")
    with pytest.raises(ConfigError, match="in CNY, policy p in INR: requests and debts would be misread") as caught:
        check_rate("CNY", "p", "INR", None, "as --rate")
    assert caught.value.hint == "say how many INR one CNY is, as --rate"
    with pytest.raises(ConfigError, match=r"a rate of 11\.7 was given, but .* both in CNY"):
        check_rate("CNY", "p", "CNY", Decimal("11.7"), "so")


def test_another_currency_is_asked_for_a_rate_and_decides_by_it(demo_run: Path) -> None:
    publication = (demo_run / "latest").resolve()
    with pytest.raises(ConfigError, match="in CNY, policy kcc-2017 in INR"):
        decide_again(publication, "kcc")
    with pytest.raises(ConfigError, match="both in CNY"):
        decide_again(publication, "china", rate=Decimal(2))
    found = [
        {one.farm_id: one.limit for one in decide_again(publication, "kcc", rate=Decimal(rate))[1]}["F-004"]
        for rate in ("1", "2")
    ]
    assert found[0] is not None
    assert found == [8000, 16000]  # what was asked for binds, at either rate
    book = read_book([publication])
    with pytest.raises(ConfigError, match="in CNY, policy kcc-2017 in INR") as caught:
        decide(book.regions[0], choose_policy("kcc", book.regions[0]))
    assert "applicants_rate" in caught.value.hint


def trouble(region: Path) -> str:
    with pytest.raises(AcrelineError) as caught:
        check_region(read_region(region))
    error = caught.value
    return " ".join(map(str, error.errors)) if isinstance(error, SeveralErrors) else str(error)


def test_a_region_says_the_rate_before_the_night(repo: Path, tmp_path: Path) -> None:
    kcc = {"policy": "kcc", "applicants_currency": "CNY"}
    assert "in CNY, policy kcc-2017 in INR" in trouble(own_region(repo, tmp_path, **kcc))
    assert "a rate of 2 was given" in trouble(own_region(repo, tmp_path, applicants_currency="CNY", applicants_rate=2))
    region = read_region(own_region(repo, tmp_path, **kcc, applicants_rate=11.7))
    _, inputs = check_region(region)
    plain = check_region(read_region(own_region(repo, tmp_path)))[1]
    told, said = inputs.applicants["F-004"].requested, plain.applicants["F-004"].requested
    assert said is not None
    assert told == said * Decimal("11.7")


def test_a_run_says_that_it_reckoned_at_a_rate(repo: Path) -> None:
    from acreline.notices import converted

    region = read_region(repo / "configs" / "regions" / "flanders-2018.yaml")
    region = region.model_copy(update={"applicants_rate": Decimal("11.70")})
    assert converted(region, "INR") == {
        "en": "requests and debts in CNY were reckoned at 11.7 INR for one CNY",
        "zh": "申请金额与债务按1 CNY = 11.7 INR折算",
    }


def test_every_packaged_region_with_applicants_says_their_currency_and_china_its_county(repo: Path) -> None:
    for path in sorted((repo / "configs" / "regions").glob("*.yaml")):
        region = read_region(path)
        assert region.applicants is None or region.applicants_currency == "CNY", path.name
    counties = {read_region(path).county for path in (repo / "configs" / "regions").glob("*.yaml")}
    assert {"sim-county", "xingping"} <= counties  # whose amounts the China pack has
