# SPDX-License-Identifier: Apache-2.0
"""The card as a STAC item of the machine learning model extension, so that a catalogue of models can hold it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from acreline.model.inputs import CHANNELS

if TYPE_CHECKING:
    from acreline.model.card import Card

ARTIFACT = "safetensors.torch.save_file"
"""What wrote the weights, in the extension's words."""
EXTENT_PX = 256
"""Side of a picture in the item's shapes; the network takes any multiple of four."""


def write_model_item(card: Card, folder: Path, weights: Path, parameters: int) -> Path:
    """Write `<name>.stac.json` beside the weights: a STAC 1.1 item with the MLM extension.

    Args:
        card: of the checkpoint.
        folder: where weights and card lie.
        weights: the safetensors file.
        parameters: of all members together.

    Returns:
        the item's path. Its geometry is null: a model lies nowhere; what it was trained on stands in the card.
    """
    import pystac
    from pystac.extensions.mlm import (
        InputStructure,
        MLMExtension,
        ModelBand,
        ModelInput,
        ModelOutput,
        ResultStructure,
        TaskType,
    )
    from pystac.extensions.raster import DataType

    day = datetime(card.created.year, card.created.month, card.created.day, tzinfo=UTC)
    item = pystac.Item(card.name, geometry=None, bbox=None, datetime=day, properties={"license": card.licence})
    item.properties["description"] = f"AcreNet {card.version}: crop of two season slots, health, vigour and field edges"
    shape = [-1, card.axis.bins, len(CHANNELS), EXTENT_PX, EXTENT_PX]
    order = ["batch", "time", "bands", "height", "width"]
    entry = ModelInput.create(
        name="Sentinel-2 season in bins",
        bands=[ModelBand.create(name=band) for band in card.bands],
        input=InputStructure.create(shape, order, DataType.FLOAT32),
        description=f"{card.level} reflectance 0 to 1, then {', '.join(CHANNELS[-3:])}; "
        f"bins from {card.axis.start} of the year before harvest to {card.axis.end}"
        + ("" if card.axis.kind == "calendar" else ", days stretched by warmth"),
    )
    heads = {f"crop of slot {slot}": head.classes for slot, head in card.heads.items()} | {
        "health": card.health_classes
    }
    outputs = [
        ModelOutput.create(
            name=name,
            tasks=[TaskType.SEMANTIC_SEGMENTATION],
            result=ResultStructure.create(
                [-1, len(classes), EXTENT_PX, EXTENT_PX], ["batch", "class", "height", "width"], DataType.FLOAT32
            ),
            description=f"log-probabilities of {', '.join(classes)}",
        )
        for name, classes in heads.items()
    ]
    MLMExtension.ext(item, add_if_missing=True).apply(
        name=card.name,
        architecture="AcreNet",
        tasks=[TaskType.SEMANTIC_SEGMENTATION],
        input=[entry],
        output=outputs,
        framework="pytorch",
        total_parameters=parameters,
        pretrained=True,
        pretrained_source=", ".join(source.name for source in card.data if not source.licence.startswith("Apache")),
    )
    item.add_asset(
        "model",
        pystac.Asset(
            f"./{weights.name}", title="weights", media_type="application/octet-stream", roles=["mlm:model"],
            extra_fields={"mlm:artifact_type": ARTIFACT, "bands": [{"name": band} for band in card.bands]},
        ),
    )  # fmt: skip
    # the extension asks for bands where inputs name any; STAC 1.1 wants them at an asset
    item.add_asset(
        "card", pystac.Asset(f"./{card.name}.json", title="card", media_type="application/json", roles=["metadata"])
    )
    path = folder / f"{card.name}.stac.json"
    text = json.dumps(item.to_dict(include_self_link=False, transform_hrefs=False), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return path
