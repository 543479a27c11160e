# SPDX-License-Identifier: Apache-2.0
"""Farm files opened with care: size, depth and kind are checked before any parser sees a byte.

Knows GeoParquet (fiboa and Vecorel included), GeoPackage, GeoJSON and Shapefile, the latter ones zipped too. Nothing
here judges a parcel; it only hands over columns, outlines and the CRS as they stand in the file.
"""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

log = logging.getLogger(__name__)

MAX_FILE_BYTES = 2 << 30
MAX_JSON_BYTES = 512 << 20
MAX_ROWS = 2_000_000
MAX_JSON_DEPTH = 20
MAX_ZIP_MEMBERS = 100
MAX_ZIP_RATIO = 100
SMALL_ZIP_BYTES = 10 << 20
"""Below this unpacked size the ratio does not matter: a small bomb does no harm."""

PARQUET = (".parquet", ".geoparquet")
JSON = (".geojson", ".json")
VECTOR = (".gpkg", ".shp", *JSON)
KNOWN = (*PARQUET, *VECTOR, ".zip")
MAGIC = {".gpkg": b"SQLite format 3\x00", ".shp": b"\x00\x00\x27\x0a", ".parquet": b"PAR1", ".geoparquet": b"PAR1"}
FID = "fid"
READ_ERRORS = (OSError, ValueError, RuntimeError, KeyError)
"""What pyogrio, pyarrow, pyproj and json raise for a file they cannot read (their own classes derive from these)."""
UNKNOWN_CODE_PAGES = (0x00, 0x57)
"""Language byte of a .dbf: none given, or the writer's own Windows code page, whichever that was."""

NO_CODE_PAGE = "letters beyond ASCII, and the file names no code page"


@dataclass(frozen=True)
class ParcelFile:
    """What a farm file says of itself; `read` brings the rows."""

    name: str
    path: Path
    """The file to read: inside a temporary folder if it came in a zip."""
    columns: tuple[str, ...]
    """All columns but the geometry, in the file's order."""
    rows: int
    crs: Any
    """pyproj CRS, or None where the file carries none."""
    layer: str | None = None
    geometry: str | None = None
    older_fiboa: bool = False
    """fiboa before 0.3: `area` is in hectares."""
    encoding_doubtful: bool = False
    """A Shapefile that does not say which code page its text is in."""

    def read(self, columns: Sequence[str]) -> tuple[dict[str, list[Any]], npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Read some columns and the outlines; `fid` stands for the file's own row number where no column is so named.

        Returns:
            (values by column; shapely outlines in 2D, None where null; True where bytes could not be read as a shape)

        Raises:
            InputError: the rows cannot be read, or their text has lost letters.
        """
        wanted = sorted(set(columns))
        try:
            with _warnings_logged(self.name):
                way = _read_parquet if self.path.suffix.lower() in PARQUET else _read_vector
                values, outlines, broken = way(self, wanted)
        except UnicodeDecodeError as error:
            raise _encoding(
                self.name, NO_CODE_PAGE if self.encoding_doubtful else "text in another encoding"
            ) from error
        except READ_ERRORS as error:
            raise _foreign(error, self.name) from error
        for column in wanted:
            _check_text(values[column], column, self)
        return values, outlines, broken


@contextmanager
def open_parcel_file(path: Path, layer: str | None = None) -> Iterator[ParcelFile]:
    """Open a farm file by its extension, within limits of size, ratio, members, depth and rows.

    Args:
        path: .parquet, .geoparquet, .gpkg, .geojson, .json, .shp, or .zip holding one of them.
        layer: layer of a GeoPackage with several.

    Raises:
        InputError: no such file, another kind of file, beyond a limit, empty, or unreadable.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file", hint="check the path; it counts from the region file")
    with tempfile.TemporaryDirectory(prefix="acreline-") as folder:
        inner = _unzip(path, Path(folder)) if path.suffix.lower() == ".zip" else path
        _check_kind(inner, path.name)
        try:
            with _warnings_logged(path.name):
                file = _open_parquet(inner) if inner.suffix.lower() in PARQUET else _open_vector(inner, layer)
        except READ_ERRORS as error:
            raise _foreign(error, path.name) from error
        if file.rows == 0:
            raise InputError(f"{path.name}: holds no parcels", hint="export it again with its rows")
        if file.rows > MAX_ROWS:
            raise InputError(
                f"{path.name}: {file.rows} rows, the limit is {MAX_ROWS}", hint="split the region into several files"
            )
        yield replace(file, name=path.name)


@contextmanager
def _warnings_logged(name: str) -> Iterator[None]:
    """What a library mutters about a file goes to the log, not to the user's screen."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for one in heard:
                log.warning("%s: %s", name, one.message)


def _unzip(path: Path, folder: Path) -> Path:
    """The farm file inside a zip, unpacked into `folder` once its directory has shown it to be harmless."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
            total = sum(m.file_size for m in members)
            ratio = total / max(path.stat().st_size, 1)
            if len(members) > MAX_ZIP_MEMBERS:
                raise _bomb(path, f"{len(members)} files, the limit is {MAX_ZIP_MEMBERS}")
            if total > MAX_FILE_BYTES:
                raise _bomb(path, f"unpacks to {total} bytes, the limit is {MAX_FILE_BYTES}")
            if total > SMALL_ZIP_BYTES and ratio > MAX_ZIP_RATIO:
                raise _bomb(path, f"unpacks to {ratio:.0f} times its size, the limit is {MAX_ZIP_RATIO}")
            mains = sorted(m.filename for m in members if Path(m.filename).suffix.lower() in (*PARQUET, *VECTOR))
            if len(mains) != 1:
                raise InputError(
                    f"{path.name}: expected one farm file inside, found {mains or 'none'}",
                    hint=f"zip one file of {', '.join((*PARQUET, *VECTOR))} (a Shapefile with its .dbf .shx .prj)",
                )
            stem = str(Path(mains[0]).with_suffix(""))
            for member in members:
                if str(Path(member.filename).with_suffix("")) == stem or member.filename.startswith(f"{mains[0]}."):
                    archive.extract(member, folder)  # strips drive letters, leading slashes and ".."
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"{path.name}: cannot be unpacked: {error}", hint="zip it again, without a password"
        ) from error
    found = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() == Path(mains[0]).suffix.lower())
    return found[0]


def _bomb(path: Path, why: str) -> InputError:
    return InputError(f"{path.name}: {why}", hint="unpack it yourself, look at it, and give the file inside")


def _check_kind(path: Path, name: str) -> None:
    """The bytes must be what the extension says: no other driver is ever let in by a borrowed name."""
    suffix = path.suffix.lower()
    if suffix not in KNOWN or suffix == ".zip":
        raise InputError(f"{name}: unknown kind of file {suffix!r}", hint=f"known: {', '.join(KNOWN)}")
    size = path.stat().st_size
    limit = MAX_JSON_BYTES if suffix in JSON else MAX_FILE_BYTES
    if size > limit:
        raise InputError(f"{name}: {size} bytes, the limit is {limit}", hint="save it as GeoParquet, or split it")
    if suffix in JSON:
        _check_json(path.read_bytes(), name)
        return
    with path.open("rb") as file:
        start = file.read(16)
    if not start.startswith(MAGIC[suffix]):
        raise InputError(f"{name}: its content is not that of a {suffix} file", hint="export it again")


def _check_json(data: bytes, name: str) -> None:
    """UTF-8, an object, and nested no deeper than the limit; nothing is parsed yet."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _encoding(name, "text that is not UTF-8") from error
    body = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not body.startswith(b"{"):
        raise InputError(f"{name}: not a GeoJSON object", hint="export it again as GeoJSON (RFC 7946)")
    if b"\\" in body:
        body = re.sub(rb"\\.", b"", body, flags=re.DOTALL)
    bare = body.translate(None, bytes(set(range(256)) - set(b'[]{}"')))
    brackets = np.frombuffer(re.sub(rb'"[^"]*"', b"", bare), dtype=np.uint8)
    steps = np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1).astype(np.int8)
    depth = int(np.cumsum(steps, dtype=np.int32).max(initial=0))
    if depth > MAX_JSON_DEPTH:
        raise InputError(
            f"{name}: nested {depth} deep, the limit is {MAX_JSON_DEPTH}", hint="export it as plain polygons"
        )


def _open_parquet(path: Path) -> ParcelFile:
    import json

    import pyarrow.parquet as pq
    from pyproj import CRS

    with pq.ParquetFile(path) as file:
        metadata, schema = file.metadata, file.schema_arrow
    unpacked = sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))
    if unpacked > MAX_FILE_BYTES:
        raise InputError(
            f"{path.name}: unpacks to {unpacked} bytes, the limit is {MAX_FILE_BYTES}", hint="split the file"
        )
    extra = schema.metadata or {}
    if b"geo" not in extra:
        raise InputError(f"{path.name}: a Parquet table without outlines", hint="save it as GeoParquet")
    geo = json.loads(extra[b"geo"])
    geometry = str(geo["primary_column"])
    about = geo["columns"][geometry]
    # By the GeoParquet specification no `crs` means OGC:CRS84, and null means unknown.
    crs = CRS.from_user_input(about["crs"]) if about.get("crs", "") not in ("", None) else None
    if "crs" not in about:
        crs = CRS.from_user_input("OGC:CRS84")
    columns = tuple(name for name in schema.names if name not in geo["columns"])
    older = b"fiboa" in extra and "metrics:area" not in columns
    return ParcelFile(path.name, path, columns, metadata.num_rows, crs, geometry=geometry, older_fiboa=older)


def _read_parquet(
    file: ParcelFile, columns: list[str]
) -> tuple[dict[str, list[Any]], npt.NDArray[Any], npt.NDArray[np.bool_]]:
    import geopandas as gpd
    import pyarrow.parquet as pq
    import shapely

    # Attributes come straight from Arrow: pandas would turn whole-number ids with gaps into rounded floats.
    table = pq.read_table(file.path, columns=[name for name in columns if name in file.columns])
    values = {name: table.column(name).to_pylist() for name in table.column_names}
    if FID in columns and FID not in values:
        values[FID] = list(range(file.rows))
    shapes = gpd.read_parquet(file.path, columns=[file.geometry]).geometry  # type: ignore[no-untyped-call]
    outlines = shapely.force_2d(np.asarray(shapes.values, dtype=object))
    return values, outlines, np.zeros(len(outlines), dtype=bool)


def _open_vector(path: Path, layer: str | None) -> ParcelFile:
    import pyogrio
    from pyproj import CRS

    layers = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
    if layer is None and len(layers) > 1:
        raise InputError(f"{path.name}: has several layers: {', '.join(layers)}", hint="name one with `layer`")
    if layer is not None and layer not in layers:
        raise InputError(f"{path.name}: no layer {layer!r}; it has {', '.join(layers)}", hint="mend `layer`")
    info = pyogrio.read_info(path, layer=layer, force_feature_count=True)
    doubtful = False
    if path.suffix.lower() == ".shp":
        beside = {p.suffix.lower(): p for p in path.parent.glob(f"{path.stem}.*")}
        if ".dbf" not in beside:
            raise InputError(f"{path.name}: its .dbf is missing", hint="give the .shp with its .dbf, .shx and .prj")
        language = beside[".dbf"].read_bytes()[29:30]
        doubtful = ".cpg" not in beside and (not language or language[0] in UNKNOWN_CODE_PAGES)
    crs = None if info["crs"] is None else CRS.from_user_input(info["crs"])
    columns = tuple(str(name) for name in info["fields"])
    return ParcelFile(path.name, path, columns, int(info["features"]), crs, layer=layer, encoding_doubtful=doubtful)


def _read_vector(
    file: ParcelFile, columns: list[str]
) -> tuple[dict[str, list[Any]], npt.NDArray[Any], npt.NDArray[np.bool_]]:
    import pyogrio
    import shapely

    own = [name for name in columns if name in file.columns]
    with_fid = FID in columns and FID not in file.columns
    meta, table = pyogrio.read_arrow(file.path, layer=file.layer, columns=own, return_fids=with_fid)
    values: dict[str, list[Any]] = {}
    if with_fid:  # always the first column, under whatever name, even one that another column has too
        values[FID] = table.column(0).to_pylist()
        table = table.remove_column(0)
    values |= {name: table.column(name).to_pylist() for name in own}
    geometry = meta["geometry_name"] or "wkb_geometry"
    if geometry not in table.column_names:
        raise InputError(f"{file.name}: a table without outlines", hint="export it with its geometry")
    raw = np.array(table.column(geometry).to_pylist(), dtype=object)
    outlines = shapely.from_wkb(raw, on_invalid="ignore")
    null = np.array([item is None for item in raw], dtype=bool)
    return values, shapely.force_2d(outlines), shapely.is_missing(outlines) & ~null


def _check_text(values: list[Any], column: str, file: ParcelFile) -> None:
    texts = [value for value in values if isinstance(value, str)]
    if any("\ufffd" in text for text in texts):
        raise _encoding(file.name, f"column {column!r} has letters that were lost")
    if file.encoding_doubtful and not all(text.isascii() for text in texts):
        raise _encoding(file.name, f"column {column!r}: {NO_CODE_PAGE}")


def _encoding(name: str, why: str) -> InputError:
    return InputError(
        f"{name}: {why}",
        hint="save it as UTF-8; beside a Shapefile put a .cpg file holding the name of its encoding, e.g. GBK or UTF-8",
    )


def _foreign(error: Exception, name: str) -> InputError:
    """What a library said about a file it could not read, once, as ours."""
    first = str(error).strip().splitlines()
    return InputError(
        f"{name}: cannot be read: {first[0] if first else type(error).__name__}",
        hint="open it in a GIS, check it, and export it again",
    )
