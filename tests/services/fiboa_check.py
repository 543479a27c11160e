# SPDX-License-Identifier: Apache-2.0
"""The validator of fiboa and Vecorel without a network: the schemas it would fetch, as far as we write their fields.

Run by the Python of `.venv-readers`: `python fiboa_check.py FILE` prints errors and warnings as JSON.
Types, bounds and names are those of Vecorel 0.1.0, fiboa 0.3.0 and GeoParquet 1.1.0, stated here in our own words.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SDL = "https://vecorel.org/sdl/v0.2.0/schema.json"
VECOREL = "https://vecorel.org/specification/v0.1.0/schema.yaml"
FIBOA = "https://fiboa.org/specification/v0.3.0/schema.yaml"
GEOPARQUET = "https://geoparquet.org/releases/v1.1.0/schema.json"
_TEXT = {"type": "string", "minLength": 1}
_METHODS = ["manual", "driven", "surveyed", "auto-operation", "auto-imagery", "unknown"]
SCHEMAS: dict[str, dict[str, Any]] = {
    VECOREL: {
        "$schema": SDL,
        "required": ["schemas", "id", "collection", "geometry"],
        "collection": {"schemas": True, "id": False, "geometry": False, "bbox": False},
        "properties": {
            "schemas": {"type": "array", "items": {"type": "string", "format": "uri", "pattern": "^https?://"}},
            "id": _TEXT,
            "collection": _TEXT,
            "geometry": {"type": "geometry"},
            "bbox": {"type": "bounding-box"},
        },
    },
    FIBOA: {
        "$schema": SDL,
        "required": [],
        "collection": {"metrics:area": False, "metrics:perimeter": False},
        "properties": {
            "metrics:area": {"type": "float", "exclusiveMinimum": 0, "maximum": 1_000_000_000},
            "metrics:perimeter": {"type": "float", "exclusiveMinimum": 0, "maximum": 1_250_000_000},
            "determination:datetime": {"type": "date-time"},
            "determination:method": {"type": "string", "enum": _METHODS},
        },
    },
    GEOPARQUET: {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["version", "primary_column", "columns"],
        "properties": {
            "version": {"const": "1.1.0"},
            "primary_column": {"type": "string", "minLength": 1},
            "columns": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {
                    "type": "object",
                    "required": ["encoding", "geometry_types"],
                    "properties": {
                        "encoding": {"enum": ["WKB"]},
                        "geometry_types": {
                            "type": "array",
                            "uniqueItems": True,
                            "items": {"pattern": "^(GeometryCollection|(Multi)?(Point|LineString|Polygon))( Z)?$"},
                        },
                        "bbox": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
                        "covering": {
                            "type": "object",
                            "required": ["bbox"],
                            "properties": {
                                "bbox": {"type": "object", "required": ["xmin", "xmax", "ymin", "ymax"]},
                            },
                        },
                    },
                },
            },
        },
    },
}


def validate(path: Path) -> tuple[list[str], list[str]]:
    """What the validator says of a file, all rows: errors and warnings."""
    import fiboa_cli.registry  # noqa: F401 - from here on the schema of fiboa is required too
    from vecorel_cli.validate import ValidateData
    from vecorel_cli.vecorel.util import file_cache

    file_cache.update(SCHEMAS)
    found = ValidateData().validate(path, num=None)
    return [str(one) for one in found.errors], [str(one) for one in found.warnings]


if __name__ == "__main__":
    errors, warnings = validate(Path(sys.argv[1]))
    print(json.dumps({"errors": errors, "warnings": warnings}))
