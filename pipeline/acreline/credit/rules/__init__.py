# SPDX-License-Identifier: Apache-2.0
"""The kinds of credit rules: one file each, found by its name. To add a rule, add a file that ends in a `RULE`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from acreline.credit.contract import Rule
from acreline.errors import ContractError


@cache
def load_rules() -> dict[str, Rule]:
    """Every rule in this folder by name, sorted.

    Raises:
        ContractError: a file has no `RULE`, or one of another name.
    """
    rules: dict[str, Rule] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        rule = getattr(importlib.import_module(f"{__name__}.{name}"), "RULE", None)
        if not isinstance(rule, Rule) or rule.name != name:
            raise ContractError(
                f"credit/rules/{name}.py: no RULE of that name",
                hint=f"end the file with `RULE = Rule(name={name!r}, ...)`, as the rules beside it do",
            )
        rules[name] = rule
    return rules
