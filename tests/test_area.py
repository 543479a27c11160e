# SPDX-License-Identifier: Apache-2.0
"""Land of each crop in a region: expected and corrected totals by hand, and what a sample must be."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.area import COLUMNS, area_lines, corrected_areas, expected_areas, read_reference, region_areas
from acreline.errors import InputError
from tests.made_publication import make_publication


def stands(*rows: tuple[str, str, float, str, float]) -> pd.DataFrame:
    """(slot, crop, confidence, set, area) each; parcels p0, p1 ..."""
    table = pd.DataFrame(rows, columns=["slot", "crop", "crop_confidence", "crop_set", "area_m2"])
    return table.assign(parcel_id=pd.array([f"p{k}" for k in range(len(table))], dtype="string"))


def test_land_is_shared_by_probability() -> None:
    table = expected_areas(
        stands(("B", "maize", 0.9, "maize", 1000.0), ("B", "maize", 0.5, "maize|soybean|cotton", 2000.0))
    )
    assert table["expected_m2"].to_dict() == pytest.approx(
        {("B", "maize"): 1900.0, ("B", "soybean"): 500.0, ("B", "cotton"): 500.0, ("B", "other"): 100.0}
    )
    error = table["expected_se_m2"]
    assert error["B", "maize"] == pytest.approx(math.sqrt(1000**2 * 0.09 + 2000**2 * 0.25))
    assert error["B", "cotton"] == pytest.approx(2000 * math.sqrt(0.25 * 0.75))


def sample(*rows: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["told", "crop", "area_m2"])


def test_the_stratified_estimator_by_hand() -> None:
    """Parcels of one size: 40 ha told maize of which 4 of 5 are, 60 ha told rice of which 9 of 10 are."""
    told = stands(("B", "maize", 1.0, "maize", 400_000.0), ("B", "rice", 1.0, "rice", 600_000.0))
    seen = sample(
        *[("maize", "maize", 1.0)] * 4, ("maize", "rice", 1.0), *[("rice", "rice", 1.0)] * 9, ("rice", "maize", 1.0)
    )
    table = corrected_areas(told, seen).set_index("crop")
    assert table["corrected_m2"].to_dict() == pytest.approx({"maize": 380_000.0, "rice": 620_000.0})
    error = 1_000_000 * math.sqrt(0.4**2 * 0.8 * 0.2 / 4 + 0.6**2 * 0.9 * 0.1 / 9)  # Olofsson, equation 10
    assert table["corrected_se_m2"].to_list() == pytest.approx([error, error])
    assert table.loc["maize", "high_m2"] == pytest.approx(380_000 + 1.959964 * error)
    assert table["sampled"].to_dict() == {"maize": 5, "rice": 10}
    assert table["code"].isna().all()


def test_large_parcels_weigh_more() -> None:
    told = stands(("B", "maize", 1.0, "maize", 900.0))
    table = corrected_areas(told, sample(("maize", "maize", 2.0), ("maize", "rice", 1.0))).set_index("crop")
    assert table["corrected_m2"].to_dict() == pytest.approx({"maize": 600.0, "rice": 300.0})


def test_a_stratum_without_a_sample_is_believed_and_says_so() -> None:
    told = stands(("B", "maize", 1.0, "maize", 900.0), ("B", "tea", 1.0, "tea", 100.0))
    table = corrected_areas(told, sample(*[("maize", "maize", 1.0)] * 5)).set_index("crop")
    assert table.loc["tea", ["corrected_m2", "code"]].tolist() == [100.0, "not_sampled"]
    assert table.loc["maize", "corrected_se_m2"] == 0


def test_one_sampled_parcel_has_no_standard_error() -> None:
    table = corrected_areas(stands(("B", "maize", 1.0, "maize", 900.0)), sample(("maize", "maize", 1.0)))
    assert np.isnan(table["corrected_se_m2"].iloc[0])
    assert table["code"].tolist() == ["few_sampled"]


CROPS = ("maize", "rice", "tea")


@given(
    st.lists(st.tuples(st.sampled_from(CROPS), st.floats(1, 1e6)), min_size=1, max_size=12),
    st.lists(st.tuples(st.sampled_from(CROPS), st.sampled_from(CROPS), st.floats(1, 1e6)), max_size=20),
)
def test_corrected_land_adds_up_to_the_mapped_land(
    told: list[tuple[str, float]], seen: list[tuple[str, str, float]]
) -> None:
    land = stands(*[("B", crop, 1.0, crop, area) for crop, area in told])
    table = corrected_areas(land, sample(*seen))
    assert table["corrected_m2"].sum() == pytest.approx(land["area_m2"].sum())
    assert (table["corrected_m2"] >= 0).all()


# --- a publication and a sample of it -----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publication(tmp_path_factory.mktemp("area") / "made")


def write(folder: Path, text: str) -> Path:
    path = folder / "sample.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_totals_of_a_publication(publication: Path, tmp_path: Path) -> None:
    table = region_areas(publication)
    assert tuple(table.columns) == COLUMNS
    told = pd.read_parquet(publication / "stands.parquet")
    assert table["counted_m2"].sum() == pytest.approx(told["area_m2_mid"].sum())
    assert table["expected_m2"].sum() == pytest.approx(told["area_m2_mid"].sum())
    assert table["corrected_m2"].isna().all()
    lines = area_lines(table, simulated=True)
    assert lines[0] == "on simulated data"
    assert "--reference" in lines[-1]
    rows = "\n".join(f"{row.parcel_id},{row.slot},{row.crop}" for row in told.itertuples())
    exact = region_areas(publication, write(tmp_path, f"parcel_id,slot,crop\n{rows}\n"))
    known = exact[exact["corrected_m2"].notna()]
    assert known["corrected_m2"].tolist() == pytest.approx(known["counted_m2"].tolist())
    assert "corrected" in area_lines(exact, simulated=False)[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("parcel_id,crop\np0,maize\n", r"columns \['slot'\] are missing"),
        ("parcel_id,slot,crop\np0,B,\n", "line 2: an empty cell"),
        ("parcel_id,slot,crop\np0,C,maize\n", "slot 'C' is none"),
        ("parcel_id,slot,crop\np0,B,maize\np0,B,maize\n", "parcel 'p0' stands twice in one slot"),
        ("parcel_id,slot,crop\nnobody,B,maize\n", "1 parcels have no stand in this run, first: 'nobody' in slot B"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_reference(write(tmp_path, text), stands(("B", "maize", 1.0, "maize", 900.0)))


def test_a_sample_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the sample cannot be read"):
        read_reference(tmp_path / "none.csv", stands(("B", "maize", 1.0, "maize", 900.0)))
