# SPDX-License-Identifier: Apache-2.0
"""Photos come out without what tells where, when and by whom they were taken; what cannot be cleaned is refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from acreline.errors import InputError
from acreline.people.evidence import MOST_BYTES, keep_files, read_evidence, strip_jpeg, strip_png
from tests.made_people import piece, png

SECRETS = (b"Zhang", b"GPS", b"SECRET", b"2026:03:01")


def jpeg(*, progressive: bool = False, with_exif: bool = True) -> bytes:
    """A picture as a phone takes it: maker, owner, place and comment in it, another picture behind its end."""
    picture = Image.effect_noise((40, 30), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x0132] = "SECRET field", "Zhang San", "2026:03:01 12:00:00"
    exif.get_ifd(0x8825)[29] = "GPS 2026:03:01"
    out = io.BytesIO()
    more = {"exif": exif, "comment": b"SECRET note"} if with_exif else {}
    picture.save(out, "JPEG", progressive=progressive, restart_marker_blocks=2, **more)
    return out.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
def test_a_photo_keeps_its_picture_and_nothing_else(tmp_path: Path, progressive: bool) -> None:
    taken = jpeg(progressive=progressive) + b"SECRET film behind the end"
    assert all(secret in taken for secret in SECRETS)
    (tmp_path / "a.jpg").write_bytes(taken)
    kept = read_evidence(tmp_path / "a.jpg", photo=True)
    assert not [secret for secret in SECRETS if secret in kept.content]
    before, after = (Image.open(io.BytesIO(one)) for one in (taken, kept.content))
    assert after.tobytes() == before.tobytes()
    assert not after.getexif()
    assert (kept.kind, kept.ending) == ("photo", ".jpg")
    assert strip_jpeg(kept.content, "again") == kept.content


def test_a_small_picture_in_the_head_goes_too() -> None:
    plain = jpeg(with_exif=False)
    head = b"\xff\xe0" + (16 + 3).to_bytes(2, "big") + plain[6:18] + b"\x01\x01abc"
    small = b"\xff\xe0\x00\x0dJFXX\0\x10SECRE"
    assert strip_jpeg(plain[:2] + head + small + plain[20:], "x") == plain


def test_a_png_keeps_the_pieces_that_make_its_picture() -> None:
    more = (piece(b"tEXt", b"Author\0Zhang San"), piece(b"eXIf", b"MM\0*SECRET"), piece(b"tIME", b"1234567"))
    assert strip_png(png(*more) + b"SECRET behind", "x") == png()


@pytest.mark.parametrize("cut", [3, 20, 200, -2])
def test_a_picture_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(InputError, match="a damaged picture"):
        strip_jpeg(jpeg()[:cut], "x")
    with pytest.raises(InputError, match="a damaged picture"):
        strip_png(png()[: min(cut, 40)], "x")


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xd9\0\0", b"\xff\xd8\xff\xe0\0\1\0\0", b"\xff\xd8\xff\xe0\xff\xff\0\0"]
)
def test_a_picture_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="a damaged picture"):
        strip_jpeg(content, "x")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 bytes"),
        (b"x" * (MOST_BYTES + 1), "bytes"),
        (b"II*\0....", "TIFF: what it tells of place and owner cannot be taken out"),
        (b"RIFF....WEBP", "WebP"),
        (b"\0\0\0\x18ftypheic", "HEIC or a film"),
        (b"PK\x03\x04\0\xff", "of a kind that is not kept"),
        (b"a\0b", "of a kind that is not kept"),
    ],
)
def test_what_cannot_be_cleaned_or_kept_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_evidence(tmp_path / "a")


def test_papers_are_kept_as_they_are_and_are_no_photos(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("crop,t\nmaize,3\n", encoding="utf-8")
    kept = read_evidence(tmp_path / "a.csv")
    assert (kept.kind, kept.ending, kept.content) == ("document", ".txt", b"crop,t\nmaize,3\n")
    with pytest.raises(InputError, match="no picture"):
        read_evidence(tmp_path / "a.csv", photo=True)
    told = keep_files(tmp_path, [kept, kept])
    assert told[0] == told[1] == {"kind": "document", "file": f"{kept.sha256}.txt", "bytes": 15}
    assert [path.name for path in (tmp_path / "evidence").iterdir()] == [f"{kept.sha256}.txt"]
