# SPDX-License-Identifier: Apache-2.0
"""What a lender answers for: each model, step and policy, with owner, tier and limits, of `configs/inventory.yaml`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from acreline import __version__
from acreline.config import Settings, list_configs, list_policies, packaged_configs, read_family, read_settings
from acreline.credit import CompiledPolicy, compile_policy
from acreline.hashing import file_sha256
from acreline.lineage import deciding_code

Words = tuple[str, str]
"""English and Chinese."""


class Validation(Settings):
    """The last time somebody looked whether it does what it is for."""

    day: date
    by: str = Field(min_length=2, description="who, and whether they made it themselves")
    found: str = Field(min_length=2, description="what was looked at and found, with where it is written down")


class Component(Settings):
    """One thing that moves a limit, or moves what moves one."""

    name: str = Field(description="of a model its name, of a policy its id, else a word of one's own")
    kind: Literal["model", "step", "engine", "policy"]
    version: str = Field(description="the version these words are of: another one needs words of its own")
    owner: str
    tier: int = Field(ge=1, le=3, description="1: decides, or moves money; 2: feeds what decides; 3: helps to look")
    purpose: Words
    limits: list[str] = Field(description="what it must not be used for, and what is not known of it")
    data: list[str] = Field(description="what it was made of and what it is given")
    last_validation: Validation


class Figure(Settings):
    """A measured number of a card, by where it stands in it."""

    model: str
    path: str = Field(description="keys with dots between: metrics.demo_square.fields.accuracy")
    words: str


class Answer(Settings):
    """One question of an impact assessment."""

    heading: Words
    asked_by: str = Field(description="article: PIPL 56(1), AI Act 27(1)(a)")
    answer: Words
    figures: list[Figure] = Field(default_factory=list)


class Measure(Settings):
    """One way in which a person oversees, stops or corrects the machine."""

    measure: Words
    who: str
    how: str = Field(description="the command, file or screen")
    asked_by: str


class Inventory(Settings):
    """`inventory.yaml`."""

    components: list[Component]
    impact: list[Answer]
    oversight: list[Measure]


@dataclass(frozen=True)
class Shipped:
    """What a release holds, read from the code and the files themselves."""

    models: Sequence[dict[str, Any]]
    """Cards as plain values."""
    policies: Sequence[CompiledPolicy]
    steps: tuple[tuple[str, str, str], ...]
    """Kind, name and version of what is neither: the yield step, the inversion network, the rule engine."""
    code: str
    """Digest of the code that makes decisions of facts."""


def read_inventory(path: Path | None = None) -> Inventory:
    """The inventory of a bank's own, or the packaged one.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    return read_settings(Inventory, path or packaged_configs() / "inventory.yaml")


def find_shipped(models: Sequence[str] = (), policies: Sequence[str] = ()) -> Shipped:
    """What is to be released: the models and policies named, or all that come with acreline.

    Raises:
        ConfigError: one is not known, its weights are not those of its card, or a policy does not compile.
    """
    from acreline.model.card import is_packaged, load_model

    names = models or [name for name in list_configs("models") if is_packaged(name)]
    cards = [json.loads(load_model(name).card.model_dump_json()) for name in names]
    compiled = [compile_policy(policy) for name in policies or list_policies() for policy in read_family(name)]
    return Shipped(cards, compiled, shipped_steps(), deciding_code())


def shipped_steps() -> tuple[tuple[str, str, str], ...]:
    """The steps and the engine that every release holds; weights have the version of their bytes."""
    inversion = Path(__file__).parents[1] / "inversion.npz"
    return (
        ("step", "inversion", file_sha256(inversion)[:16]),
        ("step", "yield-step", __version__),
        ("engine", "rule-engine", __version__),
    )
