# SPDX-License-Identifier: Apache-2.0
"""OpenLineage's own Python client reads exported events into its classes, facet by facet.

Run by the Python of `.venv-readers`: `python openlineage_check.py FILE` prints what it could not read as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

PLACES = {"run": "run", "job": "job", "inputs": "dataset", "outputs": "dataset"}


def read(event: dict[str, Any]) -> Any:
    """The event as the client's class; raises where it does not fit."""
    from openlineage.client import event_v2

    def datasets(kind: Any, own: str, told: list[dict[str, Any]]) -> list[Any]:
        return [
            kind(one["namespace"], one["name"], facets=facets(one["facets"]), **{own: facets(one.get(own, {}))})
            for one in told
        ]

    run, job = event["run"], event["job"]
    made = event_v2.RunEvent(
        eventType=event_v2.RunState[event["eventType"]],
        eventTime=event["eventTime"],
        run=event_v2.Run(run["runId"], facets(run["facets"])),
        job=event_v2.Job(job["namespace"], job["name"], facets(job["facets"])),
        producer=event["producer"],
        inputs=datasets(event_v2.InputDataset, "inputFacets", event["inputs"]),
        outputs=datasets(event_v2.OutputDataset, "outputFacets", event["outputs"]),
    )
    assert made.schemaURL == event["schemaURL"], (made.schemaURL, event["schemaURL"])
    return made


def facets(told: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Each facet as the class its schema names, of the very version; those of our own as the base they follow."""
    from openlineage.client import facet_v2
    from openlineage.client.generated import base

    made = {}
    for name, facet in told.items():
        kind = facet["_schemaURL"].rsplit("/", 1)[1]
        values = {key: value for key, value in facet.items() if not key.startswith("_")}
        if "/facets/" in facet["_schemaURL"]:
            module = getattr(facet_v2, re.sub(r"(?<!^)(?=[A-Z])", "_", kind.removesuffix("Facet")).lower())
            if kind == "SchemaDatasetFacet":
                values["fields"] = [module.SchemaDatasetFacetFields(**field) for field in values["fields"]]
            made[name] = getattr(module, kind)(producer=facet["_producer"], **values)
        else:
            made[name] = getattr(base, kind)(producer=facet["_producer"])
        assert made[name]._schemaURL == facet["_schemaURL"], (made[name]._schemaURL, facet["_schemaURL"])
    return made


if __name__ == "__main__":
    faults = []
    states = []
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        try:
            from openlineage.client.serde import Serde

            states.append(json.loads(Serde.to_json(read(json.loads(line))))["eventType"])
        except (AssertionError, TypeError, ValueError, KeyError, AttributeError) as error:
            faults.append(f"{type(error).__name__}: {error}")
    print(json.dumps({"states": states, "faults": faults}))
