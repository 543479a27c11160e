policy = al.compile_policy(plan.policy)
decisions = al.assess_credit(farms, policy, as_of=plan.as_of)
for decision in decisions:
    print(decision.farm_id, decision.outcome, decision.limit, decision.reasons)
for step in next(one for one in decisions if one.outcome == "approve").trail:
    print(f"{step.rule:>16} {step.before!s:>8} -> {step.after!s:>8}  {step.text_en}")
