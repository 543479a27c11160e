# SPDX-License-Identifier: Apache-2.0
"""A farm's parcels as they lie to each other, numbered, north up, with a scale: a drawing that needs no map."""

from __future__ import annotations

import math
from collections.abc import Sequence

from acreline.report.field import scale_bar
from acreline.report.read import Row

SIDE, EDGE = 200, 16
M_PER_DEGREE = 111_195
"""Of latitude, on a sphere of 6371 km: a sketch needs no better."""
LAND, LINE = "#dfe8e2", "#14222b"


def land_sketch(parcels: Sequence[Row], zh: bool) -> str:
    """The outlines as SVG, each with its place in the list; empty without any outline.

    Args:
        parcels: of `tell_farms`, with `rings` of (lat, lon) in degrees.
        zh: in Chinese.
    """
    points = [point for parcel in parcels for polygon in parcel["rings"] for ring in polygon for point in ring]
    if not points:
        return ""
    south, north = min(lat for lat, _ in points), max(lat for lat, _ in points)
    west, east = min(lon for _, lon in points), max(lon for _, lon in points)
    stretch = math.cos(math.radians((south + north) / 2))
    side_m = max((north - south) * M_PER_DEGREE, (east - west) * M_PER_DEGREE * stretch, 10.0)
    scale = (SIDE - 2 * EDGE) / side_m
    left = (SIDE - (east - west) * M_PER_DEGREE * stretch * scale) / 2
    height = 2 * EDGE + (north - south) * M_PER_DEGREE * scale + EDGE

    def place(point: Sequence[float]) -> tuple[float, float]:
        lat, lon = point
        return (
            left + (lon - west) * M_PER_DEGREE * stretch * scale,
            EDGE + (north - lat) * M_PER_DEGREE * scale,
        )

    title = ("Your parcels, north up", "您的地块（上北下南）")[zh]
    parts = [f'<svg class="sketch" viewBox="0 0 {SIDE} {height:.0f}" role="img"><title>{title}</title>']
    marks = []
    for number, parcel in enumerate(parcels, start=1):
        rings = [[place(point) for point in ring] for polygon in parcel["rings"] for ring in polygon]
        if not rings:
            continue
        path = "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) + "Z" for ring in rings)
        parts.append(f'<path d="{path}" fill="{LAND}" fill-rule="evenodd" stroke="{LINE}" stroke-width="1"/>')
        xs, ys = zip(*(point for ring in rings for point in ring), strict=True)
        x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
        marks.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="#ffffff" stroke="{LINE}" stroke-width="0.7"/>'
            f'<text x="{x:.1f}" y="{y + 3.4:.1f}" text-anchor="middle" font-size="9.5">{number}</text>'
        )
    metres, _ = scale_bar(max(math.ceil(side_m / 10), 1))
    end, foot = EDGE + metres * scale, height - EDGE / 2
    bar = f'<path d="M{EDGE} {foot - 4:.1f}V{foot:.1f}H{end:.1f}V{foot - 4:.1f}" fill="none" stroke="{LINE}"/>'
    parts += [*marks, bar, f'<text x="{end + 5:.1f}" y="{foot:.1f}" font-size="9.5">{metres} m</text>']
    top = f'<text x="{SIDE - EDGE}" y="{foot:.1f}" text-anchor="end" font-size="9.5">{("N ↑", "北 ↑")[zh]}</text>'
    return "".join([*parts, top, "</svg>"])
