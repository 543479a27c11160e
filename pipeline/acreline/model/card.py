# SPDX-License-Identifier: Apache-2.0
"""A checkpoint and its card: what it was made of, what it was measured at, and the hash that ties both together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from pydantic import Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from acreline.config import Crop, Settings, Slot, find_config, read_settings
from acreline.errors import ConfigError
from acreline.layers import BANDS, HEALTH_CLASSES, SLOTS, TimeAxis
from acreline.model.acrenet import AcreNet
from acreline.model.classes import CROP_CLASSES, CROP_SLOTS, HEADS, NONE
from acreline.model.heads import LandPromise, Novelty, SlotHead
from acreline.model.members import AcreNets
from acreline.model.mlm import write_model_item
from acreline.promises import Calibration
from acreline.thermal import Temperatures, season_temperatures, thermal_days

Level = Literal["L2A", "L1C"]
"""Reflectance at the ground, or at the top of the atmosphere."""
MONTH_DAY = r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


class SeasonAxis(Settings):
    """The steps of a crop year, as the network was taught them."""

    bins: int = Field(30, ge=4, le=80)
    kind: Literal["calendar", "thermal"] = Field(
        "calendar", description="equal steps of days, or of days stretched by warmth, which need daily temperatures"
    )
    start: str = Field("10-01", pattern=MONTH_DAY, description="month-day in the year before harvest")
    end: str = Field("12-15", pattern=MONTH_DAY, description="month-day in the year of harvest")

    def span(self, harvest_year: int) -> tuple[date, date]:
        """First and last day of one crop year."""
        return date.fromisoformat(f"{harvest_year - 1}-{self.start}"), date.fromisoformat(f"{harvest_year}-{self.end}")

    def of(self, harvest_year: int, temperatures: Temperatures | None = None) -> TimeAxis:
        """The bins of one crop year.

        Args:
            harvest_year: year in which the season ends.
            temperatures: of the place, as far as they are known by the as-of day; days that are not known are taken
                from `thermal.usual_temperatures`, so the same known days give the same bins. A calendar axis does not
                look at them.

        Raises:
            ConfigError: a thermal axis, and no temperatures.
            InputError: no day of the season is known.
        """
        first, last = self.span(harvest_year)
        if self.kind == "calendar":
            return TimeAxis(first, last, self.bins, self.kind)
        if temperatures is None:
            raise ConfigError(
                f"season {first} to {last}: the model counts time by warmth (axis: thermal), no temperatures are given",
                hint="give daily weather, or take a model on a calendar axis, such as acrenet-s",
            )
        starts = thermal_days(season_temperatures(temperatures, first, last))
        return TimeAxis(first, last, self.bins, self.kind, starts)


class Architecture(Settings):
    """Sizes of the network."""

    stem: int = Field(24, ge=8, multiple_of=8, description="a multiple of the attention heads")
    width: int = Field(48, ge=8)
    levels: tuple[int, ...] = (40, 56, 80)
    dropout: float = Field(0.1, ge=0, lt=1)
    members: int = Field(1, ge=1, le=10, description="networks whose log-probabilities are averaged")


class Source(Settings):
    """Data the checkpoint was trained on."""

    name: str
    origin: str
    licence: str
    fields: int = Field(ge=0)
    pixels: int = Field(ge=0)


class Card(Settings):
    """The passport of a checkpoint."""

    name: str
    version: str
    created: date
    licence: str = "Apache-2.0"
    level: Level = "L2A"
    bands: tuple[str, ...] = Field(BANDS, description="in the order of the network's channels")
    axis: SeasonAxis = Field(default_factory=lambda: SeasonAxis())
    scaling: str = "reflectance 0 to 1, clipped; normalised inside the network"
    architecture: Architecture
    heads: dict[Literal["A", "B"], SlotHead] = Field(description="season slot -> its crop head")
    crop_slots: dict[str, tuple[Slot, ...]] = Field(
        default_factory=lambda: dict(CROP_SLOTS), description="crop class -> season slots it may fill"
    )
    health_classes: tuple[str, ...] = tuple(HEALTH_CLASSES)
    health: str = "not validated"
    unknown: Novelty = Field(default_factory=lambda: Novelty())
    on_simulated: LandPromise | None = Field(
        None,
        description="the same for scenes that call themselves simulated, from simulated fields; none: as for land",
    )
    data: tuple[Source, ...] = ()
    recipe: dict[str, Any] = Field(default_factory=dict, description="training settings as used")
    metrics: dict[str, Any] = Field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _fits_the_house(self) -> Card:
        if self.bands != BANDS:
            raise ValueError(f"bands: expected {list(BANDS)}, found {list(self.bands)}")
        for heads in [self.heads, *([self.on_simulated.heads] if self.on_simulated else [])]:
            if sorted(heads) != sorted(SLOTS):
                raise ValueError(f"heads: expected one for each of the slots {list(SLOTS)}, found {sorted(heads)}")
            for slot, head in heads.items():
                if head.classes != HEADS[slot]:
                    raise ValueError(
                        f"classes of head {slot}: expected {list(HEADS[slot])}, found {list(head.classes)}"
                    )
        if self.crop_slots != CROP_SLOTS:
            odd = sorted(
                name for name in {*self.crop_slots, *CROP_SLOTS} if self.crop_slots.get(name) != CROP_SLOTS.get(name)
            )
            raise ValueError(f"crop slots: {odd} do not stand as in acreline's list of classes")
        if self.health_classes != tuple(HEALTH_CLASSES):
            raise ValueError(f"health classes: expected {list(HEALTH_CLASSES)}, found {list(self.health_classes)}")
        return self

    @property
    def crop_classes(self) -> tuple[str, ...]:
        """Crops the network may name, whatever their slot."""
        return CROP_CLASSES

    @property
    def crop_codes(self) -> dict[str, int]:
        """Crop class -> code in the maps: 1 = none, then the crops upwards in their order; 0 is unknown."""
        return {name: code for code, name in enumerate((NONE, *CROP_CLASSES), start=1)}

    @property
    def health_codes(self) -> dict[str, int]:
        """Health class -> code in the maps, 1 upwards in card order; 0 is unknown."""
        return {name: code for code, name in enumerate(self.health_classes, start=1)}

    def promise(self, *, simulated: bool) -> LandPromise:
        """What is promised of land, or of scenes that call themselves simulated: see `docs/decisions/0019`."""
        return (self.on_simulated if simulated else None) or LandPromise(heads=self.heads, unknown=self.unknown)

    def calibration(self, *, simulated: bool) -> Calibration:
        """The same facts as plain values."""
        promise = self.promise(simulated=simulated)
        slots = {str(slot): head.calibration for slot, head in sorted(promise.heads.items())}
        return Calibration(slots, dict(self.crop_slots), promise.unknown.energy, promise.unknown.steps)


@dataclass(frozen=True)
class Model:
    """A network ready to work, with its card."""

    net: AcreNets
    card: Card
    digest: str
    """16 hex digits over weights and card."""
    card_sha256: str = ""

    def calibration(self, *, simulated: bool = False) -> Calibration:
        """What the card promises about the probabilities, on land or on scenes that call themselves simulated."""
        return self.card.calibration(simulated=simulated)


class ModelSettings(Settings):
    """`configs/models/<name>.yaml`: where the checkpoint lies and how it was trained."""

    name: str
    weights: str = Field(description="safetensors file: beside this file, or among acreline's own weights")
    card: str
    recipe: dict[str, Any] = Field(default_factory=dict)


def build_net(card: Card) -> AcreNets:
    """Untrained networks of the card's shape."""
    size = card.architecture
    members = [
        AcreNet(
            bins=card.axis.bins,
            crops_a=len(card.heads["A"].classes),
            crops_b=len(card.heads["B"].classes),
            healths=len(card.health_classes),
            bands=len(card.bands),
            stem=size.stem,
            width=size.width,
            levels=size.levels,
            dropout=size.dropout,
        )
        for _ in range(size.members)
    ]
    return AcreNets(members)


def load_model(name: str, base: Path | None = None, *, crops: Mapping[str, Crop] | None = None) -> Model:
    """Open a checkpoint: the weights must be the very ones its card was written for.

    Args:
        name: a file of `configs/models/` without its ending, or the path of such a YAML file.
        base: folder that a path counts from.
        crops: the region's crops; each that the model knows must name a season slot that the crop may fill.

    Raises:
        ConfigError: a file is missing or changed, the card does not fit acreline, or the weights do not fit the card;
            the message says what was expected and what was found.
    """
    settings = read_settings(ModelSettings, find_config("models", name, base))
    folder = settings.file.parent if settings.file else Path()
    card_path, weights_path = (_beside(folder, file) for file in (settings.card, settings.weights))
    if weights_path.suffix != ".safetensors":
        raise ConfigError(
            f"{weights_path.name}: weights must be a .safetensors file",
            hint="other formats may run code when opened; save the weights as safetensors",
        )
    if settings.recipe and not (card_path.exists() or weights_path.exists()):
        raise ConfigError(
            f"model {settings.name}: no weights; {settings.weights} does not come with acreline",
            hint=f"train it first: acreline train {name} --out DIR, then name DIR/{settings.name}.yaml",
        )
    card_bytes = _read(card_path)
    try:
        card = Card.model_validate_json(card_bytes)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ConfigError(
            f"{card_path.name}: {where}: {first['msg'].removeprefix('Value error, ')}",
            hint="the card belongs to another version of acreline, or was edited; train again or take the original",
        ) from error
    found = hashlib.sha256(_read(weights_path)).hexdigest()
    if found != card.weights_sha256:
        raise ConfigError(
            f"{weights_path.name}: expected sha256 {card.weights_sha256}, found {found}",
            hint="the file was changed or damaged: restore it from the release",
        )
    for crop in (crops or {}).values():
        slots = card.crop_slots.get(crop.slug)
        if slots is not None and crop.slot not in slots:
            raise ConfigError(
                f"crop {crop.slug!r}: its file says season slot {crop.slot}, "
                f"the model's card says {' or '.join(slots)}",
                hint="mend the slot in the crop's file, or take a model trained with it",
            )
    net = build_net(card)
    try:
        state = load_file(weights_path)
        net.load_state_dict(state, strict=True)
    except (RuntimeError, SafetensorError) as error:
        detail = str(error).splitlines()[-1].strip()
        raise ConfigError(
            f"{weights_path.name}: the weights do not have the shape of the card: {detail}",
            hint="weights and card come from different trainings: take both from the same release",
        ) from error
    if not all(bool(np.isfinite(tensor.numpy()).all()) for tensor in state.values() if tensor.is_floating_point()):
        raise ConfigError(f"{weights_path.name}: a weight is not a number", hint="train again: the training diverged")
    net.eval().requires_grad_(False)
    digest = hashlib.sha256(found.encode() + card_bytes).hexdigest()[:16]
    return Model(net, card, digest, hashlib.sha256(card_bytes).hexdigest())


def is_packaged(name: str) -> bool:
    """Whether a model of `configs/models/` has its weights and card, or must be trained first."""
    settings = read_settings(ModelSettings, find_config("models", name))
    folder = settings.file.parent if settings.file else Path()
    return all(_beside(folder, file).is_file() for file in (settings.weights, settings.card))


def save_model(net: AcreNets, card: Card, folder: Path) -> Path:
    """Write weights, card and the YAML file that names them; returns the YAML file, which a region may name."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{card.name}.safetensors"
    state: dict[str, torch.Tensor] = {key: value.contiguous() for key, value in net.state_dict().items()}
    save_file(state, weights)
    weights.chmod(0o644)  # safetensors writes for the owner only
    card = card.model_copy(update={"weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest()})
    (folder / f"{card.name}.json").write_text(_card_text(card), encoding="utf-8")
    write_model_item(card, folder, weights, sum(value.numel() for value in net.parameters()))
    settings = folder / f"{card.name}.yaml"
    named = {"name": card.name, "weights": weights.name, "card": f"{card.name}.json", "recipe": card.recipe}
    settings.write_text(yaml.safe_dump(named, sort_keys=False, default_flow_style=None), encoding="utf-8")
    return settings


def record_metrics(settings: Path, name: str, metrics: dict[str, Any]) -> None:
    """Add what was measured later, on a test set say, to the card beside a checkpoint's YAML file."""
    path = settings.with_suffix(".json")
    card = Card.model_validate_json(_read(path))
    card = card.model_copy(update={"metrics": card.metrics | {name: metrics}})
    path.write_text(_card_text(card), encoding="utf-8")


def _card_text(card: Card) -> str:
    return json.dumps(card.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def _beside(folder: Path, file: str) -> Path:
    path = folder / file
    return path if path.exists() else Path(__file__).parent / "weights" / file


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path.name}: expected beside the model's settings or among acreline's weights, found nothing there",
            hint="restore the file from the release, or train again",
        ) from error
