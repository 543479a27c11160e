# SPDX-License-Identifier: Apache-2.0
"""The documentation as a site that needs no network: `python docs/build.py [--out runs/docs] [--pages-only]`.

Guide and decisions are Markdown as they lie here. The reference is made from the docstrings of the public names, with
an example a page that runs on the demo region; what it prints stands below it. Needs the extra `docs`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
import yaml
from examples_run import Printed, run_examples

import acreline

HERE = Path(__file__).parent
REPO = HERE.parent
FENCE = re.compile(r"^(```sh)[ a-z]+$", re.MULTILINE)
"""A shell block with words for the tests that run it."""
WIDEST = 76


def main() -> None:
    """Write the pages, then the site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=REPO / "runs" / "docs")
    parser.add_argument("--pages-only", action="store_true", help="Markdown alone, no site")
    asked = parser.parse_args()
    out = asked.out.resolve()
    pages = out / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(HERE, pages, ignore=lambda _, names: [name for name in names if not _is_page(name)])
    shutil.copy(REPO / "README.md", pages / "index.md")
    shutil.copy(REPO / "CHANGELOG.md", pages / "changelog.md")
    shutil.copy(REPO / "benchmarks" / "README.md", pages / "figures.md")
    for page in pages.rglob("*.md"):
        page.write_text(FENCE.sub(r"\1", page.read_text(encoding="utf-8")), encoding="utf-8")
    write_reference(pages / "reference", run_examples(out / "work"))
    settings = site_settings(pages, out / "site")
    (out / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    if not asked.pages_only:
        command = [sys.executable, "-m", "zensical", "build", "--clean", "--config-file", str(out / "mkdocs.yml")]
        subprocess.run(command, check=True)
    print(out / ("pages" if asked.pages_only else "site") / "index.html")


def _is_page(name: str) -> bool:
    return name in ("guide", "decisions") or name.endswith((".md", ".css", ".png", ".svg"))


def site_settings(pages: Path, site: Path) -> dict[str, Any]:
    """Settings of the site: every page stands in the menu, nothing is loaded from elsewhere."""
    guide = [f"guide/{path.name}" for path in sorted((pages / "guide").glob("*.md"))]
    told = [
        path.name for path in sorted(pages.glob("*.md")) if path.name not in ("index.md", "changelog.md", "figures.md")
    ]
    decisions = [f"decisions/{path.name}" for path in sorted((pages / "decisions").glob("*.md"))]
    reference = [f"reference/{path.name}" for path in sorted((pages / "reference").glob("*.md"))]
    return {
        "site_name": "acreline",
        "docs_dir": "pages",
        "site_dir": site.name,
        "use_directory_urls": False,
        "extra_css": ["pages.css"],
        "theme": {"name": "material", "font": False, "features": ["navigation.indexes", "content.code.copy"]},
        "nav": [
            {"acreline": "index.md"},
            {"Guide": guide + told},
            {"Reference": reference},
            {"Figures": "figures.md"},
            {"Decisions": decisions},
            {"Changes": "changelog.md"},
        ],
    }


# --- reference ----------------------------------------------------------------------------------------------------
def write_reference(folder: Path, printed: dict[str, Printed]) -> None:
    """One page for each module that has public names, in the order of the river."""
    folder.mkdir(parents=True, exist_ok=True)
    package = griffe.load("acreline", search_paths=[str(REPO / "pipeline")], resolve_aliases=True)
    for number, module in enumerate(dict.fromkeys(acreline._HOME.values()), start=1):
        names = [name for name, home in acreline._HOME.items() if home == module]
        lines = [f"# {module}", "", package[module].docstring.value if package[module].docstring else "", ""]
        for name in names:
            lines += describe(name, package[module][name])
        lines += ["## Example", "", "Runs on the demo region, and goes on from the pages before."]
        lines += ["", "```python", printed[module].source.strip(), "```", "", "prints", ""]
        lines += ["```text", printed[module].output.rstrip(), "```", ""]
        (folder / f"{number:02d}-{module}.md").write_text("\n".join(lines), encoding="utf-8")


def describe(name: str, thing: Any) -> list[str]:
    """A name's signature and the parts of its docstring as Markdown."""
    thing = thing.final_target if thing.is_alias else thing
    lines = [f"## `{name}`", "", "```python", _signature(name, thing), "```", ""]
    if thing.docstring is None:
        return lines
    for part in thing.docstring.parse("google"):
        lines += [*_part(part), ""]
    for member in _members(thing):
        lines += [f"### `{name}.{member.name}`", "", member.docstring.value, ""]
    return lines


def _members(thing: Any) -> Iterator[Any]:
    """Public methods and properties of a class, in the order of the file."""
    if thing.kind is griffe.Kind.CLASS:
        yield from (one for key, one in thing.members.items() if not key.startswith("_") and one.docstring)


def _signature(name: str, thing: Any) -> str:
    if thing.kind is griffe.Kind.CLASS:
        return f"class {name}"
    marked, parts = False, []
    for one in thing.parameters:
        if one.kind is griffe.ParameterKind.keyword_only and not marked:
            marked = True
            parts.append("*")
        parts.append(f"{one.name}: {one.annotation}" + (f" = {one.default}" if one.default is not None else ""))
    plain = f"{name}({', '.join(parts)}) -> {thing.returns}"
    if len(plain) <= WIDEST:
        return plain
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f") -> {thing.returns}"


def _part(part: Any) -> list[str]:
    kind = part.kind.value
    if kind == "text":
        return [part.value]
    if kind in ("parameters", "attributes"):
        rows = [f"| `{one.name}` | {_cell(one.description)} |" for one in part.value]
        return ["| argument | |", "| --- | --- |", *rows]
    if kind in ("returns", "yields"):
        return [f"**{kind.capitalize()}** " + " ".join(one.description for one in part.value)]
    if kind == "raises":
        return [f"**Raises** `{one.annotation}`: {one.description}\n" for one in part.value]
    return [str(getattr(part, "title", None) or kind), "", str(getattr(part.value, "contents", part.value))]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
