# SPDX-License-Identifier: Apache-2.0
"""Maps on disk: the one writer of cloud-optimised GeoTIFFs, the readers of what it wrote, and GDAL's other uses."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.config import ReadSettings
from acreline.errors import ContractError, InputError, SourceError, StoreError
from acreline.geotiff import Grid, Window, place, put

if TYPE_CHECKING:
    import shapely
    import xarray as xr

WEB_MERCATOR = "EPSG:3857"
MAX_WEB_PX = 4096
BLOCK_PX = 512
# rasterio logs addresses with their signatures; what is wrong with a file is raised, and needs no second voice.
logging.getLogger("rasterio").setLevel(logging.CRITICAL)
_nonce = itertools.count(1)
_ENV = {"GDAL_PAM_ENABLED": "NO", "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_NUM_THREADS": "1"}


def write_cog(
    path: Path,
    array: npt.NDArray[Any],
    *,
    crs: str,
    origin_x: float,
    origin_y: float,
    row: int,
    col: int,
    pixel_m: int = 10,
    nodata: float | None = None,
    class_table: Mapping[int, tuple[str, str]] | None = None,
    tags: Mapping[str, str] | None = None,
    descriptions: Sequence[str] | None = None,
) -> None:
    """Write one map as a cloud-optimised GeoTIFF that any GIS opens; the same map gives the same bytes.

    A reader sees the old file or the new one, never half of one.

    Args:
        path: where; its folder must exist.
        array: (band, y, x) or (y, x).
        crs: the tile's CRS.
        origin_x: easting of the tile's upper-left corner, metres.
        origin_y: northing of it.
        row: first row of the array, in pixels from that corner.
        col: first column.
        pixel_m: pixel size in metres.
        nodata: value that means no data.
        class_table: code -> (name, "#rrggbb"), for uint8 only; kept as the tag `classes` (JSON), and as a colour table
            where there is one band (TIFF knows none for several).
        tags: further tags.
        descriptions: one name for each band.

    Raises:
        ContractError: array, class table and descriptions do not fit each other.
        StoreError: the file cannot be written.
    """
    import rasterio
    from rasterio.enums import ColorInterp
    from rasterio.errors import RasterioError
    from rasterio.transform import Affine

    bands = array[None] if array.ndim == 2 else array
    if bands.ndim != 3 or 0 in bands.shape or (descriptions is not None and len(descriptions) != len(bands)):
        raise ContractError(f"{path.name}: {array.shape} is no map with {descriptions}", hint="(band, y, x)")
    if class_table is not None and (bands.dtype != np.uint8 or any(not 0 <= code <= 255 for code in class_table)):
        raise ContractError(f"{path.name}: a class table needs uint8 codes, found {bands.dtype}", hint="report it")
    profile = {
        "driver": "COG",
        "height": bands.shape[1],
        "width": bands.shape[2],
        "count": len(bands),
        "dtype": bands.dtype.name,
        "crs": crs,
        "transform": Affine(pixel_m, 0, origin_x + col * pixel_m, 0, -pixel_m, origin_y - row * pixel_m),
        "nodata": nodata,
        "compress": "DEFLATE",
        "predictor": "NO" if class_table is not None else "YES",
        "blocksize": BLOCK_PX,
        "overview_resampling": "NEAREST",
        "num_threads": "1",
    }
    told = {key: str(value) for key, value in sorted((tags or {}).items())}
    if class_table is not None:
        told["classes"] = json.dumps({str(code): list(class_table[code]) for code in sorted(class_table)})
    try:
        with _whole(path) as part, rasterio.Env(**_ENV), rasterio.open(part, "w", **profile) as out:
            out.write(bands)
            out.update_tags(**told)
            for k, text in enumerate(descriptions or (), start=1):
                out.set_band_description(k, text)
            if class_table is not None and len(bands) == 1:
                out.write_colormap(1, {code: _rgba(class_table[code][1]) for code in class_table})
                out.colorinterp = (ColorInterp.palette,)
    except (RasterioError, OSError) as error:
        raise StoreError(
            f"{path}: cannot be written: {getattr(error, 'strerror', None) or type(error).__name__}",
            hint="check space and permissions",
        ) from error


def _rgba(colour: str) -> tuple[int, int, int, int]:
    try:
        red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    except ValueError as error:
        raise ContractError(f"colour {colour!r} is not #rrggbb", hint="report it") from error
    return red, green, blue, 255


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place once it is complete and on disk."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tif")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        part.unlink(missing_ok=True)


def read_raster(
    path: Path,
) -> tuple[npt.NDArray[Any], tuple[float, float, float, float, float, float], str, dict[str, str]]:
    """Read a map of ours back.

    Returns:
        the array (band, y, x); the affine transform (a, b, c, d, e, f); the CRS, e.g. EPSG:32631; its tags.

    Raises:
        InputError: it is missing or is not a GeoTIFF.
    """
    with _opened(path) as source:
        tags = {key: value for key, value in sorted(source.tags().items()) if key != "AREA_OR_POINT"}
        return source.read(), tuple(source.transform)[:6], source.crs.to_string(), tags


def web_map(path: Path, weak: int = 0) -> tuple[npt.NDArray[np.uint8], tuple[float, float, float, float]]:
    """A map of classes, laid out as web maps are drawn, for a picture over a map in a browser.

    A browser stretches a picture evenly in web mercator, so the pixels are warped to EPSG:3857 (nearest, codes are
    never mixed) and only its corners are given in lon/lat.

    Args:
        path: a map of uint8 codes, 0 = nothing. Of several bands the first that says something counts.
        weak: a code that gives way to what another band says.

    Returns:
        codes uint8 (y, x), north up, at most 4096 px a side; (west, south, east, north) in degrees.

    Raises:
        InputError: it is missing, not a GeoTIFF or not a map of codes.
    """
    from pyproj import Transformer
    from rasterio.warp import Resampling, calculate_default_transform, reproject

    with _opened(path) as source:
        if source.dtypes[0] != "uint8":
            raise InputError(f"{path}: a map of codes is uint8, found {source.dtypes[0]}", hint="choose a class map")
        bands = source.read()
        codes = bands[0].copy()
        for band in bands[1:]:
            np.copyto(codes, band, where=(codes == 0) | ((codes == weak) & (band != 0)))
        transform, width, height = calculate_default_transform(
            source.crs, WEB_MERCATOR, source.width, source.height, *source.bounds
        )
        if max(width, height) > MAX_WEB_PX:
            shrink = MAX_WEB_PX / max(width, height)
            transform, width, height = calculate_default_transform(
                source.crs,
                WEB_MERCATOR,
                source.width,
                source.height,
                *source.bounds,
                dst_width=max(1, int(width * shrink)),
                dst_height=max(1, int(height * shrink)),
            )
        out = np.zeros((height, width), np.uint8)
        reproject(
            codes,
            out,
            src_transform=source.transform,
            src_crs=source.crs,
            dst_transform=transform,
            dst_crs=WEB_MERCATOR,
            src_nodata=0,
            dst_nodata=0,
            resampling=Resampling.nearest,
            num_threads=1,
        )
    left, top = transform.c, transform.f
    to_lonlat = Transformer.from_crs(WEB_MERCATOR, "EPSG:4326", always_xy=True)
    west, south = to_lonlat.transform(left, top + height * transform.e)
    east, north = to_lonlat.transform(left + width * transform.a, top)
    return out, (float(west), float(south), float(east), float(north))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import rasterio
    from rasterio.errors import RasterioError

    if not path.is_file():
        raise InputError(f"{path}: no such file", hint="check the path")
    try:
        with rasterio.Env(**_ENV), rasterio.open(path, driver="GTiff", sharing=False) as source:
            if source.crs is None:
                raise InputError(f"{path}: has no CRS", hint="it is not a map written by acreline")
            yield source
    except RasterioError as error:
        raise InputError(f"{path}: not a GeoTIFF that can be read", hint="run the region again") from error


# --- other people's files -----------------------------------------------------------------------------------------
def read_with_gdal(
    href: str, driver: str, window: Window, read: ReadSettings, options: Mapping[str, str]
) -> npt.NDArray[Any]:
    """What a file has of a window, through GDAL and with one named driver: JPEG 2000, object stores, rarer GeoTIFFs.

    Args:
        href: path, http(s) or s3 address, already found harmless.
        driver: the only driver that may open it, GTiff or JP2OpenJPEG; a virtual raster is never opened.
        window: the wanted pixels.
        read: timeouts, retries, GDAL options.
        options: GDAL options of the provider.

    Returns:
        (height, width) whole numbers, 0 where the file has none.

    Raises:
        SourceError: it cannot be read, or is not one band of whole numbers on the tile's grid.
    """
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.session import DummySession

    remote = "://" in href
    for _ in range(read.max_retry + 1 if remote else 1):
        try:
            with (
                rasterio.Env(DummySession(), **gdal_options(read, options)),
                rasterio.open(_gdal_name(href, driver), driver=driver, sharing=False) as source,
            ):
                t, kind = source.transform, np.dtype(source.dtypes[0])
                if source.count != 1 or kind.kind not in "iu" or source.crs is None or t.b or t.d:
                    raise SourceError(
                        f"not one upright band of whole numbers: {source.count} of {kind}, CRS {source.crs}",
                        hint="check the item's asset addresses",
                        retryable=False,
                    )
                same = source.crs == rasterio.CRS.from_string(window.crs)
                grid = Grid(None, t.c, t.f, t.a, -t.e, source.height, source.width)
                inside = place(grid, window.crs if same else source.crs.to_string(), window)
                values = None
                if inside is not None:
                    top, left, height, width = inside
                    values = source.read(1, window=((top, top + height), (left, left + width)))
                return put(values, inside, grid, source.nodata, window)
        except RasterioError:
            continue  # said below, without GDAL's words: they hold the address with its signature
    raise SourceError(f"GDAL cannot read it as {driver}", hint="check the file", retryable=remote)


def _gdal_name(href: str, driver: str) -> str | Path:
    if href.startswith("s3://"):
        return "/vsis3/" + href.removeprefix("s3://")
    if "://" not in href:
        return Path(href)
    # GDAL remembers a failed address. A fragment makes it a new one to GDAL, and is never sent to the server.
    return f"/vsicurl/{href}#{next(_nonce)}.{'jp2' if driver == 'JP2OpenJPEG' else 'tif'}"


def gdal_options(read: ReadSettings, options: Mapping[str, str]) -> dict[str, str]:
    """GDAL's options for opening a file: few requests, an end to every wait; the provider's and the user's win."""
    return {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif,.tiff,.jp2",
        "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
        "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
        "GDAL_HTTP_CONNECTTIMEOUT": f"{read.connect_timeout_s:g}",
        "GDAL_HTTP_TIMEOUT": f"{read.timeout_s:g}",
        "GDAL_HTTP_LOW_SPEED_TIME": "5",
        "GDAL_HTTP_LOW_SPEED_LIMIT": "1024",
        "GDAL_HTTP_MAX_RETRY": str(read.max_retry),
        "GDAL_HTTP_RETRY_DELAY": "0.2",
        "GDAL_PAM_ENABLED": "NO",
        **options,
        **read.gdal,
    }


def centres_inside(shape: shapely.Geometry, y: xr.DataArray, x: xr.DataArray, pixel_m: int) -> xr.DataArray:
    """Which pixels have their centre inside a shape, as bool (y, x); on the line GDAL's own rule decides.

    Args:
        shape: in the CRS of the coordinates.
        y: pixel centres, falling.
        x: pixel centres, rising.
        pixel_m: distance between centres.
    """
    import xarray as xr
    from rasterio.features import geometry_mask
    from rasterio.transform import Affine

    ys, xs = y.to_numpy(), x.to_numpy()
    transform = Affine(pixel_m, 0, float(xs[0]) - pixel_m / 2, 0, -pixel_m, float(ys[0]) + pixel_m / 2)
    mask = geometry_mask([shape], (len(ys), len(xs)), transform, invert=True)
    return xr.DataArray(mask, dims=(y.dims[0], x.dims[0]), coords={y.dims[0]: y, x.dims[0]: x})
