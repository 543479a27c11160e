# SPDX-License-Identifier: Apache-2.0
"""The second stage of the river: parcels, a season and a provider in, scenes out."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from acreline.config import Provider, SeasonSettings
from acreline.errors import ConfigError, SourceError
from acreline.layers import BANDS, Parcels, Scene, Scenes, SetAside
from acreline.search.addresses import home_of
from acreline.search.copies import drop_copies
from acreline.search.folder import read_folder
from acreline.search.items import MASK, Candidate, Wanted, judge_item
from acreline.search.tally import Box, Tally

if TYPE_CHECKING:
    import numpy.typing as npt

log = logging.getLogger(__name__)

REASONS = (
    "not_an_item",
    "other_collection",
    "no_time",
    "outside_season",
    "after_as_of",
    "not_a_tile",
    "no_geometry",
    "outside_area",
    "missing_asset",
    "foreign_scheme",
    "foreign_address",
    "unknown_offset",
    "duplicate_of",
    "too_cloudy",
)
"""Why a scene that was found is not used, in the order they are asked."""

ONE_BOX_DEGREES = 3.0
PAD_DEGREES = 0.01


def search_scenes(parcels: Parcels, season: SeasonSettings, provider: Provider, *, as_of: date) -> Scenes:
    """Find every satellite scene of a season over a farm region, and say of each why it is used or not.

    A server is asked by box (padded and rounded outward to a tenth of a degree, so that it never learns a parcel's
    outline), days and collection only; everything else is judged here, on the items themselves, since servers
    compare clouds as text or pass over a filter without a word. Copies of one acquisition are resolved as told in
    `copies.drop_copies`; parts of a split scene share a `pass_id`.

    Args:
        parcels: those with status `rejected` do not count.
        season: first and last day looked at.
        provider: a STAC API, or a folder.
        as_of: what was sensed later, or by then was not yet listed (`lag_days`), is set aside.

    Returns:
        scenes sorted by time, then id; those set aside with one of `REASONS`; completeness: received (items), stated
        (by the catalogue; None where it does not say), boxes, pages, duplicates (items that came twice), shared
        (items in several boxes), used, set_aside, passes, longest_gap_days (of the tile that fares worst, from the
        season's start to its end or the as-of day). received = used + set_aside + shared.

    Raises:
        ConfigError: the provider names no asset for a band, the as-of day lies before the season, or the package
            that signs addresses is not installed.
        SourceError: the catalogue cannot be reached, or did not give all it states.
    """
    lacking = [band for band in (*BANDS, MASK) if not provider.bands.get(band)]
    if lacking:
        raise ConfigError(
            f"provider {provider.name!r}: no asset named for {', '.join(lacking)}", hint="add them under `bands:`"
        )
    end = min(season.end, as_of)
    if end < season.start:
        raise ConfigError(
            f"as-of day {as_of} lies before the season's start {season.start}", hint="choose a later as-of day"
        )
    sign = _signer(provider)
    boxes = _boxes(parcels)
    tally = Tally()
    area = [shapely.box(*exact) for _, exact in boxes]
    wanted = Wanted(provider, season.start, season.end, as_of, area, home_of(provider))
    candidates, aside = _judge(_read(provider, boxes, season.start, end, tally), wanted)
    kept, copies = drop_copies(candidates)
    clear = [one for one in kept if not _too_cloudy(one, provider)]
    aside += copies
    aside += [
        SetAside(one.scene_id, one.time, one.tile, "too_cloudy", f"{one.cloud_percent:g} % cloud")
        for one in kept
        if _too_cloudy(one, provider)
    ]
    items = tuple(_scene(one, sign) for one in clear)
    completeness = {
        "received": tally.received,
        "stated": tally.stated,
        "proof": tally.proof,
        "boxes": len(boxes),
        "pages": tally.pages,
        "duplicates": tally.duplicates,
        "shared": tally.shared,
        "used": len(items),
        "set_aside": len(aside),
        "passes": len({scene.pass_id for scene in items}),
        "longest_gap_days": _longest_gap_days(items, season.start, end),
    }
    if tally.stated is None and provider.kind == "api":
        log.info("%s: completeness: not stated by the server, proof: %s", provider.name, tally.proof)
    if tally.proof == "undecided":
        log.warning("%s: nothing shows that the list of scenes is whole; see longest_gap_days", provider.name)
    return Scenes(
        provider=provider.name,
        items=items,
        set_aside=tuple(sorted(aside, key=lambda one: (str(one.time or ""), one.scene_id, one.reason, one.detail))),
        completeness=completeness,
        read_options=dict(sorted(provider.read.gdal.items())),
        simulated=tally.simulated,
    )


def _read(
    provider: Provider, boxes: list[tuple[Box, Box]], start: date, end: date, tally: Tally
) -> Iterator[tuple[dict[str, Any], str]]:
    if not boxes:
        return iter(())
    if provider.kind == "folder":
        return read_folder(provider, tally)
    from acreline.search.api import read_api  # pystac-client takes half a second to load, a folder needs none of it

    return read_api(provider, [asked for asked, _ in boxes], start, end, tally)


def _judge(found: Iterable[tuple[dict[str, Any], str]], wanted: Wanted) -> tuple[list[Candidate], list[SetAside]]:
    """Item by item as they come, so that the catalogue's long answers are never held together."""
    candidates: list[Candidate] = []
    aside: list[SetAside] = []
    for item, base in found:
        verdict = judge_item(item, base, wanted)
        if isinstance(verdict, Candidate):
            candidates.append(verdict)
        else:
            aside.append(verdict)
    return candidates, aside


def _boxes(parcels: Parcels) -> list[tuple[Box, Box]]:
    """(box to ask for, exact box) around the parcels: one, or one per degree cell where they lie far apart."""
    kept = parcels[parcels["status"] != "rejected"]
    if not len(kept):
        return []
    # parts, not parcels: one that is cut at the antimeridian has two small boxes, not one around the globe
    bounds: npt.NDArray[np.float64] = kept.geometry.explode(index_parts=False).bounds.to_numpy()
    lows, highs = bounds[:, :2], bounds[:, 2:]
    if np.all(highs.max(axis=0) - lows.min(axis=0) < ONE_BOX_DEGREES):
        cells = np.zeros(len(bounds), dtype=np.int64)
    else:
        _, cells = np.unique(np.floor((lows + highs) / 2), axis=0, return_inverse=True)
    boxes = []
    for cell in range(int(cells.max()) + 1):
        mine = cells == cell
        west, south = lows[mine].min(axis=0).tolist()
        east, north = highs[mine].max(axis=0).tolist()
        boxes.append((_padded(west, south, east, north), (west, south, east, north)))
    return boxes


def _padded(west: float, south: float, east: float, north: float) -> Box:
    def down(value: float) -> float:
        return math.floor(round((value - PAD_DEGREES) * 10, 6)) / 10

    def up(value: float) -> float:
        return math.ceil(round((value + PAD_DEGREES) * 10, 6)) / 10

    return max(down(west), -180.0), max(down(south), -90.0), min(up(east), 180.0), min(up(north), 90.0)


def _too_cloudy(one: Candidate, provider: Provider) -> bool:
    return one.cloud_percent is not None and one.cloud_percent > provider.max_cloud_percent


def _scene(one: Candidate, sign: Callable[[str], str]) -> Scene:
    return Scene(
        scene_id=one.scene_id,
        pass_id=one.pass_id,
        time=one.time,
        tile=one.tile,
        crs=one.crs,
        assets={band: sign(href) for band, href in one.assets.items()},
        dn_offset=one.dn_offset,
        offset_how=one.offset_how,
        cloud_percent=one.cloud_percent,
        baseline=one.baseline,
        flags=one.flags,
        geometry=one.geometry,
    )


def _longest_gap_days(items: Iterable[Scene], start: date, end: date) -> int:
    """Longest time without a scene, in the tile where it is longest."""
    days: dict[str, set[date]] = {}
    for scene in items:
        days.setdefault(scene.tile, {start, end}).add(scene.time.date())
    gaps = [(late - early).days for seen in days.values() for early, late in pairwise(sorted(seen))]
    return max(gaps, default=(end - start).days)


def check_signing(provider: Provider) -> None:
    """Whether addresses of a provider could be signed, asked before the night. Raises `ConfigError` if not."""
    _signer(provider)


def _signer(provider: Provider) -> Callable[[str], str]:
    """What makes an address openable; only Planetary Computer needs its addresses signed."""
    if provider.signing != "planetary_computer":
        return lambda href: href
    try:
        import planetary_computer
    except ImportError as error:
        raise ConfigError(
            f"provider {provider.name!r} signs addresses with the package planetary-computer, which is not installed",
            hint="pip install 'acreline[planetary]'",
        ) from error

    def sign(href: str) -> str:
        try:
            return str(planetary_computer.sign_url(href))
        except Exception as error:  # noqa: BLE001 - whatever a signer raises, its words may hold the token
            raise SourceError(
                f"{provider.name}: an address could not be signed ({type(error).__name__})",
                hint="run again later; what was done is kept",
            ) from None

    return sign
