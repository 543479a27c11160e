# SPDX-License-Identifier: Apache-2.0
"""Log lines: one line each, in UTC, and never a secret in them."""

from __future__ import annotations

import json
import logging
import re
import sys
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from acreline.logs import configure_logs, progress_bar, redact

SIGNED = "https://store.example/B08.tif?se=2018&sig=SECRET"
LINE = re.compile(
    r"timestamp=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z level=\w+ event=(\"(?:[^\"\\]|\\.)*\"|\S+)( \w+=.*)*"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SIGNED, "https://store.example/B08.tif?..."),
        (f"GET {SIGNED} failed: '{SIGNED}'", "GET https://store.example/B08.tif?... failed: "),
        (f"/vsicurl/{SIGNED}", "/vsicurl/https://store.example/B08.tif?..."),
        ("HTTPS://X.EXAMPLE/a?sig=SECRET", "HTTPS://X.EXAMPLE/a?..."),
        ("s3://bucket/key?X-Amz-Signature=SECRET", "s3://bucket/key?..."),
        ("https://user:SECRET@host.example/a?b", "https://...@host.example/a?..."),
        ("postgresql://me:SECRET@host.example:5432/bank failed", "postgresql://...@host.example:5432/bank failed"),
        ("postgres://me:my@SECRET/x@host/bank", "postgres://...@host/bank"),
        ("postgresql://host/bank?password=SECRET&sslmode=require", "postgresql://host/bank?..."),
        ("host=a password='my SECRET' dbname=b", "host=a password=... dbname=b"),
        ("PGPASSWORD=SECRET password = SECRET user=me", "PGPASSWORD=... password = ... user=me"),
        ("is it https://host.example/a or not?", "is it https://host.example/a or not?"),
    ],
)
def test_an_address_is_told_without_its_secrets(text: str, told: str) -> None:
    assert redact(text).startswith(told)
    assert "SECRET" not in redact(text)


def speak() -> None:
    """Every way a signed address may come into a log line."""
    log = structlog.get_logger("acreline.made")
    log.info(f"read {SIGNED}", href=SIGNED, hrefs=[SIGNED], by={"B08": SIGNED}, error=OSError(SIGNED), count=3)
    try:
        raise OSError(f"no {SIGNED}")
    except OSError:
        log.exception("failed")
        logging.getLogger("urllib3").warning("Retrying %s", SIGNED, exc_info=True)
    logging.getLogger("urllib3").info("headers of %s", SIGNED)


@pytest.mark.parametrize("plain", [True, False])
def test_no_secret_reaches_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], plain: bool) -> None:
    configure_logs(plain=plain, verbose=True, file=tmp_path / "run.jsonl")
    speak()
    told, kept = capsys.readouterr().err, (tmp_path / "run.jsonl").read_text(encoding="utf-8")
    for text in (told, kept):
        assert "SECRET" not in text
        assert text.count("https://store.example/B08.tif") >= 7
    assert "\x1b[" not in told


def test_plain_lines_are_one_line_each_in_utc(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    configure_logs(plain=True)
    structlog.contextvars.bind_contextvars(region="flanders-2018")
    log = structlog.get_logger("acreline.made")
    log.info("two\nlines", what='a "quoted" word', zh="土豆", nothing=None)
    log.debug("not told")
    speak()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    for line in lines:
        assert LINE.fullmatch(line), line
        assert "region=flanders-2018" in line
    assert 'what="a \\"quoted\\" word"' in lines[0]
    assert "土豆" in lines[0]


def test_the_file_holds_json_lines_of_all_libraries(tmp_path: Path) -> None:
    for _ in range(2):  # a second run adds to the folder, never twice to a line
        configure_logs(plain=True, file=tmp_path / "run.jsonl")
    structlog.get_logger("acreline.made").warning("scene set aside", scene="土", share=0.5, made=("a", "b"))
    logging.getLogger("somelibrary").warning("CPLE_%s", "AppDefined")
    logging.getLogger("somelibrary").info("quiet")
    logging.getLogger("acreline.search").info("spoken")
    rows = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["event"], row["level"], row["logger"]) for row in rows] == [
        ("scene set aside", "warning", "acreline.made"),
        ("CPLE_AppDefined", "warning", "somelibrary"),
        ("spoken", "info", "acreline.search"),
    ]
    assert (rows[0]["share"], rows[0]["made"], rows[0]["scene"]) == (0.5, ["a", "b"], "土")
    assert all(row["timestamp"].endswith("Z") for row in rows)


@pytest.mark.parametrize(("verbose", "told"), [(False, 0), (True, 1)])
def test_debug_lines_are_for_those_who_ask(capsys: pytest.CaptureFixture[str], verbose: bool, told: int) -> None:
    configure_logs(plain=True, verbose=verbose)
    structlog.get_logger("acreline.made").debug("detail")
    logging.getLogger("urllib3").debug("headers")
    assert len(capsys.readouterr().err.splitlines()) == told


def test_colours_are_for_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    configure_logs(plain=False)
    structlog.get_logger("acreline.made").warning("look")
    assert "\x1b[" in capsys.readouterr().err


def test_without_a_terminal_progress_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("acreline.logs.time.monotonic", lambda: now[0])
    with capture_logs() as lines, progress_bar(shown=False, every_s=5) as tell:
        for step in range(1, 13):
            now[0] += 1
            tell(step, 12, f"step {step}")
    assert [line["done"] for line in lines] == [1, 6, 11, 12]
    assert lines[0] == {"event": "progress", "done": 1, "of": 12, "what": "step 1", "log_level": "info"}
    with capture_logs() as lines, progress_bar(shown=False) as tell:
        for step in range(3):
            tell(step, 12, "")
    assert len(lines) == 3
