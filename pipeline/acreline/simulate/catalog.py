# SPDX-License-Identifier: Apache-2.0
"""The static STAC catalogue over simulated scenes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from acreline.simulate.scenes import COMMON, EXTENSIONS, band_fields, roles_of
from acreline.simulate.values import Window

COLLECTION = "sentinel-2-l2a"
COMPANIONS = ("/eo/", "/projection/", "/raster/")
"""Extensions of the collection: of what its `item_assets` say."""


def write_catalog(items: Sequence[dict[str, Any]], name: str, folder: Path) -> None:
    """Write the static catalogue over items whose pixels lie in `folder` already.

    Args:
        items: as `write_scene` gives them.
        name: of the county.
        folder: catalog.json, the collection's folder and, in it, one folder for each item.
    """
    import pystac

    found = sorted(
        (pystac.Item.from_dict(item) for item in items), key=lambda one: (one.properties["datetime"], one.id)
    )
    boxes = np.array([item.bbox for item in found])
    times = [item.datetime for item in found]
    collection = pystac.Collection(
        id=COLLECTION,
        title=f"SIMULATED Sentinel-2 L2A over the county {name}",
        description="SIMULATED: no satellite took these pictures. Made by `acreline simulate`; evidence of nothing.",
        license="CC0-1.0",
        extent=pystac.Extent(
            pystac.SpatialExtent([[*boxes.min(axis=0)[:2].tolist(), *boxes.max(axis=0)[2:].tolist()]]),
            pystac.TemporalExtent([[times[0], times[-1]]]),
        ),
        stac_extensions=[url for url in EXTENSIONS if any(word in url for word in COMPANIONS)],
    )
    window = Window("", "", 0, 0, 0, 0, 0, 0)
    varies = ("proj:shape", "proj:transform", "raster:offset")
    collection.extra_fields["item_assets"] = {
        band: {"type": pystac.MediaType.COG, "roles": roles_of(band)}
        | {key: value for key, value in band_fields(band, window, 0).items() if key not in varies}
        for band in COMMON
    }
    for item in found:
        collection.add_item(item)
    root = pystac.Catalog(name, title=f"SIMULATED county {name}", description="The scenes of a simulated county.")
    root.add_child(collection)
    root.normalize_hrefs(str(folder))
    root.save(pystac.CatalogType.SELF_CONTAINED, stac_io=_short_lists())


def _short_lists() -> Any:
    import pystac

    class ShortLists(pystac.stac_io.DefaultStacIO):
        """JSON with lists of plain values on one line, so that a scene stays readable and small."""

        def json_dumps(self, json_dict: dict[str, Any], *_: Any, **__: Any) -> str:
            """The JSON text of one STAC object."""
            text = json.dumps(json_dict, indent=2, ensure_ascii=False)
            short = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda found: "[" + re.sub(r",\s+", ", ", found[1]) + "]", text)
            return short + "\n"

    return ShortLists()
