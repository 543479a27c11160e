# SPDX-License-Identifier: Apache-2.0
"""Chinese web-map coordinates back to the Earth: GCJ-02 and BD-09 to WGS84, to better than a micrometre.

A parcel drawn on a Chinese web map lies up to 600 m (GCJ-02) or 1,400 m (BD-09) beside the land it means. Both shifts
are fixed public formulae without a closed inverse; the inverse here is iterated until it stands still.

Source of the formulae: the published description of the GCJ-02 shift on the Krassovsky 1940 ellipsoid, and of the
BD-09 turn on top of it, as given in "Restrictions on geographic data in China", Wikipedia (read as formulae).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acreline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from acreline.config import Datum

    Degrees = npt.NDArray[np.float64]
    Shift = Callable[[Degrees, Degrees], tuple[Degrees, Degrees]]

KRASSOVSKY_A_M = 6_378_245.0
KRASSOVSKY_E2 = 0.00669342162296594323
CHINA_BOX = (72.004, 0.8293, 137.8347, 55.8271)
"""west, south, east, north: the box within which web maps apply the shift (wider than the country)."""
BD09_ANGLE = np.pi * 3000.0 / 180.0
STILL_DEG = 1e-13
MAX_STEPS = 60


def to_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike, datum: Datum) -> tuple[Degrees, Degrees]:
    """Put drawn coordinates where they lie on the Earth.

    Args:
        lon: degrees east, any shape.
        lat: degrees north, same shape.
        datum: wgs84 and cgcs2000 pass unchanged (they differ by less than a metre); gcj02 and bd09 are inverted.

    Returns:
        (lon, lat) in WGS84, float64, same shape; there and back again differs by less than 1e-6 m.

    Raises:
        InputError: gcj02 or bd09 outside the box they are defined in, or not finite.
    """
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if datum in ("wgs84", "cgcs2000"):
        return x.copy(), y.copy()
    check_china(x, y, datum)
    if datum == "bd09":
        x, y = _invert(gcj02_to_bd09, x, y, np.subtract(x, 0.0065), np.subtract(y, 0.006))
    return _invert(wgs84_to_gcj02, x, y, x, y)


def check_china(lon: Degrees, lat: Degrees, datum: str) -> None:
    """Refuse coordinates outside the box of China. Raises `InputError`; the message carries the first index."""
    west, south, east, north = CHINA_BOX
    inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    if not np.all(inside):
        first = int(np.flatnonzero(~np.ravel(inside))[0])
        raise InputError(
            f"{datum} is only defined in China; {np.size(inside) - np.count_nonzero(inside)} of {np.size(inside)} "
            f"points lie outside it, the first is point {first}",
            hint="check `datum`, and that longitude and latitude are not swapped",
            first=first,
        )


def wgs84_to_gcj02(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    """Shift WGS84 degrees as Chinese web maps do (GCJ-02)."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    ripple = 20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east_m += (ripple + 20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi * x / 3.0)) * 2.0 / 3.0
    east_m += (150.0 * np.sin(np.pi * x / 12.0) + 300.0 * np.sin(np.pi * x / 30.0)) * 2.0 / 3.0
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north_m += (ripple + 20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi * y / 3.0)) * 2.0 / 3.0
    north_m += (160.0 * np.sin(np.pi * y / 12.0) + 320.0 * np.sin(np.pi * y / 30.0)) * 2.0 / 3.0
    phi = np.radians(lat)
    w2 = 1.0 - KRASSOVSKY_E2 * np.sin(phi) ** 2
    meridian_m = KRASSOVSKY_A_M * (1.0 - KRASSOVSKY_E2) / (w2 * np.sqrt(w2))
    parallel_m = KRASSOVSKY_A_M / np.sqrt(w2) * np.cos(phi)
    return lon + np.degrees(east_m / parallel_m), lat + np.degrees(north_m / meridian_m)


def gcj02_to_bd09(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    """Turn GCJ-02 degrees into BD-09."""
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * BD09_ANGLE)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * BD09_ANGLE)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def _invert(shift: Shift, lon: Degrees, lat: Degrees, x: Degrees, y: Degrees) -> tuple[Degrees, Degrees]:
    """The point that `shift` moves to (lon, lat), from the guess (x, y); the shift varies slowly, so steps shrink."""
    x, y = np.array(x), np.array(y)
    for _ in range(MAX_STEPS):
        moved_x, moved_y = shift(x, y)
        step_x, step_y = lon - moved_x, lat - moved_y
        x, y = x + step_x, y + step_y
        if np.size(x) == 0 or max(float(np.max(np.abs(step_x))), float(np.max(np.abs(step_y)))) < STILL_DEG:
            break
    return x, y
