# SPDX-License-Identifier: Apache-2.0
"""The packaged crops: all readable, each number with its source, classes and slots as the house says."""

from __future__ import annotations

from pathlib import Path

import pytest

from acreline.config import Crop, find_config, list_configs, read_settings
from acreline.model.classes import CROP_SLOTS

NO_FILE = "non_agri"
"""A class of land on which no crop stands."""
CLASSES = {name: slots for name, slots in CROP_SLOTS.items() if name != NO_FILE}
NOT_MODELLED = {"perennial", "vegetables", "tobacco", "tea", "greenhouse"}


def _crop(slug: str) -> Crop:
    return read_settings(Crop, find_config("crops", slug))


def test_every_class_of_the_network_has_its_crop() -> None:
    assert set(CLASSES) == set(list_configs("crops"))


@pytest.mark.parametrize("slug", sorted(CLASSES))
def test_a_crop_says_where_its_numbers_come_from(slug: str) -> None:
    crop = _crop(slug)
    assert crop.slug == slug
    assert crop.slot in CLASSES[slug]
    assert crop.yield_kg_per_ha is not None
    assert crop.price_per_kg is not None
    assert crop.price_currency == "CNY"
    for number in (crop.yield_kg_per_ha, crop.price_per_kg):
        assert number.value > 0
        assert 0 < number.cv < 0.5
        assert "order of magnitude" in number.source or "National Bureau of Statistics" in number.source
    assert any("\u4e00" <= letter <= "\u9fff" for letter in crop.name_zh)
    # the worth of a hectare: thousands to some hundred thousand yuan, never a slip of a unit
    assert 5_000 < crop.yield_kg_per_ha.value * crop.price_per_kg.value < 400_000


def test_crops_can_be_told_apart_on_a_map() -> None:
    crops = [_crop(slug) for slug in CLASSES]
    assert len({crop.colour for crop in crops}) == len(crops)
    assert len({crop.name_zh for crop in crops}) == len({crop.name_en for crop in crops}) == len(crops)


def test_what_is_not_modelled_is_wide() -> None:
    assert {slug for slug in CLASSES if not _crop(slug).modelled_yield} == NOT_MODELLED
    for slug in NOT_MODELLED:
        number = _crop(slug).yield_kg_per_ha
        assert number is not None
        assert number.cv >= 0.3


def test_codes_of_the_european_list_fit_in_32_bits_unsigned() -> None:
    codes = {slug: _crop(slug).hcat_code for slug in CLASSES}
    assert codes["maize"] == 3301010600
    assert all(code is None or 3_300_000_000 <= code < 2**32 for code in codes.values())


def test_a_crop_of_ones_own_can_be_added(tmp_path: Path) -> None:
    (tmp_path / "rice.yaml").write_text(
        "slug: rice\nname_en: rice\nname_zh: 水稻\nslot: B\ncolour: '#00aaff'\n"
        "yield_kg_per_ha: {value: 7150, cv: 0.08, source: NBS 2024}\n",
        encoding="utf-8",
    )
    crop = read_settings(Crop, find_config("crops", "rice.yaml", tmp_path))
    assert crop.yield_kg_per_ha is not None
    assert (crop.slug, crop.yield_kg_per_ha.value) == ("rice", 7150)
