# SPDX-License-Identifier: Apache-2.0
"""Small PNGs, class maps with a palette and pictures in colour, made with the standard library alone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from acreline.errors import ContractError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def palette_png(codes: npt.NDArray[np.uint8], colours: Mapping[int, str]) -> bytes:
    """Draw a map of class codes as a picture, each class in its colour.

    Args:
        codes: uint8 (y, x), north up; a code without a colour (0 = no data among them) is transparent.
        colours: code to `#rrggbb`.

    Returns:
        an 8-bit palette PNG (PNG specification, third edition, colour type 3).

    Raises:
        ContractError: the array is empty, not two-dimensional or not uint8.
    """
    import numpy as np

    if codes.ndim != 2 or codes.dtype != np.uint8 or not codes.size:
        raise ContractError(
            f"a class map must be uint8 (y, x); found {codes.dtype} {codes.shape}",
            hint="this is a fault of acreline: please report it with the run's log",
        )
    height, width = codes.shape
    last = max([0, *colours])
    palette = b"".join(bytes.fromhex(colours.get(code, "#000000")[1:]) for code in range(last + 1))
    opacity = bytes(255 if code in colours else 0 for code in range(last + 1))
    shown = np.where(codes <= last, codes, 0).astype(np.uint8)
    if last and 0 in colours:  # a code beyond the palette must not take the colour of class 0
        raise ContractError("code 0 means no data and has no colour", hint="mend the class table")
    rows = np.zeros((height, width + 1), dtype=np.uint8)  # each row begins with its filter type, 0 = none
    rows[:, 1:] = shown
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return (
        SIGNATURE
        + _chunk(b"IHDR", head)
        + _chunk(b"PLTE", palette)
        + _chunk(b"tRNS", opacity)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )


def colour_png(picture: npt.NDArray[np.uint8]) -> bytes:
    """Draw a picture in colour.

    Args:
        picture: uint8 (y, x, 4): red, green, blue, opacity.

    Returns:
        an 8-bit PNG with opacity (colour type 6).

    Raises:
        ContractError: the array is empty, of another shape or not uint8.
    """
    import numpy as np

    if picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8 or not picture.size:
        raise ContractError(
            f"a picture must be uint8 (y, x, 4); found {picture.dtype} {picture.shape}",
            hint="this is a fault of acreline: please report it with the run's log",
        )
    height, width, _ = picture.shape
    rows = np.zeros((height, 1 + 4 * width), dtype=np.uint8)  # each row begins with its filter type, 0 = none
    rows[:, 1:] = picture.reshape(height, 4 * width)
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 9)
    return SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
