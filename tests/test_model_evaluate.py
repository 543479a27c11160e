# SPDX-License-Identifier: Apache-2.0
"""The report on unseen land: right where the truth is painted in, and clear about labels that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from acreline.errors import InputError
from acreline.model import evaluate_model, report_lines, segment_cube
from acreline.model.card import load_model, record_metrics, save_model
from acreline.model.evaluate import TrueCrops, main_crop_picture, read_true_crops, score_maps, score_pixels
from acreline.model.labels import CROP_CLASSES, number_fields
from tests.test_model_segment import SEASON, make_block, make_model, read

BLOCK = make_block(128, 128, 64, 64)
CODES = {"maize": 1200, "grassland": 9120, "winter_cereal": 1110, "vegetables": 2130, "potato": 5100, "pulses": 7900}


def write_labels(path: Path, codes: np.ndarray, *, east: float = 0.0, crs: str = "EPSG:32631") -> Path:
    left, top = BLOCK.origin_x + 10 * BLOCK.col + east, BLOCK.origin_y - 10 * BLOCK.row
    transform = rasterio.transform.from_origin(left, top, 10, 10)
    with rasterio.open(
        path, "w", driver="GTiff", width=codes.shape[1], height=codes.shape[0], count=1, dtype="uint16", crs=crs,
        transform=transform, nodata=0,
    ) as out:  # fmt: skip
        out.write(codes.astype(np.uint16), 1)
    return path


def test_a_map_that_is_right_scores_one_and_its_opposite_nought():
    model = make_model()
    maps = segment_cube(read(BLOCK), model, BLOCK, season=SEASON)
    best = main_crop_picture(maps, model).argmax(axis=0).astype(np.int16)
    truth = TrueCrops(best, number_fields(best + 1))
    report = score_maps(maps, truth, model)
    assert report["pixels"]["accuracy"] == 1.0
    assert report["pixels"]["n"] == 64 * 64
    wrong = TrueCrops(((best + 1) % len(CROP_CLASSES)).astype(np.int16), truth.field)
    assert score_maps(maps, wrong, model)["pixels"]["accuracy"] == 0.0


def test_the_report_has_its_baselines_and_words(tmp_path):
    model = make_model()
    codes = np.zeros((64, 64), int)
    codes[:30], codes[34:, :20], codes[40:42, 40:42] = CODES["maize"], CODES["grassland"], CODES["potato"]
    report, truth = evaluate_model(
        model, read(BLOCK), BLOCK, write_labels(tmp_path / "labels.tif", codes), season=SEASON
    )
    report |= score_pixels(np.full((64, 64), CROP_CLASSES.index("maize")), truth)
    assert report["pixels"]["n"] == 30 * 64 + 30 * 20 + 4
    assert report["maize_and_grassland"]["n"] == 30 * 64 + 30 * 20
    assert report["fields"]["n"] == 3
    assert report["fields_judged"]["n"] == 2  # the patch of four pixels is too small to judge
    assert report["forest"]["n"] == report["pixels"]["n"]
    assert report["forest"]["accuracy"] == report["pixels"]["majority"]
    assert report["pixels"]["majority"] == pytest.approx(1920 / 2524, abs=1e-4)
    text = "\n".join(report_lines(report))
    assert "majority 0.761" in text
    assert "random forest" in text
    assert "crop sets: promised 90%" in text


def test_labels_on_another_grid_are_refused(tmp_path):
    codes = np.full((64, 64), 1200)
    for name, options in {"east": {"east": 5.0}, "crs": {"crs": "EPSG:32632"}}.items():
        with pytest.raises(InputError, match="expected 10 m pixels on the grid of tile 31UDS"):
            read_true_crops(write_labels(tmp_path / f"{name}.tif", codes, **options), BLOCK)


def test_labels_that_cover_only_part_of_the_window_leave_the_rest_unlabelled(tmp_path):
    path = write_labels(tmp_path / "part.tif", np.full((10, 10), 1200), east=600.0)
    truth = read_true_crops(path, BLOCK)
    assert (truth.label >= 0).sum() == 10 * 4
    assert (truth.label[:10, 60:] == CROP_CLASSES.index("maize")).all()


def test_a_later_measurement_joins_the_card(tmp_path):
    model = make_model()
    path = save_model(model.net, model.card, tmp_path)
    record_metrics(path, "demo_square", {"n": 3})
    assert load_model(path.name, tmp_path).card.metrics["demo_square"] == {"n": 3}
