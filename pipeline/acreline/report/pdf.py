# SPDX-License-Identifier: Apache-2.0
"""Pages as PDF, by WeasyPrint (extra `pdf`), which loads nothing from anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from acreline.errors import ConfigError, StoreError
from acreline.report.farm_page import render_farm
from acreline.report.field import FieldPicture, Unseen
from acreline.report.page import check_outside, static_text
from acreline.report.standing import NowStands, with_standing

Pictures = Mapping[str, FieldPicture | Unseen]


def write_farm_page(
    publication: Path,
    farm_id: str,
    out: Path,
    earlier: Sequence[Path] = (),
    stands: NowStands | None = None,
    pictures: Pictures | None = None,
) -> Path:
    """Write one farm's page as HTML anywhere but in its publication.

    Args:
        publication: folder of a publication; nothing in it is changed.
        farm_id: whose page.
        out: the page.
        earlier: publications of earlier seasons.
        stands: what stands after people acted; None where nobody did.
        pictures: of its parcels, see `render_farm`.

    Raises:
        ConfigError: no such farm, or `out` lies in the publication.
        StoreError: a publication cannot be read, or the file cannot be written.
    """
    check_outside(publication, out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        text = with_standing(render_farm(publication, farm_id, earlier, pictures), stands)
        out.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error
    return out


def write_farm_pdf(
    publication: Path,
    farm_id: str,
    lang: str,
    out: Path,
    earlier: Sequence[Path] = (),
    stands: NowStands | None = None,
    pictures: Pictures | None = None,
) -> Path:
    """Write one farm's page as PDF in one language.

    Args:
        publication: folder of a publication.
        farm_id: whose page.
        lang: `en` or `zh`.
        out: the PDF.
        earlier: publications of earlier seasons.
        stands: what stands after people acted; None where nobody did.
        pictures: of its parcels, see `render_farm`.

    Raises:
        ConfigError: no such farm, a language that is not spoken, the extra is not installed, or `out` lies in the
            publication.
        StoreError: a publication cannot be read, or the file cannot be written.
    """
    if lang not in ("en", "zh"):
        raise ConfigError(f"--lang: {lang!r} is not spoken", hint="en or zh")
    check_outside(publication, out)
    text = one_language(with_standing(render_farm(publication, farm_id, earlier, pictures), stands), lang)
    text = text.replace("</style>", f"{static_text('farm_pdf.css')}</style>", 1)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return write_pdf(text, out)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of the PDF") from error


def one_language(text: str, lang: str) -> str:
    """A farm's page without its other language, which a PDF could not hide in its drawings."""
    other = "en" if lang == "zh" else "zh"
    text = re.sub(rf'<(span|text)\b[^>]*\blang="{other}"[^>]*>.*?</\1>', "", text, flags=re.DOTALL)
    return text.replace('<html lang="en" data-lang="en">', f'<html lang="{lang}" data-lang="{lang}">')


def write_pdf(text: str, path: Path) -> Path:
    """Write a page as PDF.

    Args:
        text: a self-contained page.
        path: the PDF.

    Raises:
        ConfigError: WeasyPrint cannot be loaded.
    """
    try:
        import weasyprint
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:  # OSError: its text library Pango is not there
        raise ConfigError(
            f"a PDF needs WeasyPrint, which cannot be loaded: {error}",
            hint="pip install 'acreline[pdf]', and Pango of your system; or print the HTML page",
        ) from error
    inside = URLFetcher(allowed_protocols=("data",))  # what does not stand in the page itself is not loaded
    weasyprint.HTML(string=text, url_fetcher=inside).write_pdf(path)
    return path
