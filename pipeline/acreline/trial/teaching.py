# SPDX-License-Identifier: Apache-2.0
"""The recipe of a training: how a checkpoint is taught, what from, and what it is judged on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from acreline.config import Settings, check_settings, find_config, packaged_configs, read_settings
from acreline.errors import ConfigError, InputError
from acreline.layers import HEALTH_CLASSES
from acreline.model.banks import Bank, square_bank
from acreline.model.card import Level, ModelSettings, SeasonAxis, Source
from acreline.model.classes import CROP_CLASSES, HEADS
from acreline.model.damage import DRAWN
from acreline.model.labels import read_square
from acreline.model.learning import Recipe
from acreline.model.skies import Changes
from acreline.trial.counties import Wanted, county_bank
from acreline.trial.land import series_banks
from acreline.trial.packaged import TASKS, read_packaged

SOURCES = {
    "flanders-2019": (
        "WorldCereal/worldcereal-classification, patch 000028085BF08E7E; declarations: LPIS Flanders 2019",
        "MIT; contains modified Copernicus Sentinel data 2018-2019",
    ),
    "france-2023": (
        "WorldCereal/worldcereal-classification, 2023_FRA_LPIS_POLY_110 (dekads); declarations: LPIS France 2023",
        "MIT; contains modified Copernicus Sentinel data 2022-2024",
    ),
    "bavaria-2018": (
        "aliFrancis/WorldCrops, Test_bavaria.xlsx, half-monthly composites; declarations: Bavaria 2018",
        "MIT; contains modified Copernicus Sentinel data 2018",
    ),
}
SIMULATED = ("acreline simulate", "Apache-2.0; simulated, no real land")


class Counties(Settings):
    """Simulated counties of one kind."""

    config: str
    parcels: int = Field(300, ge=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    mishaps: float = Field(1, gt=0, description="times the usual number of floods, hail storms and so on")


class Points(Settings):
    """The last steps, for which labelled points join the land: they are few, and soon known by heart."""

    steps: int = Field(1000, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    dropout: float = Field(0.2, ge=0, lt=1)
    mixup: float = Field(0.4, ge=0)
    blend: float = Field(1.0, gt=0, le=1, description="share of them where their weights are averaged with the land's")
    shares: dict[str, float] = Field(
        {"singles": 256, "mosaics": 1, "crops": 2, "real": 0.5}, description="fields of `drawing.Shares`"
    )


class Teaching(Recipe):
    """The `recipe:` of a model's YAML file: how it is taught, and what from."""

    level: Level = "L2A"
    axis_kind: Literal["calendar", "thermal"] = Field(
        "calendar", description="how time is counted; thermal needs temperatures"
    )
    labels: tuple[str, ...] = ("france-2023",)
    squares: tuple[str, ...] = ("flanders-2019",)
    counties: tuple[Counties, ...] = ()
    calibrate_on: tuple[Counties, ...] = Field((), description="counties that set what the card promises")
    held_out: tuple[Counties, ...] = Field((), description="counties that are only measured on, never learned from")
    folds: int = Field(5, ge=2, le=5, description="parts of the labelled places, each held back once to calibrate on")
    points: Points = Field(Points(), description="how labelled points are taught, to members and folds alike")
    fold_members: int | None = Field(None, ge=1, description="networks of a fold; null: as many as are members")
    fold_health_steps: int = Field(0, ge=0, description="steps of a fold's network in which health alone is taught")
    remarks: tuple[str, ...] = ()

    @property
    def axis(self) -> SeasonAxis:
        """The season's bins."""
        return SeasonAxis(bins=self.bins, kind=self.axis_kind)

    @property
    def land(self) -> bool:
        """Whether there is land to be taught before the points."""
        return bool(self.squares or self.counties)

    @property
    def land_recipe(self) -> Teaching:
        """How one network is taught of land.

        What comes after land is as by default: land that was taught under other points need not be taught again.
        """
        after = ("calibrate_on", "held_out", "folds", "points", "fold_members", "fold_health_steps", "remarks")
        usual = {name: Teaching.model_fields[name].get_default() for name in after}
        return self.model_copy(update={"members": 1, "health_steps": 0, **usual})

    @property
    def fold_networks(self) -> int:
        """Networks that tell together what a fold was not shown."""
        return self.members if self.fold_members is None else min(self.fold_members, self.members)

    @property
    def points_recipe(self) -> Teaching:
        """How one network is taught once points have joined."""
        return self.model_copy(update={"members": 1, **dict(self.points)})

    @property
    def health_taught(self) -> bool:
        """Whether damage is drawn into real fields at all."""
        return self.changes.get("damage", Changes.damage) > 0


def one_by_one(kinds: Sequence[Counties]) -> list[Wanted]:
    """Every county by itself."""
    return [Wanted(kind.config, kind.parcels, seed, kind.mishaps) for kind in kinds for seed in kind.seeds]


def check_teaching(recipe: dict[str, Any]) -> Teaching:
    """A recipe from plain keys and values.

    Raises:
        ConfigError: a key is unknown or a number is out of range; the message names it.
    """
    return check_settings(Teaching, recipe, Path("recipe"))


def packaged_teaching(name: str) -> Teaching:
    """The recipe of a packaged model's YAML file: how it is taught today, whatever taught the checkpoint that ships.

    Raises:
        ConfigError: no such model, or its recipe is wrong.
    """
    return check_teaching(read_settings(ModelSettings, find_config("models", name)).recipe)


def check_sources(teaching: Teaching) -> None:
    """What a recipe names is there, can be read and teaches something: said before hours are spent.

    Raises:
        ConfigError: unknown labels, square or county, or one of another level than the recipe's.
        InputError: none of a source's labels is of a crop class, or bands are missing.
    """
    folder = packaged_configs().parent / "data" / "training"
    known = {"labels": sorted(TASKS), "squares": sorted(path.stem for path in folder.glob("*.npz"))}
    for kind, names in (("labels", teaching.labels), ("squares", teaching.squares)):
        for name in names:
            if name not in known[kind]:
                raise ConfigError(f"recipe: {kind}: {name!r} is not known", hint=f"known: {', '.join(known[kind])}")
    for name in teaching.labels:
        level = read_packaged(name).level
        if level != teaching.level:
            raise ConfigError(
                f"recipe: labels: {name} is of level {level}, the recipe of level {teaching.level}",
                hint="reflectance at the ground and at the top of the atmosphere differ: name labels of one level",
            )
    counties = [*teaching.counties, *teaching.calibrate_on, *teaching.held_out]
    if teaching.level != "L2A" and (teaching.squares or counties):
        raise ConfigError(
            f"recipe: level: {teaching.level}, but squares and simulated counties are of level L2A",
            hint="leave squares, counties, calibrate_on and held_out empty, or take level L2A",
        )
    for one in one_by_one(counties):
        _ = one.settings  # refuses a county that is not known
    learned = {(one.config, one.seed) for one in one_by_one(teaching.counties)}
    for key, kinds in (("calibrate_on", teaching.calibrate_on), ("held_out", teaching.held_out)):
        for one in one_by_one(kinds):
            if (one.config, one.seed) in learned:
                raise ConfigError(
                    f"recipe: {key}: {one.config} with seed {one.seed} is among the counties that are learned from",
                    hint="name another seed: what was learned says nothing of land that was not seen",
                )
    if not (teaching.labels or teaching.squares or teaching.counties):
        raise ConfigError("recipe: nothing to learn from", hint="name labels, squares or counties")
    read_banks(teaching, ())


def read_banks(teaching: Teaching, counties: Sequence[Path]) -> list[Bank]:
    """Everything the recipe learns from.

    Args:
        teaching: the recipe.
        counties: drawn counties, as `counties.draw_counties` wrote them.

    Raises:
        InputError: a file is missing or damaged, lacks bands, or has no label of a crop class.
    """
    banks: list[Bank] = []
    for name in teaching.labels:
        series = read_packaged(name)
        parts = series_banks(series, teaching.axis)
        _need_labels(name, parts, series.slug.tolist())
        banks += parts
    folder = packaged_configs().parent / "data" / "training"
    for name in teaching.squares:
        square = read_square(folder / f"{name}.npz")
        bank = square_bank(square, teaching.axis.of(square.harvest_year, square.temperatures))
        _need_labels(name, [bank], ["none"])
        banks.append(bank)
    return banks + [county_bank(path, teaching.axis.of) for path in counties]


def _need_labels(name: str, banks: Sequence[Bank], found: Sequence[str]) -> None:
    if not any(bank.taught.any() for bank in banks):
        raise InputError(
            f"{name}: not one of its labels is of a crop class; found {', '.join(sorted(set(found))) or 'no label'}",
            hint=f"give its codes classes in configs/labels/, known: {', '.join(CROP_CLASSES)}",
        )


def untaught_classes(teaching: Teaching, banks: Sequence[Bank]) -> dict[str, list[str]]:
    """Classes by head (A, B, health) that no source teaches: the network will hardly ever name them."""
    crops = {"A": [bank.crop_a for bank in banks], "B": [bank.crop_b for bank in banks]}
    taught = {slot: {HEADS[slot][k] for codes in parts for k in set(codes.tolist()) if k >= 0}
              for slot, parts in crops.items()}  # fmt: skip
    health = list(HEALTH_CLASSES)
    told = {health[k] for bank in banks if bank.event is not None for k in set(bank.event.tolist()) if k >= 0}
    if any(bank.event is None for bank in banks):
        told |= {"normal", "harvested"} | (set(DRAWN) if teaching.health_taught else set())
    heads = {**HEADS, "health": health}
    missing = {head: [name for name in heads[head] if name not in known]
               for head, known in {**taught, "health": told}.items()}  # fmt: skip
    return {head: names for head, names in missing.items() if names}


def sources_of(banks: Sequence[Bank]) -> tuple[Source, ...]:
    """What a card says of the data; banks of one name are one source."""
    out: dict[str, Source] = {}
    for bank in banks:
        origin, licence = SIMULATED if bank.simulated else SOURCES.get(bank.name, ("given by the user", "its owner's"))
        known = bank.taught
        before = out.get(bank.name)
        fields, pixels = len(set(bank.field[known].tolist())), int(known.sum())
        if before is not None:
            fields, pixels = fields + before.fields, pixels + before.pixels
        out[bank.name] = Source(name=bank.name, origin=origin, licence=licence, fields=fields, pixels=pixels)
    return tuple(out.values())
