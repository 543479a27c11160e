# SPDX-License-Identifier: Apache-2.0
"""The run folder under bad luck: whole or absent, one writer, and readers who never see a mixture."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from acreline import store as store_module
from acreline.errors import EXIT_BUSY, EXIT_STORE, BusyError, StoreError
from acreline.layers import SceneNote
from acreline.store import PART_FILES, Part, Store, open_publication, read_manifest, verify_publication
from tests.made_looks import MAIZE, made_block, made_looks, made_maps

KEY = "0123456789abcdef"
NOTES = (SceneNote("s1", "b", "used", "", (400, 1, 2, 3)), SceneNote("s2", "b", "unreadable", "B11: 土", (0, 0, 0, 0)))
CLASSES = {
    "crop": {"0": ["unknown", "#9e9e9e"], "1": ["maize", "#e3a72f"]},
    "health": {"0": ["unknown", "#9e9e9e"], "1": ["normal", "#4d9221"]},
}


def save(store: Store, key: str = KEY) -> Part:
    looks = made_looks({"p1": MAIZE}, [date(2018, 6, 1), date(2018, 7, 1)])
    maps = made_maps({"maize": [[0, -9], [-5, 0]]}, {"normal": 0})
    block = made_block({"p1": {(0, 0): 10_000}}, 2, 2)
    return store.save_block(key, block, looks, maps, NOTES, CLASSES)


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "out")


def publish(store: Store, **files: str) -> Path:
    with store.staging() as staging:
        (staging / "maps").mkdir()
        for name, text in files.items():
            (staging / "maps" / name).write_text(text, encoding="utf-8")
        return store.publish(staging, {"region": "r"})


# --- parts -----------------------------------------------------------------------------------------------------------
def test_a_saved_part_is_found_again_as_it_was(store: Store) -> None:
    saved = save(store)
    assert store.part(KEY) == saved
    (looks,) = store.looks([saved])
    assert looks.passes["parcel_id"].tolist() == ["p1", "p1"]
    assert store.part("f" * 16) is None


def test_saving_twice_gives_one_part_with_the_same_bytes(store: Store) -> None:
    first = content(save(store).path)
    assert content(save(store).path) == first
    assert [p.name for p in (store.root / "parts").iterdir()] == [KEY]


@pytest.mark.parametrize("name", [*PART_FILES, "crop.tif", "health.tif", "part.json"])
def test_one_flipped_byte_and_the_part_is_not_used(store: Store, name: str) -> None:
    path = save(store).path / name
    raw = bytearray(path.read_bytes())
    at = raw.index(b"400") if name == "part.json" else len(raw) // 2  # a count of pixels: still good JSON
    raw[at] ^= 1
    path.write_bytes(raw)
    assert store.part(KEY) is None
    assert not (store.root / "parts" / KEY).exists()
    assert store.part(save(store).key) is not None


@pytest.mark.parametrize("left", ["", "{", "[]", "3", "{}", '{"files": {}, "seal": 1}', b"\xff\xfe{"])
def test_a_part_whose_head_was_cut_is_made_again(store: Store, left: str | bytes) -> None:
    head = save(store).path / "part.json"
    head.write_bytes(left if isinstance(left, bytes) else left.encode())
    assert store.part(KEY) is None
    assert store.part(save(store).key) is not None


@pytest.mark.parametrize("name", [PART_FILES[0], "part.json"])
def test_a_part_without_one_of_its_files_is_not_used(store: Store, name: str) -> None:
    (save(store).path / name).unlink()
    assert store.part(KEY) is None


def test_what_a_killed_run_left_half_made_is_not_seen_and_goes_with_the_next_run(store: Store) -> None:
    part = save(store)
    lefts = [store.root / "parts" / f".{KEY}-dead", store.root / "publications" / ".staging-dead"]
    for left in lefts:
        shutil.copytree(part.path, left)
    (store.root / ".latest-dead").symlink_to("publications/none")
    assert store.part(KEY) == part
    assert store.latest is None
    with store.locked("r1", "now"):
        assert not any(left.exists() for left in lefts)
        assert not (store.root / ".latest-dead").is_symlink()
    assert store.part(KEY) == part


# --- trouble with the disk -------------------------------------------------------------------------------------------
def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("what", ["acreline.tables.write_table", "acreline.rasters.write_cog", "os.fsync"])
def test_a_full_disk_is_told_with_the_space_there_is(store: Store, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(what, full)
        with pytest.raises(StoreError, match=r"No space left on device.*\d+ MB free") as caught:
            save(store)
    assert caught.value.exit_code == EXIT_STORE
    assert "run again" in caught.value.hint
    assert list((store.root / "parts").iterdir()) == []
    assert store.part(save(store).key) is not None


def test_a_real_write_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    """A limit on the size of files stands for the small disk; GDAL and Arrow meet it in their own ways."""
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from acreline.store import Store; from acreline.errors import StoreError; from tests.test_store import save\n"
        "out = Store(Path(sys.argv[1])); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "for size in (300, 3000, 9000):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))\n"
        "    try: save(out)\n"
        "    except StoreError as error: print(size, error, [p.name for p in (out.root / 'parts').iterdir()])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "print(out.part(save(out).key) is not None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert told[-1] == "True"
    assert len(told) >= 2
    assert all("MB free" in line and line.endswith("[]") for line in told[:-1])


@pytest.mark.parametrize("inside", ["", "out/parts"])
def test_a_file_where_a_folder_should_be(tmp_path: Path, inside: str) -> None:
    place = tmp_path / (inside or "out")
    place.parent.mkdir(exist_ok=True)
    place.write_text("I was here first")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        Store(tmp_path / "out")
    assert "--out" in caught.value.hint


def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)  # root may write anywhere, so the refusal is made up
    with pytest.raises(StoreError, match="out: cannot be written: Permission denied"):
        Store(tmp_path / "out")


def test_a_file_under_the_final_name_of_a_part(store: Store) -> None:
    (store.root / "parts" / KEY).write_text("not a folder")
    assert store.part(KEY) is None
    with pytest.raises(StoreError, match="cannot be written"):
        save(store)
    assert [p.name for p in (store.root / "parts").iterdir()] == [KEY]


def test_a_full_disk_while_publishing_leaves_the_old_publication(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    old = publish(store, a="1")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StoreError, match="MB free"):
            publish(store, a="2")
    assert store.latest == old
    assert [p.name for p in (store.root / "publications").iterdir()] == [old.name]
    shutil.rmtree(store.root / "publications")
    with pytest.raises(StoreError, match="cannot be written"), store.staging():
        pass


# --- publications ----------------------------------------------------------------------------------------------------
def test_latest_is_a_relative_link_so_a_run_folder_can_be_moved(store: Store, tmp_path: Path) -> None:
    assert store.latest is None
    assert store.manifest() is None
    one = publish(store, a="1")
    assert (store.root / "latest").readlink() == Path("publications") / one.name
    store.root.rename(tmp_path / "moved")
    assert verify_publication(open_publication(tmp_path / "moved")) == []


def test_the_same_content_twice_is_one_publication(store: Store) -> None:
    one = publish(store, a="1")
    assert publish(store, a="2") != one
    before = content(one)
    assert publish(store, a="1") == one == store.latest
    assert content(one) == before
    assert len(list((store.root / "publications").iterdir())) == 2


def test_publishing_again_mends_what_was_edited(store: Store) -> None:
    one = publish(store, a="1", b="2")
    before = content(one)
    (one / "maps" / "a").write_text("9")
    (one / "maps" / "b").unlink()
    (one / "notes.txt").write_text("mine")
    assert publish(store, a="1", b="2") == one
    assert content(one) == before


def test_a_reader_never_finds_a_missing_or_mixed_version(store: Store) -> None:
    publish(store, a="0", b="0")
    seen, faults, stop = set[str](), list[str](), threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                here = open_publication(store.root)
                a, b = ((here / "maps" / name).read_text() for name in "ab")
                manifest = read_manifest(here)
            except Exception as error:  # noqa: BLE001 - whatever a reader meets is a fault
                faults.append(repr(error))
                return
            seen.add(a)
            if a != b or manifest["publication_id"] != here.name:
                faults.append(f"{a} {b} {here.name}")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(40):
            publish(store, a=str(number % 7), b=str(number % 7))
    finally:
        stop.set()
        reader.join(timeout=10)
    assert faults == []
    assert len(seen) > 1


EDITS: list[tuple[Callable[[Path], Any], list[str]]] = [
    (lambda p: (p / "maps/a").write_text("9"), ["changed: maps/a"]),
    (lambda p: (p / "maps/a").unlink(), ["missing: maps/a"]),
    (lambda p: (p / "maps/c").write_text(""), ["extra: maps/c"]),
    (lambda p: (p / "maps/manifest.json").write_text("{}"), ["extra: maps/manifest.json"]),
    (lambda p: edit(p, region="other"), ["changed: manifest.json"]),
    (lambda p: edit(p, files={}), ["extra: maps/a", "extra: maps/b", "changed: manifest.json"]),
]


def edit(publication: Path, **values: Any) -> None:
    path = publication / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(("change", "found"), EDITS)
def test_later_edits_are_found(store: Store, change: Callable[[Path], Any], found: list[str]) -> None:
    publication = publish(store, a="1", b="2")
    assert verify_publication(publication) == []
    change(publication)
    assert verify_publication(publication) == found


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": {}}', '{"files": 3, "publication_id": "x"}'])
def test_a_manifest_that_is_none_is_refused(store: Store, text: str) -> None:
    publication = publish(store, a="1")
    (publication / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match=r"manifest\.json"):
        verify_publication(publication)


def test_a_place_without_a_publication(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("publications/gone")
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StoreError, match="no publication here"):
            open_publication(place)
    assert Store(tmp_path).latest is None


# --- one writer ------------------------------------------------------------------------------------------------------
def test_a_second_run_is_told_who_holds_the_region(store: Store) -> None:
    with store.locked("run-a", "2018-12-15T02:30:00+00:00"):
        second = Store(store.root)
        with pytest.raises(BusyError, match="run-a, started 2018-12-15T02:30") as caught, second.locked("run-b", "x"):
            pass
        assert caught.value.exit_code == EXIT_BUSY
        assert store_module._holder(store.root / "log" / "holder.json").startswith("run run-a")
    with store.locked("run-c", "later"):
        pass


def test_an_error_or_an_interruption_frees_the_lock(store: Store) -> None:
    for trouble in (ValueError, KeyboardInterrupt):
        with pytest.raises(trouble), store.locked("run-a", "now"):
            raise trouble
        assert not (store.root / "log" / "holder.json").exists()


def test_the_lock_of_a_killed_process_is_free(store: Store) -> None:
    script = (
        "import sys, time; from pathlib import Path; from acreline.store import Store\n"
        "with Store(Path(sys.argv[1])).locked('victim', 'long ago'): print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(store.root)], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "held\n"
            with pytest.raises(BusyError, match="victim"), store.locked("next", "now"):
                pass
        finally:
            child.send_signal(signal.SIGKILL)
    assert (store.root / "log" / "holder.json").exists()  # stale, and harmless
    with store.locked("next", "now"):
        assert "next" in (store.root / "log" / "holder.json").read_text()


@pytest.mark.parametrize("text", ["", "[]", "{}", "3"])
def test_a_holder_that_has_not_yet_signed(store: Store, text: str) -> None:
    with store.locked("run-a", "now"):
        (store.root / "log" / "holder.json").write_text(text)
        with pytest.raises(BusyError, match="just started"), Store(store.root).locked("run-b", "now"):
            pass


def test_a_lock_that_cannot_be_made(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StoreError, match="MB free"), store.locked("run-a", "now"):
            pass
    (store.root / "lock").unlink(missing_ok=True)
    (store.root / "lock").mkdir()
    with pytest.raises(StoreError, match="cannot be written"), store.locked("run-a", "now"):
        pass
