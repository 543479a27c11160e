# SPDX-License-Identifier: Apache-2.0
"""A policy file becomes a compiled policy: every rule known, every number checked, a version made from its content."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from acreline.config import Policy, RuleSettings, Settings
from acreline.credit.contract import CompiledPolicy, CompiledRule, Rule, Words
from acreline.credit.facts import CENT
from acreline.credit.rules import load_rules
from acreline.errors import ConfigError
from acreline.hashing import digest

FIRST_RULE = "evidence_bar"


def list_rules() -> list[str]:
    """One line per known rule: its name and what it does."""
    return [
        f"{name:<22} {(sys.modules[rule.apply.__module__].__doc__ or '').splitlines()[0]}"
        for name, rule in load_rules().items()
    ]


def compile_policy(policy: Policy, crop_names: Mapping[str, Words] | None = None) -> CompiledPolicy:
    """Check a policy from end to end before any farm is seen: a typing slip costs a second, not a wrong limit.

    Args:
        policy: as read from its file.
        crop_names: crop slug -> (English, Chinese) name for the sentences of the trail; a crop without one is called by
            its slug. They change no limit and no version.

    Raises:
        ConfigError: a rule is not known, stands twice or in an order that makes no limit, a number is out of its
            range, or a setting is unknown; the message names policy, rule and setting, the hint the nearest word.
    """
    rules = load_rules()
    compiled: list[CompiledRule] = []
    for entry in policy.rules:
        if entry.rule not in rules:
            raise ConfigError(
                f"policy {policy.id}: rule {entry.rule!r} is not known",
                hint=f"{_nearest(entry.rule, rules)}known: {', '.join(rules)}",
                rule=entry.rule,
            )
        if any(entry.rule == other.rule.name for other in compiled):
            raise ConfigError(
                f"policy {policy.id}: rule {entry.rule!r} stands twice",
                hint="keep one of them: each rule is applied once",
                rule=entry.rule,
            )
        rule = rules[entry.rule]
        compiled.append(CompiledRule(rule, _check_numbers(policy, entry, rule), entry.source))
    _check_order(policy, compiled)
    if policy.round_to % CENT:
        raise ConfigError(
            f"policy {policy.id}: round_to {policy.round_to} is no whole number of cents",
            hint="limits are kept to 0.01: use a multiple of it",
        )
    return CompiledPolicy(policy, tuple(compiled), _version(policy, compiled), dict(crop_names or {}))


def _check_numbers(policy: Policy, entry: RuleSettings, rule: Rule) -> Settings:
    try:
        base = policy.file.parent if policy.file is not None else Path()
        return rule.settings.model_validate(entry.settings, context={"base": base})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        known = list(rule.settings.model_fields)
        if first["type"] == "extra_forbidden":
            message = f"unknown setting {where!r}"
            hint = f"{_nearest(where, known)}known here: {', '.join(known) or 'none'}"
        else:
            found = "" if first["type"] == "missing" else f"; found {first['input']!r}"
            message = f"{where}: {first['msg'].removeprefix('Value error, ')}{found}"
            field = rule.settings.model_fields.get(str(first["loc"][0])) if first["loc"] else None
            meaning = f" ({field.description})" if field is not None and field.description else ""
            hint = f"mend {where!r}{meaning}"
        raise ConfigError(f"policy {policy.id}: rule {entry.rule}: {message}", hint=hint, rule=entry.rule) from error


def _check_order(policy: Policy, compiled: list[CompiledRule]) -> None:
    if compiled[0].rule.name != FIRST_RULE:
        raise ConfigError(
            f"policy {policy.id}: the first rule is {compiled[0].rule.name!r}",
            hint=f"begin with {FIRST_RULE!r}: no limit is made for a farm that was not seen well enough",
        )
    stands = False
    for entry in compiled:
        if entry.rule.needs_limit and not stands:
            raise ConfigError(
                f"policy {policy.id}: rule {entry.rule.name!r} compares a limit, but none is set before it",
                hint="put it after a rule that sets one",
                rule=entry.rule.name,
            )
        before = compiled[compiled.index(entry) - 1].rule
        if entry.rule.adds and not (before.sets_base or before.adds):
            raise ConfigError(
                f"policy {policy.id}: rule {entry.rule.name!r} adds to a limit, and stands behind {before.name!r}",
                hint="put it straight behind the rule that sets the amount it adds to (scale_of_finance), before caps",
                rule=entry.rule.name,
            )
        stands = stands or entry.rule.sets_limit
    if not stands:
        setters = [name for name, rule in load_rules().items() if rule.sets_limit]
        raise ConfigError(f"policy {policy.id}: no rule sets a limit", hint=f"add one of {', '.join(setters)}")


def _version(policy: Policy, compiled: list[CompiledRule]) -> str:
    """Hash of what the policy says, not of how the file writes it: 0.4 and 0.40 are one number."""
    content = policy.model_dump(exclude={"rules", "contact"}) | {
        "rules": [[entry.rule.name, entry.source, entry.settings.model_dump()] for entry in compiled]
    }
    if policy.schedule is None:  # a policy that says nothing of it is what it was before it could
        del content["schedule"]
    return digest(_settle(content))


def _settle(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _settle(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_settle(inner) for inner in value]
    return format(value.normalize(), "f") if isinstance(value, Decimal) else value


def _nearest(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? " if close else ""
