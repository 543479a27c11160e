# SPDX-License-Identifier: Apache-2.0
"""From a farm's facts to its limit: the policy's rules, one after another, every step kept and put in words."""

from acreline.credit.assess import assess_credit, find_totals
from acreline.credit.contract import CompiledPolicy, CompiledRule, Rule, RuleContext, make_step
from acreline.credit.policy import compile_policy, list_rules
from acreline.credit.trail import decision_from_json, decision_line, decision_to_json
from acreline.credit.words import explain_decision, known_codes, reason_words

__all__ = [
    "CompiledPolicy",
    "CompiledRule",
    "Rule",
    "RuleContext",
    "assess_credit",
    "compile_policy",
    "decision_from_json",
    "decision_line",
    "decision_to_json",
    "explain_decision",
    "find_totals",
    "known_codes",
    "list_rules",
    "make_step",
    "reason_words",
]
