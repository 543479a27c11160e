# SPDX-License-Identifier: Apache-2.0
"""A class map as a small PNG with a palette, made with the standard library alone."""

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


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
