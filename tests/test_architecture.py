# SPDX-License-Identifier: Apache-2.0
"""The laws of design.md part 4: who may import whom, and what stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pipeline" / "acreline"
GROUND = {"errors", "units", "records", "layers", "config", "hashing", "logs", "geo", "datum", "coverage", "curves"}
GROUND |= {"doors", "tiles", "fetch", "geotiff", "rasters", "cubes", "reflectance", "thermal", "promises"}
GROUND |= {"inversion", "light", "codes", "confounders", "settings", "chain", "retired", "store_files", "privacy"}
GROUND |= {"sheets", "money", "workers"}
STAGES = {"parcels", "search", "weather", "imagery", "model", "looks", "seasons", "health", "events", "growth", "farms"}
STAGES |= {"yields", "credit", "report", "regional", "claims", "prices"}
ALONE = {  # library -> the rooms that own it
    "torch": {"model", "trial"},
    "torchvision": {"model", "trial"},
    "safetensors": {"model", "trial"},
    "sklearn": {"model", "trial"},
    "pystac_client": {"search"},
    "rasterio": {"imagery", "rasters"},
    "exactextract": {"coverage", "geo", "imagery"},
    "filelock": {"store", "decision_log"},
    "typer": {"cli"},
    "planetary_computer": {"search"},
    "zen": {"credit"},
    "psycopg": {"export"},
}
LIGHT = {"records", "yields", "credit", "units", "errors"}
LIGHT_MAY = {"pydantic", "yaml", "zen", *sys.stdlib_module_names, "acreline"}


def _imports(path: Path) -> list[str]:
    """Full dotted names a module imports, at the top and inside functions, but not for type checking only."""
    names: list[str] = []

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            names.append(node.module)
            if node.module == "acreline":
                names.extend(f"acreline.{alias.name}" for alias in node.names if alias.name != "__version__")
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(ast.parse(path.read_text(encoding="utf-8")))
    return names


def _rooms() -> dict[str, list[tuple[Path, str]]]:
    rooms: dict[str, list[tuple[Path, str]]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        rooms.setdefault(room, []).extend((path, name) for name in _imports(path))
    return rooms


ROOMS = _rooms()


def test_every_room_has_a_place() -> None:
    upper = {
        "__init__",
        "run",
        "plan",
        "blocks",
        "pictures",
        "publish",
        "parcel_rows",
        "store",
        "decision_log",
        "lineage",
        "verify",
        "replay",
        "people",
        "person",
        "tables",
        "cli",
        "desk",
        "area",
        "datum_fit",
        "exposure",
        "export",
        "schedules",
        "review",
        "watch",
        "farm_view",
        "freshness",
        "ops",
        "normals",
        "init",
        "inputs",
        "notices",
        "trial",
        "simulate",
        "terminal",
        "__main__",
    }
    assert set(ROOMS) <= GROUND | STAGES | upper, "a new room: say here and in pipeline/README.md where it belongs"


@pytest.mark.parametrize("room", ["model", "ops", "review", "trial", "trial/rivals"])
def test_the_map_of_the_house_names_every_module_of_the_large_rooms(room: str) -> None:
    told = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    modules = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
    assert [name for name in sorted(modules) if f"`{name}`" not in told] == [], "say in pipeline/README.md what it does"


@pytest.mark.parametrize("room", sorted(STAGES & set(ROOMS)))
def test_stages_never_import_each_other(room: str) -> None:
    for path, name in ROOMS[room]:
        if name.startswith("acreline."):
            target = name.split(".")[1]
            assert target in GROUND or target == room, f"{path.name} imports {name}"


@pytest.mark.parametrize("room", sorted(GROUND & set(ROOMS)))
def test_ground_imports_only_ground(room: str) -> None:
    for path, name in ROOMS[room]:
        if name.startswith("acreline."):
            assert name.split(".")[1] in GROUND, f"{path.name} imports {name}"


def test_the_simulator_knows_nothing_of_the_river() -> None:
    """A simulator that called a stage would judge that stage by itself."""
    for path, name in ROOMS["simulate"]:
        if name.startswith("acreline.") and name != "acreline.__version__":
            assert name.split(".")[1] in GROUND | {"simulate"}, f"{path.name} imports {name}"


@pytest.mark.parametrize("library", sorted(ALONE))
def test_each_library_has_its_room(library: str) -> None:
    users = {room for room, names in ROOMS.items() for _, name in names if name.split(".")[0] == library}
    assert users <= ALONE[library]


@pytest.mark.parametrize("room", sorted(LIGHT & set(ROOMS)))
def test_money_never_loads_an_array_library(room: str) -> None:
    for path, name in ROOMS[room]:
        assert name.split(".")[0] in LIGHT_MAY, f"{path.name} imports {name}"
        if name.startswith("acreline."):
            assert name.split(".")[1] in {
                "errors",
                "units",
                "records",
                "config",
                "settings",
                "codes",
                "hashing",
                room,
            }, f"{path.name} imports {name}"


def test_help_loads_nothing_heavy() -> None:
    heavy = ["torch", "numpy", "pandas", "geopandas", "rasterio", "xarray", "pystac", "pystac_client", "pyarrow"]
    heavy += ["shapely", "pydantic"]
    code = (
        "import sys; sys.argv = ['acreline', '--help']\n"
        "from acreline.cli import app\n"
        "try: app()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('LOADED', [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("LOADED []")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_every_file_states_its_licence_and_stays_small(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# SPDX-License-Identifier: Apache-2.0"
    assert len(lines) <= 400, "would two rooms be clearer?"


def test_public_names_are_there() -> None:
    import acreline

    for name in acreline.__all__:
        assert getattr(acreline, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        acreline.nothing  # noqa: B018
