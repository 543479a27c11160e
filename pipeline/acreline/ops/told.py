# SPDX-License-Identifier: Apache-2.0
"""The morning in words: for a terminal, as Markdown, and as a page that loads nothing; English or Chinese."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from acreline.codes import LANGUAGES
from acreline.errors import ConfigError, StoreError
from acreline.ops.changes import Changes, Move
from acreline.ops.disk import spell_bytes
from acreline.ops.morning import EXITS, Morning, RegionNight
from acreline.ops.status import spell_seconds
from acreline.store_files import write_text

_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})")
_HERE = Path(__file__).parent / "templates"
ENDINGS = (".html", ".md")
WIDTH = 600
"""Units of the drawn bar of parcels."""
WORDS = {
    "title": ("The night", "昨夜运行"),
    "run": ("run", "运行"),
    "parcels": ("parcels", "地块"),
    "farms": ("farms", "农户"),
    "in": ("in", "共"),
    "judged": ("judged", "已测定"),
    "abstained": ("too little seen", "依据不足"),
    "failed": ("failed", "失败"),
    "refused": ("refused", "被拒"),
    "approve": ("approved", "批准"),
    "decline": ("declined", "拒绝"),
    "refer": ("to a person", "转人工"),
    "newest": ("newest scene", "最新影像"),
    "clear": ("last clear look", "最近清晰观测"),
    "changed": ("changed", "变化"),
    "money": ("limits moved", "额度变动"),
    "watch": ("new to watch", "新增关注"),
    "disk": ("disk", "磁盘"),
    "alarm": ("alarm", "警报"),
    "none": ("–", "–"),
}


@dataclass(frozen=True)
class Fact:
    """One line of a region: what it is and what it is like."""

    name: str
    text: str
    parts: Sequence[tuple[str, int, str]] = ()
    """(kind, count, words) of a sum that is drawn."""


@dataclass(frozen=True)
class Told:
    """One region in words."""

    name: str
    state: str
    """The alarm's code, or `ok`."""
    alarms: Sequence[tuple[str, str]]
    """Code and words."""
    facts: Sequence[Fact]


def check_lang(lang: str) -> int:
    """0 for English, 1 for Chinese.

    Raises:
        ConfigError: it is neither.
    """
    if lang not in LANGUAGES:
        raise ConfigError(f"language {lang!r} is not spoken", hint=f"one of {', '.join(LANGUAGES)}")
    return int(lang == "zh")


def tell_region(one: RegionNight, zh: int) -> Told:
    """A region's night, fact by fact."""

    def word(name: str) -> str:
        return WORDS[name][zh]

    facts = [Fact(word("run"), _run(one, zh))]
    for kind, counts in (("parcels", one.parcels()), ("farms", one.farms())):
        if counts:
            parts = [(name, count, word(name)) for name, count in counts.items() if name != "in"]
            text = " + ".join(f"{count:,} {words}" for name, count, words in parts if count or name in _ALWAYS)
            facts.append(Fact(word(kind), f"{counts['in']:,} = {text}", [part for part in parts if part[1]]))
    if one.freshness is not None:
        fresh = one.freshness
        day = (f"{fresh.newest_scene}, {fresh.days_since} days before {fresh.as_of}",
               f"{fresh.newest_scene}，距{fresh.as_of}已{fresh.days_since}天")[zh]  # fmt: skip
        facts.append(Fact(word("newest"), day if fresh.newest_scene else word("none")))
        never = (f", {fresh.never_clear} never", f"，{fresh.never_clear}块从未")[zh] if fresh.never_clear else ""
        clear = (f"median {fresh.median_clear}, oldest {fresh.oldest_clear}{never}",
                 f"中位{fresh.median_clear}，最早{fresh.oldest_clear}{never}")[zh]  # fmt: skip
        facts.append(Fact(word("clear"), clear if fresh.median_clear else word("none")))
    facts += [Fact(word(name), text) for name, text in _moved(one, zh)]
    if one.room is not None:
        of = "" if one.room.ceiling_bytes is None else f" / {spell_bytes(one.room.ceiling_bytes, zh=bool(zh))}"
        free = spell_bytes(one.room.free_bytes, zh=bool(zh))
        taken = spell_bytes(one.room.taken_bytes, zh=bool(zh)) + of
        facts.append(Fact(word("disk"), (f"{taken}; {free} free", f"{taken}；剩余{free}")[zh]))
    alarms = [(alarm.code, alarm.words[zh]) for alarm in one.alarms]
    name = one.name if one.root.name == one.name else f"{one.name} ({one.root.name})"
    return Told(name, alarms[0][0] if alarms else "ok", alarms, facts)


_ALWAYS = ("judged", "abstained", "failed", "approve", "refer")


def _run(one: RegionNight, zh: int) -> str:
    night = one.night
    if night is None:
        return ("no run in these hours", "该时段内没有任务")[zh]
    begun = f"{night.started:%H:%M} UTC"
    if night.exit is None:
        return (f"{begun}, not ended", f"{begun}，未结束")[zh]
    said = EXITS.get(night.exit, ("", ""))[zh]
    news = ("published", "已发布")[zh] if one.published else ("nothing new published", "没有新发布")[zh]
    again = (f", {len(one.nights)} runs", f"，共{len(one.nights)}次")[zh] if len(one.nights) > 1 else ""
    took = spell_seconds(one.seconds, zh=bool(zh))
    if zh:
        return f"{begun}，退出码{night.exit}：{said}；{news}；用时{took}{again}"
    return f"{begun}, exit {night.exit}: {said}; {news}; took {took}{again}"


def _moved(one: RegionNight, zh: int) -> list[tuple[str, str]]:
    found = one.changes
    if found is None:
        why = (("nothing to compare with: the first publication, or another season", "首次发布或换季，无从比较")
               if one.published else ("nothing", "无"))[zh]  # fmt: skip
        return [("changed", why)]
    new = [(found.new, ("new", "新增")[zh]), (found.gone, ("gone", "减少")[zh])]
    more = "".join(f"; {count} {word}" for count, word in new if count)
    changed = (
        f"{found.outcomes} outcomes since {found.since}{more}",
        f"自{found.since}起{found.outcomes}户结果不同{more}",
    )[zh]
    watch = _stake(found.watch, found.currency, zh)
    return [("changed", changed), ("money", _money(found, zh)), ("watch", watch)]


def _stake(watch: Move, currency: str, zh: int) -> str:
    amount = f"{watch.money:,.0f} {currency}"
    farms = _count(watch.farms, zh)
    return (f"{farms}, {amount} at stake", f"{farms}，涉及{amount}")[zh] if watch.farms else "0"


def _money(found: Changes, zh: int) -> str:
    kinds = (
        (found.up, ("+{} for {}", "{1}增加{0}")),
        (found.down, ("−{} for {}", "{1}减少{0}")),
        (found.to_person, ("{} of {} to a person", "{1}共{0}转人工")),
        (found.from_person, ("{} for {} back from a person", "{1}共{0}由人工转回")),
    )
    told = [
        words[zh].format(f"{move.money:,.0f} {found.currency}", _count(move.farms, zh))
        for move, words in kinds
        if move.farms
    ]
    return ("; ", "；")[zh].join(told) or "0"


def _count(farms: int, zh: int) -> str:
    return f"{farms:,}户" if zh else "1 farm" if farms == 1 else f"{farms:,} farms"


def headline(morning: Morning, zh: int) -> str:
    """The night in a sentence."""
    count, asking = len(morning.regions), sum(bool(one.alarms) for one in morning.regions)
    ran = sum(one.night is not None for one in morning.regions)
    if not count:
        return ("No region keeps a log of runs here.", "此处没有任何区域的运行记录。")[zh]
    if asking:
        ask = "asks" if asking == 1 else "ask"
        return (f"{asking} of {count} regions {ask} for somebody; {ran} of {count} ran.",
                f"{count}个区域中{asking}个需要处理；{ran}个已运行。")[zh]  # fmt: skip
    every = "The one region" if count == 1 else f"All {count} regions"
    return (f"{every} ran, nothing asks for anybody.", f"{count}个区域全部运行，无需处理。")[zh]


def cards(morning: Morning, zh: int) -> list[tuple[str, str]]:
    """The main numbers, each with what it is."""
    moved = [one.changes for one in morning.regions if one.changes is not None]
    sums: dict[str, list[Decimal]] = {}
    for one in moved:
        sums.setdefault(one.currency, []).append(one.sum_money)
    money = ", ".join(f"{sum(amounts, Decimal(0)):+,.0f} {name}" for name, amounts in sorted(sums.items())) or "0"
    ran = sum(one.night is not None for one in morning.regions)
    return [
        (f"{ran} / {len(morning.regions)}", ("regions ran", "区域已运行")[zh]),
        (str(morning.alarms), ("alarms", "警报")[zh]),
        (f"{sum(one.outcomes for one in moved):,}", ("farms with another outcome", "农户结果不同")[zh]),
        (money, ("limits in sum", "额度合计变动")[zh]),
        (f"{sum(one.watch.farms for one in moved):,}", ("farms new to watch", "户新增关注")[zh]),
        (spell_seconds(sum(one.seconds for one in morning.regions), zh=bool(zh)), ("of work", "总用时")[zh]),
    ]


def _under(morning: Morning, zh: int) -> str:
    at = f"{morning.at:%Y-%m-%d %H:%M} UTC"
    return (f"the {morning.hours} hours to {at}", f"截至{at}的{morning.hours}小时")[zh]


def _silent(morning: Morning, zh: int) -> str:
    names = ", ".join(morning.silent)
    return (f"Not told, for they keep no log of runs: {names}", f"以下文件夹没有运行记录，未列出：{names}")[zh]


def morning_lines(morning: Morning, lang: str = "en") -> list[str]:
    """The night for a terminal.

    Raises:
        ConfigError: the language is neither `en` nor `zh`.
    """
    zh = check_lang(lang)
    lines = [f"{WORDS['title'][zh]}: {_under(morning, zh)}", headline(morning, zh)]
    for told in (tell_region(one, zh) for one in morning.regions):
        lines += ["", told.name]
        lines += [f"  {WORDS['alarm'][zh]} {code}: {words}" for code, words in told.alarms]
        lines += [f"  {fact.name}: {fact.text}" for fact in told.facts]
    return lines + (["", _silent(morning, zh)] if morning.silent else [])


def morning_markdown(morning: Morning, lang: str = "en") -> str:
    """The night as Markdown: a heading a region, its alarms first."""
    zh = check_lang(lang)
    lines = [f"# {WORDS['title'][zh]}", "", _under(morning, zh), "", f"**{headline(morning, zh)}**", ""]
    for told in (tell_region(one, zh) for one in morning.regions):
        lines += [f"## {_plain(told.name)}", ""]
        lines += [f"- **{WORDS['alarm'][zh]} `{code}`**: {_plain(words)}" for code, words in told.alarms]
        lines += [f"- {fact.name}: {_plain(fact.text)}" for fact in told.facts] + [""]
    return "\n".join(lines + ([_plain(_silent(morning, zh)), ""] if morning.silent else []))


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{one}" if one in "\\`*_[]<>|#" else one for one in text)


def morning_page(morning: Morning, lang: str = "en") -> str:
    """The night as a page of its own; same values, same bytes."""
    import jinja2

    zh = check_lang(lang)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["days"] = _days_whole
    style = (_HERE / "morning.css").read_text(encoding="utf-8")
    sha = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("morning.html.j2").render(
        lang=("en", "zh-CN")[zh],
        policy=f"default-src 'none'; style-src 'sha256-{sha}'; base-uri 'none'; form-action 'none'",
        style=style,
        title=WORDS["title"][zh],
        under=_under(morning, zh),
        headline=headline(morning, zh),
        calm=not morning.alarms,
        cards=cards(morning, zh),
        regions=[(told, [(fact, _bar(fact)) for fact in told.facts]) for told in _all(morning, zh)],
        alarm=WORDS["alarm"][zh],
        silent=_silent(morning, zh) if morning.silent else "",
        width=WIDTH,
    )


def _days_whole(text: str) -> Any:
    """Text for the page in which no day is broken over two lines."""
    import markupsafe

    return markupsafe.Markup(_DAY.sub(r'<span class="day">\1</span>', str(markupsafe.escape(text))))  # noqa: S704


def _all(morning: Morning, zh: int) -> list[Told]:
    return [tell_region(one, zh) for one in morning.regions]


def _bar(fact: Fact) -> list[tuple[str, float, float]]:
    """(kind, where it begins, how long it is) of each part of a sum."""
    total, at, drawn = sum(count for _, count, _ in fact.parts), 0.0, []
    for kind, count, _ in fact.parts:
        length = WIDTH * count / total
        drawn.append((kind, round(at, 2), round(length, 2)))
        at += length
    return drawn


def write_morning(morning: Morning, out: Path, lang: str = "en") -> None:
    """Write the night as the ending of the file says, whole or not at all.

    Raises:
        ConfigError: another ending, or a language that is not spoken.
        StoreError: it cannot be written.
    """
    text = check_ending(out)(morning, lang)
    try:
        write_text(out, text)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror}", hint="check the folder of --out") from error


def check_ending(out: Path) -> Callable[[Morning, str], str]:
    """What writes a file of this ending.

    Raises:
        ConfigError: it is neither .html nor .md.
    """
    if out.suffix not in ENDINGS:
        raise ConfigError(f"--out: {out}: neither a page nor Markdown", hint=f"end it in {' or '.join(ENDINGS)}")
    return morning_page if out.suffix == ".html" else morning_markdown
