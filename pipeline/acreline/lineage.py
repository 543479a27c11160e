# SPDX-License-Identifier: Apache-2.0
"""What the decisions of a publication rest on, by hash, and the small inputs with which they can be made again.

`lineage.json` holds what all decisions share: scenes with baseline, offset and mask, model and card, policy as text,
prices in force, sums over the region, hashes of the tables given, and the code. A line of the trail holds the rest: the
farm's facts, its parcels' outlines by hash, and the hash of `lineage.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline import __version__
from acreline.config import Policy, check_settings, packaged_configs
from acreline.credit import EDITION, compile_policy
from acreline.cubes import CLEAR_SCL, CLOUD_SCL
from acreline.errors import ContractError, StoreError
from acreline.hashing import canonical_json, digest, file_sha256, files_sha256, pixel_code_digest
from acreline.plan import input_hashes

if TYPE_CHECKING:
    import pandas as pd

    from acreline.credit import CompiledPolicy
    from acreline.layers import Parcels
    from acreline.plan import Plan

LINEAGE_FILE = "lineage.json"
DECIDING_ROOMS = ("records", "units", "settings", "codes")
"""Rooms beside `credit/` whose code a decision depends on."""
SCENE_COLUMNS = ("scene_id", "time", "tile", "pass_id", "baseline", "dn_offset", "offset_how", "flags", "provider")
MASK = {
    "band": "SCL",
    "clear": list(CLEAR_SCL),
    "cloud_grown_by_20m_px": {str(scene_class): radius for scene_class, radius in CLOUD_SCL},
}
"""How it is told where the ground was seen: classes of the scene classification, and by how much clouds are grown."""


def make_lineage(
    plan: Plan, totals: Mapping[str, Any], scenes: pd.DataFrame, crops: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """All that the decisions of one publication share.

    Args:
        plan: the compiled region.
        totals: sums over all farms, from `batch_to_json`.
        scenes: the publication's table of scenes; those used are kept.
        crops: crop slug -> its settings at the prices and costs in force.
        folder: the publication, whose tables `looks` and `evidence` are named by hash.

    Returns:
        plain JSON values; no clock, no path, so the same inputs give the same bytes.

    Raises:
        ContractError: the policy does not come back from its own text as the policy that decided.
    """
    card = plan.model.card
    used = scenes[scenes["status"] == "used"]
    lineage = {
        "code": {
            "acreline": __version__,
            "decides": deciding_code(),
            "trail": EDITION,
            "measures": pixel_code_digest(),
        },
        "model": {
            "name": card.name,
            "version": card.version,
            "weights_sha256": card.weights_sha256,
            "card_sha256": plan.model.card_sha256,
            "digest": plan.model.digest,
        },
        "model_retired": None if plan.model_retired is None else plan.model_retired.facts(),
        "policy": policy_to_json(plan.compiled),
        "crop_names": {slug: list(words) for slug, words in sorted(plan.compiled.crop_names.items())},
        "crops": {slug: prices_of(crop) for slug, crop in sorted(crops.items())},
        "county": plan.region.county,
        "totals": dict(totals),
        "scenes": json.loads(used[list(SCENE_COLUMNS)].to_json(orient="records", date_format="iso")),
        "mask": MASK,
        "inputs": input_hashes(plan.region),
        "tables": {name: file_sha256(folder / f"{name}.parquet") for name in ("looks", "evidence")},
    }
    if read_compiled(lineage).version != compile_policy(plan.compiled.policy).version:
        raise ContractError(
            f"policy {plan.compiled.name}: its kept text is another policy",
            hint="this is a fault of acreline: please report it with the policy file",
        )
    return lineage


def policy_to_json(compiled: CompiledPolicy) -> dict[str, Any]:
    """A policy as the values of its file, with who wrote and who approved it and the version made of its content."""
    said = compiled.policy.model_dump(mode="json")
    said["rules"] = [  # with every number, also those the file left at their defaults
        {"rule": entry.rule.name, "source": entry.source, "settings": entry.settings.model_dump(mode="json")}
        for entry in compiled.rules
    ]
    return {"name": compiled.name, "version": compiled.version, "text": said}


def read_compiled(lineage: Mapping[str, Any]) -> CompiledPolicy:
    """The policy as it is kept with a publication, compiled again from its own text; no file of `configs/` is asked.

    Raises:
        ConfigError: the text does not compile.
    """
    policy = check_settings(Policy, lineage["policy"]["text"], Path(LINEAGE_FILE))
    names = {slug: (words[0], words[1]) for slug, words in lineage["crop_names"].items()}
    return compile_policy(policy, names)


def deciding_code() -> str:
    """Digest of the code that makes a decision of facts, and of the words it is told in."""
    base = Path(__file__).parent
    sources = [*(base / "credit").rglob("*.py"), *(base / f"{name}.py" for name in DECIDING_ROOMS)]
    return digest([files_sha256(sources, base), file_sha256(packaged_configs() / "codes.yaml")])


def prices_of(crop: Any) -> dict[str, Any]:
    """Price and cost of a crop in force on the day, with where each comes from."""
    values: dict[str, Any] = crop.model_dump(mode="json", include={"price_per_kg", "price_currency", "cost"})
    return values


def outline_hashes(parcels: Parcels) -> dict[str, list[Any]]:
    """Farm id -> [parcel id, tile, SHA-256 of the outline's WKB] of its parcels, in order; null without outline."""
    import shapely

    tiles = parcels["tile"] if "tile" in parcels.columns else [None] * len(parcels)
    outlines = shapely.to_wkb(parcels.geometry.to_numpy())
    found: dict[str, list[Any]] = {}
    for farm_id, parcel_id, tile, outline in zip(
        parcels["farm_id"], parcels["parcel_id"], tiles, outlines, strict=True
    ):
        told = None if outline is None else hashlib.sha256(outline).hexdigest()
        found.setdefault(farm_id, []).append([parcel_id, tile if isinstance(tile, str) else None, told])
    return found


def read_lineage(publication: Path) -> dict[str, Any]:
    """What the decisions of a publication share.

    Raises:
        StoreError: it is missing or damaged.
    """
    path = publication / LINEAGE_FILE
    try:
        lineage = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(
            f"{path}: not there; runs of an earlier version keep no lineage", hint="run the region again"
        ) from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: damaged: {error}", hint="see `acreline verify`") from error
    if not isinstance(lineage, dict):
        raise StoreError(f"{path}: not a mapping", hint="see `acreline verify`")
    return lineage


def lineage_text(lineage: Mapping[str, Any]) -> str:
    """The bytes of `lineage.json`, whose SHA-256 every line of the trail carries."""
    return canonical_json(lineage) + "\n"
