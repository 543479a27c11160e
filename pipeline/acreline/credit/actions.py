# SPDX-License-Identifier: Apache-2.0
"""What a farmer can do about each reason, in English and Chinese: of rules here, of what was not seen in the codes."""

from __future__ import annotations

from acreline.codes import ACTIONS, LANGUAGES, all_codes
from acreline.credit.contract import Words

RULE_ACTIONS: dict[str, Words] = {
    "capacity": (
        "If your harvest is worth more, show delivery notes or last year's yields; a lower debt raises it too.",
        "如认为收成价值更高，可提供销售单据或往年产量；偿还部分债务也可提高额度。",
    ),
    "capacity_after_debt": (
        "A smaller debt raises it one for one: show repayments that are not on file yet.",
        "减少债务可等额提高额度：请提供尚未登记的还款凭证。",
    ),
    "crop_cap_per_mu": (
        "If more is planted than was counted, send a corrected outline or a photo of the field with date and place.",
        "如实际种植面积更大，可提供更正的地块边界，或带日期和位置的田间照片。",
    ),
    "requested": (
        "Ask for more if you need more; the limit then follows the rules above it.",
        "如需更多资金，可申请更高金额，额度将按其他规则核定。",
    ),
    "person_cap": (
        "This is the most one person may borrow here; a person at the office can tell you of other loans.",
        "这是每人可借的最高金额，可向工作人员咨询其他贷款。",
    ),
    "person_cap_after_debt": (
        "A smaller debt raises it one for one: show repayments that are not on file yet.",
        "减少债务可等额提高额度：请提供尚未登记的还款凭证。",
    ),
    "several_farms_one_person": (
        "Nothing is missing: a person sets the limits of your farms together.",
        "无需补充材料：工作人员将对您名下的农场统一核定。",
    ),
    "below_minimum": (
        "A person looks at it; show what else you grow or earn, or ask for a small loan of another kind.",
        "由工作人员核实；可说明其他种植或收入情况，或咨询其他小额贷款。",
    ),
    "harvest_below_minimum": (
        "Show further plots or income that are not in this application, or ask that a person looks at it.",
        "可补充本次申请之外的地块或收入，或要求人工复核。",
    ),
    "nothing_left": (
        "A smaller debt leaves room for a loan: show repayments that are not on file yet.",
        "减少债务后可有额度：请提供尚未登记的还款凭证。",
    ),
}
"""Reason code of a rule -> what to do; a rule's own `actions` win."""


def reason_action(code: str, lang: str = "en") -> str:
    """What can be done about a reason; empty where nothing is asked of the farmer."""
    from acreline.credit.rules import load_rules

    place = LANGUAGES.index(lang)
    own = {name: words for rule in load_rules().values() for name, words in rule.actions.items()}
    words = own.get(code) or RULE_ACTIONS.get(code)
    if words is None and code in all_codes() and all_codes()[code].action != "none":
        action = ACTIONS[all_codes()[code].action]
        words = (action.en[:1].upper() + action.en[1:] + ".", action.zh + "。")
    return "" if words is None else words[place]
