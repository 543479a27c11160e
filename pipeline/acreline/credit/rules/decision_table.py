# SPDX-License-Identifier: Apache-2.0
"""A bank's own decision table (JDM, as GoRules' editor writes it) gives a cap or a referral, like any other rule."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, model_validator

from acreline.config import Settings
from acreline.credit.contract import Rule, RuleContext, Words, make_step
from acreline.credit.facts import MOST_MONEY, Shown, lowest, show_money
from acreline.credit.features import FEATURES, find_features
from acreline.credit.words import measured_words
from acreline.errors import ConfigError
from acreline.records import Farm, Step

NAME = "decision_table"
NODES = {"inputNode", "outputNode", "decisionTableNode"}
"""Nodes that only look things up; a table that runs code of its own cannot be read by an officer, and is refused."""
OUTPUTS = {"cap", "refer"}
KEYWORDS = {"and", "or", "not", "in", "true", "false", "null"}
FUNCTIONS = {"len", "contains", "startsWith", "min", "max", "abs", "floor", "ceil", "some", "all", "none"}
"""No clock and no chance: the same farm gives the same answer."""
REASONS: dict[str, Words] = {
    "decision_table": (
        "The limit is the amount of the bank's table for a farm like yours.",
        "额度为银行规则表中与您情况对应的金额。",
    ),
    "table_refers": measured_words("table_refers"),
    "table_without_row": measured_words("table_without_row"),
}
ACTIONS: dict[str, Words] = {
    "decision_table": (
        "Ask at the office which line of the table is yours and what would move you to another.",
        "可向办理网点询问您对应规则表的哪一行，以及如何可转到其他行。",
    ),
}
CAP: Words = ("The bank's table gives {cap} for a farm like yours.", "银行规则表对您这类情况给出的金额为{cap}。")


class DecisionTableSettings(Settings):
    """Where the table is, and what it said when the policy was compiled."""

    table: str = Field(description="JDM file (JSON), counted from the policy file; it gives cap, or refer: true")
    sha256: str | None = Field(None, description="hash of that file; given, another content is refused")
    content: str = Field("", description="text of the file: left out in a policy file, filled when it is compiled")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, raw: Any, info: ValidationInfo) -> Any:
        if not isinstance(raw, Mapping) or not isinstance(raw.get("table"), str):
            return raw
        content = raw.get("content") or _read_file((info.context or {}).get("base", Path()) / raw["table"])
        digest = hashlib.sha256(content.encode("utf-8")).hexdigest()
        if raw.get("sha256") not in (None, digest):
            raise ConfigError(
                f"decision_table: {raw['table']} has the hash {digest}, the policy names {raw['sha256']}",
                hint="the table was changed after the policy was signed: sign a new policy, or bring the table back",
            )
        _check_table(content, raw["table"])
        return {**raw, "content": content, "sha256": digest}


def apply(farm: Farm, limit: Decimal | None, settings: DecisionTableSettings, context: RuleContext) -> Step:
    """Cap the limit at the table's `cap`; refer where it says `refer`, has no row, or gives no amount of money.

    The table sees the published features only (`credit/features.py`), as plain numbers and words.
    """
    result = _load(settings.content).evaluate(find_features(farm, limit, context))["result"]
    facts = {"table": Shown(*[f"{settings.table} {(settings.sha256 or '')[:12]}"] * 2)}
    if result.get("refer") is True:
        return make_step(NAME, "table_refers", limit, limit, REASONS["table_refers"], facts, outcome="refer")
    cap = _money(result.get("cap"))
    if cap is None:
        return make_step(NAME, "table_without_row", limit, None, REASONS["table_without_row"], facts, outcome="refer")
    facts["cap"] = show_money(cap, context.currency)
    return make_step(NAME, NAME, limit, lowest(limit, cap), CAP, facts)


def _money(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= MOST_MONEY else None


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"decision_table: {path}: cannot be read: {error}", hint="the path counts from the policy file"
        ) from error


def _check_table(content: str, name: str) -> None:
    """Refuse what is no table, runs code, or asks for anything but the published features."""
    try:
        nodes = json.loads(content)["nodes"]
        kinds = {str(node["type"]) for node in nodes}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"decision_table: {name}: not a JDM file: {error!r}", hint="save it from the editor"
        ) from error
    if kinds - NODES:
        raise ConfigError(
            f"decision_table: {name}: node {min(kinds - NODES)!r} is not taken",
            hint=f"only {', '.join(sorted(NODES))}: a table looks up, it runs no code",
        )
    engine = _engine()
    for node in nodes:
        if node["type"] != "decisionTableNode":
            continue
        table = node["content"]
        fields = {column["id"]: column.get("field") or "" for column in (*table["inputs"], *table["outputs"])}
        gives = {column["id"] for column in table["outputs"]}
        if not {fields[column] for column in gives} <= OUTPUTS:
            raise ConfigError(
                f"decision_table: {name}: it gives {sorted(fields[column] for column in gives)}",
                hint="a table gives cap (an amount), refer (true), or both",
            )
        for where, text, parse in _expressions(table, fields, gives, engine):
            strange = sorted(_names(text) - FEATURES.keys() - KEYWORDS - FUNCTIONS)
            if strange:
                raise ConfigError(
                    f"decision_table: {name}: {where}: {strange[0]!r} is no feature of a farm",
                    hint=f"known: {', '.join(FEATURES)}",
                )
            try:
                parse(text)
            except RuntimeError as error:
                first = str(error).splitlines()[0]
                raise ConfigError(
                    f"decision_table: {name}: {where}: {text!r}: {first}", hint="mend the cell in the editor"
                ) from error
    try:
        _load(content).validate()
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"decision_table: {name}: {first}", hint="mend the graph in the editor") from error


def _expressions(
    table: Mapping[str, Any], fields: Mapping[str, str], gives: set[str], engine: Any
) -> Iterator[tuple[str, str, Any]]:
    """Every expression of a table: where it stands, its text, and what checks it."""
    for column, field in fields.items():
        if field and column not in gives:
            yield f"column {field!r}", field, engine.compile_expression
    for number, row in enumerate(table["rules"], start=1):
        for column, field in fields.items():
            text = str(row.get(column) or "").strip()
            unary = column not in gives and bool(field)
            if text and text != "-":
                check = engine.compile_unary_expression if unary else engine.compile_expression
                yield f"row {number}, column {field or column!r}", text, check


def _names(text: str) -> set[str]:
    """Names an expression asks for: what does not stand in quotes."""
    plain = re.sub(r"\"[^\"]*\"|'[^']*'", "", text)
    return set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", plain))


def _engine() -> Any:
    try:
        import zen
    except ImportError as error:
        raise ConfigError(
            "decision_table: the engine for decision tables is not installed",
            hint='install it: pip install "acreline[rules]"',
        ) from error
    return zen


@cache
def _load(content: str) -> Any:
    return _engine().ZenEngine().create_decision(content)


RULE = Rule(
    name=NAME,
    title=("The bank's table", "银行规则表"),
    settings=DecisionTableSettings,
    apply=apply,
    reasons=REASONS,
    actions=ACTIONS,
    sets_limit=True,
)
