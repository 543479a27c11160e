# SPDX-License-Identifier: Apache-2.0
"""One self-contained page of a publication: no network, no server, opened from a folder or a mail.

Scripts and styles are named by their hashes in the page's own content policy, so nothing else can run in it, whatever a
farm is called; all text goes through the template's escaping or the script's `textContent`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from acreline.errors import ConfigError, ContractError, StoreError
from acreline.report.portfolio import (
    open_cases,
    pack,
    read_cases,
    read_watch,
    split_details,
    tell_queues,
    tell_standing,
)
from acreline.report.read import Row, read_manifest, read_rows
from acreline.report.standing import NowStands, PeopleActs
from acreline.report.tell import tell_page
from acreline.report.unbroken import unbroken
from acreline.report.words import word

if TYPE_CHECKING:
    import jinja2

_HERE = Path(__file__).parent
_SCRIPTS = (
    "text.js", "details.js", "curve.js", "map.js", "filters.js", "table.js", "counts.js", "queues.js", "overview.js",
    "farm.js", "page.js",
)  # fmt: skip
_LEAFLET_LINK = 'href="https://leafletjs.com"'
"""Leaflet's own attribution would link to the net; the page turns that control off and names Leaflet in its foot."""


def write_map_page(publication: Path) -> Path:
    """Write the page on which a credit officer sees fields, evidence and limits, and the way from one to the other.

    Args:
        publication: folder of a publication, finished or still being staged (its manifest.json must be there).

    Returns:
        the page, `report/index.html` in the publication. Same publication, same bytes.

    Raises:
        StoreError: a file of the publication is missing or cannot be read.
    """
    page = publication / "report" / "index.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text(render_page(publication), encoding="utf-8", newline="\n")
    return page


def write_portfolio(
    publication: Path,
    out: Path,
    *,
    watch: Path | None = None,
    cases: Path | None = None,
    asks: Path | None = None,
    people: PeopleActs | None = None,
) -> Path:
    """Write the map page of a publication again, with what people did on its farms and with its queues.

    Args:
        publication: folder of a publication; nothing in it is changed.
        out: the page, anywhere but in the publication; its links lead to the farms' pages of the publication.
        watch: a list of `acreline watch --out`.
        cases: open appeals as a JSON list, see `portfolio.read_cases`; None: those of `people`.
        asks: what is asked for, a list of `acreline asks --out`; None: those of `people`.
        people: what people did; None where nobody can know, and the page says so.

    Raises:
        ConfigError: `out` lies in the publication.
        InputError: a list is missing or is not what it should be.
        StoreError: a file of the publication cannot be read, or the page cannot be written.
    """
    check_outside(publication, out)
    base = quote(Path(os.path.relpath(publication.resolve() / "report", out.resolve().parent)).as_posix()) + "/"
    worse = None if watch is None else read_watch(watch)
    known = (None, None) if people is None else (open_cases(people.cases), open_cases(people.asks))
    appeals, asked = (own if path is None else read_cases(path) for path, own in zip((cases, asks), known, strict=True))
    stands = None if people is None else people.stands
    text = render_page(publication, watch=worse, cases=appeals, asks=asked, base=base, stands=stands)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error
    return out


def check_outside(publication: Path, out: Path) -> None:
    """Raises `ConfigError` where a page would be written into a publication, which stays as it is."""
    if out.resolve().is_relative_to(publication.resolve()):
        raise ConfigError(f"{out} lies in a publication, which stays as it is", hint="give another place")


def render_page(
    publication: Path,
    *,
    watch: Sequence[Row] | None = None,
    cases: Sequence[Row] | None = None,
    asks: Sequence[Row] | None = None,
    base: str = "",
    stands: Mapping[str, NowStands] | None = None,
) -> str:
    """The text of the page; see `write_map_page`.

    Args:
        publication: folder of a publication.
        watch: farms to watch, from `portfolio.read_watch`; None where no list was made.
        cases: open appeals, from `portfolio.read_cases`; None where nobody can know.
        asks: what is asked for, from the same.
        base: the way from the page's folder to `report/` of the publication, empty or ending in a slash.
        stands: what stands after people acted, by farm; None where nobody can know.
    """
    told = tell_standing(tell_page(publication), stands)
    told["queues"] = tell_queues(told["farms"], watch, cases, asks)
    told["base"] = base
    return render_told(told, read_manifest(publication), read_rows(publication, "scenes"))


def render_told(told: Row, manifest: Mapping[str, Any], scenes: list[Row]) -> str:
    """The text of the page from what it tells: see `tell_page` and `tell_standing`, with `queues` and `base`."""
    leaflet, script, style = _leaflet_script(), _script(), _style()
    lean, chunks = split_details(told)
    return template("page.html.j2").render(
        policy=content_policy([leaflet, script], style),
        style=style,
        leaflet=leaflet,
        script=script,
        data=script_json(lean),
        details=[pack(chunk) for chunk in chunks],
        told=told,
        region=str(manifest.get("region")),
        season=told["season"],
        as_of=manifest.get("as_of"),
        simulated=bool(manifest.get("simulated")),
        heads=list(page_heads(manifest)),
        notices=[two_languages(notice) for notice in manifest.get("notices") or []],
        scenes=_scenes(scenes),
        counts=list(_flat({"counts": manifest.get("counts"), "search": manifest.get("completeness")})),
        inputs=list(_flat({name: manifest.get(name) for name in ("code", "model", "policy", "provider", "inputs")})),
        failed_blocks=sorted((manifest.get("failed_blocks") or {}).items()),
        licence=(_HERE / "static" / "leaflet" / "LICENSE").read_text(encoding="utf-8"),
    )


def template(name: str) -> jinja2.Template:
    """A page's template: all that enters it is escaped, and a name it does not know is an error."""
    import jinja2
    from markupsafe import Markup, escape

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["word"] = word
    environment.filters["unbroken"] = lambda text: Markup(unbroken(str(escape(text))))  # noqa: S704 (escaped)
    return environment.get_template(name)


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: no character of it can end the element or open another."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def content_policy(scripts: list[str], style: str) -> str:
    """A content security policy that lets exactly these inline scripts and this style work, and nothing be loaded."""
    allowed = " ".join(_source_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_source_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _source_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def static_text(name: str) -> str:
    """A style or script as it stands inside its element. Raises `ContractError` where it would end that element."""
    text = (_HERE / "static" / name).read_text(encoding="utf-8")
    if "</script" in text.lower() or "</style" in text.lower():
        raise ContractError(f"{name} would end its own element", hint="write the closing tag in two pieces")
    return text


def _leaflet_script() -> str:
    text = static_text("leaflet/leaflet.js")
    body, _, _ = text.partition("//# sourceMappingURL")
    return body.replace(_LEAFLET_LINK, "").strip()


def _script() -> str:
    parts = "\n".join(static_text(name) for name in _SCRIPTS)
    return f'(function () {{\n"use strict";\n{parts}\n}})();'


def _style() -> str:
    # Pictures of controls that the page does not use; without them nothing asks for a file.
    lines = [line for line in static_text("leaflet/leaflet.css").splitlines() if "url(" not in line]
    return "\n".join(lines) + "\n" + static_text("page.css")


def two_languages(notice: Any) -> list[str]:
    """English and Chinese of a notice: a mapping with `en` and `zh`, a pair, or one text for both."""
    if isinstance(notice, Mapping):
        return [str(notice["en"]), str(notice["zh"])]
    if isinstance(notice, list | tuple):
        return [str(notice[0]), str(notice[-1])]
    return [str(notice), str(notice)]


def page_heads(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Model and policy for the head of the page: English label, Chinese label, name, what stands below it."""
    for key, en, zh in (("model", "Model", "模型"), ("policy", "Policy", "政策")):
        value = manifest.get(key)
        if isinstance(value, Mapping):
            name = str(value.get("name") or value.get("id") or "")
            yield en, zh, name, str(value.get("title") or value.get("version") or "")
        elif value is not None:
            yield en, zh, str(value), ""


def _scenes(rows: list[Row]) -> dict[str, Any]:
    """Scenes for the foot of the page: how many used, the others by reason, and the years for the attribution."""
    used = [row for row in rows if row["status"] == "used"]
    others = [{**row, "why": row["reason"] or row["status"]} for row in rows if row["status"] != "used"]
    why = Counter(row["why"] for row in others)
    years = sorted({row["time"][:4] for row in used if row["time"]})
    return {
        "found": len(rows),
        "used": len(used),
        "passes": len({row["pass_id"] for row in used}),
        "others": sorted(others, key=lambda row: (row["time"] or "", row["scene_id"])),
        "why": sorted(why.items(), key=lambda item: (-item[1], item[0])),
        "years": years[0] if len(years) == 1 else f"{years[0]}–{years[-1]}" if years else "",
        "first": min((row["time"] for row in used), default=None),
        "last": max((row["time"] for row in used), default=None),
    }


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as rows of (dotted name, printed value), sorted by name; what is empty is left out."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _flat(value[key], f"{name}.{key}" if name else str(key))
    elif value is not None:
        yield name, str(value)
