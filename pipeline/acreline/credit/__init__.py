# SPDX-License-Identifier: Apache-2.0
"""From a farm's facts to its limit: the policy's rules, one after another, every step kept and put in words."""

from acreline.credit.again import batch_to_json, decide_alone
from acreline.credit.assess import assess_credit, assess_stream, find_totals
from acreline.credit.contract import CompiledPolicy, CompiledRule, Rule, RuleContext, Totals, make_step
from acreline.credit.earlier import EDITION, edition_of, renamed_since, tell_as
from acreline.credit.policy import compile_policy, list_rules
from acreline.credit.retire import refer_retired
from acreline.credit.reviewed import machine_word, named_amount, refer_reviewed, review_of
from acreline.credit.schedule import FarmSeason, ScheduleRow, StandSeason, make_schedule
from acreline.credit.trail import decision_from_json, decision_line, decision_to_json
from acreline.credit.words import explain_decision, known_codes, reason_words

__all__ = [
    "EDITION",
    "CompiledPolicy",
    "CompiledRule",
    "FarmSeason",
    "Rule",
    "RuleContext",
    "ScheduleRow",
    "StandSeason",
    "Totals",
    "assess_credit",
    "assess_stream",
    "batch_to_json",
    "compile_policy",
    "decide_alone",
    "decision_from_json",
    "decision_line",
    "decision_to_json",
    "edition_of",
    "explain_decision",
    "find_totals",
    "known_codes",
    "list_rules",
    "machine_word",
    "make_schedule",
    "make_step",
    "named_amount",
    "reason_words",
    "refer_retired",
    "refer_reviewed",
    "renamed_since",
    "review_of",
    "tell_as",
]
